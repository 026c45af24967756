"""Options dataclass ⇄ form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.options import check, describe
from napari_pfitre.plugin._form import OptionsForm
from napari_pfitre.recipes import RECIPES


@dataclass(frozen=True)
class Everything:
    count: Annotated[int, {"min": 1, "max": 9, "unit": "px", "tooltip": "How many."}] = 3
    share: Annotated[float, {"min": 0.0, "max": 1.0}] = 1e-5
    on: bool = True
    kind: Literal["a", "b"] = "b"
    text: str = "x"
    maybe_count: Annotated[int | None, {"min": 1, "max": 9}] = None
    maybe_share: Annotated[float | None, {"min": 0.0, "advanced": True, "tooltip": "Rarely."}] = None
    maybe_on: bool | None = None
    maybe_kind: Literal["a", "b"] | None = None
    maybe_text: str | None = None
    maybe_file: Path | None = None

    def __post_init__(self):
        check(self)


OTHERS = Everything(9, 0.25, False, "a", "y", 2, 1e-7, False, "b", "z", Path("angles.csv").absolute())


@pytest.mark.parametrize("options_type", [Everything, *(r.options_type for r in RECIPES.values())])
def test_a_fresh_form_holds_the_defaults(qtbot, options_type):
    assert OptionsForm(options_type).options == options_type()


def test_values_go_in_and_come_out_unchanged(qtbot):
    form = OptionsForm(Everything)
    form.options = OTHERS
    assert form.options == OTHERS
    form.options = Everything()
    assert form.options == Everything()


def test_every_row_has_label_tooltip_unit_and_range(qtbot):
    form = OptionsForm(Everything)
    row = form.row("count")
    assert (row.label, row.min, row.max) == ("Count (px)", 1, 9)
    assert row.tooltip == "How many. [px]"


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_every_option_of_every_recipe_explains_itself(recipe):
    assert all(option.tooltip for option in describe(recipe.options_type))


def test_automatic_values_are_said_to_be_so(qtbot):
    form = OptionsForm(Everything)
    assert form.row("maybe_count").box.value
    assert not form.row("maybe_count").editor.enabled
    assert form.row("maybe_kind").current_choice == "automatic"
    assert form.row("maybe_text").native.placeholderText() == "automatic"
    form.row("maybe_count").value = 4
    assert form.row("maybe_count").editor.enabled
    assert form.options.maybe_count == 4


def test_advanced_options_are_folded_away_until_asked_for(qtbot):
    form = OptionsForm(Everything)
    qtbot.addWidget(form.native)
    form.show()
    shown = {name: widget.visible for name, widget in form._rows.items()}
    assert not shown["maybe_share"]
    assert shown["share"]
    assert form.row("maybe_share").visible


@pytest.mark.parametrize(("text", "message"), [("abc", "number"), ("2", "at most 1")])
def test_a_value_that_cannot_be_is_an_option_error(qtbot, text, message):
    form = OptionsForm(Everything)
    form.row("share").native.setText(text)
    with pytest.raises(OptionError, match=message):
        form.options  # noqa: B018 (the value is worked out here)


def test_changes_are_announced(qtbot):
    form = OptionsForm(Everything)
    heard = []
    form.changed.connect(lambda: heard.append(form.options))
    form.row("maybe_count").value = 4
    form.row("share").value = 0.5
    assert (heard[-1].maybe_count, heard[-1].share) == (4, 0.5)
