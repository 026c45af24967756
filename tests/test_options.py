"""Options dataclasses: what they say about themselves, and that every edge has the same defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import click
import pytest

from napari_pfitre.cli.flags import Section, click_option, default_text, typed
from napari_pfitre.cli.run import sections
from napari_pfitre.errors import OptionError
from napari_pfitre.io import ReadHints
from napari_pfitre.options import Option, as_dict, check, describe, from_dict
from napari_pfitre.preprocess import PrepareOptions
from napari_pfitre.recipes import RECIPES
from napari_pfitre.training import TrainOptions
from napari_pfitre.twin import SimulateOptions

OPTIONS_TYPES = [*(recipe.options_type for recipe in RECIPES.values()), PrepareOptions, ReadHints, SimulateOptions,
                 TrainOptions]  # fmt: skip


@dataclass(frozen=True)
class Everything:
    count: Annotated[int, {"min": 1, "max": 9, "unit": "px", "tooltip": "How many."}] = 3
    share: Annotated[float, {"min": 0.0, "max": 1.0}] = 0.25
    on: bool = True
    kind: Literal["a", "b"] = "b"
    chosen: Annotated[str, {"choices": ("c", "d")}] = "c"
    maybe_share: Annotated[float | None, {"min": 0.0, "advanced": True}] = None
    maybe_on: bool | None = None
    maybe_file: Path | None = None

    def __post_init__(self):
        check(self)


def parsed(options_type: type, *words: str):
    """The options as a command line gives them."""
    found = {}
    section = Section("x", "X", options_type)
    parameters = [click_option(section, option) for option in section.options()]
    command = click.Command("test", params=parameters, callback=lambda **values: found.update(values))
    command.main(list(words), standalone_mode=False)
    given = {name.partition("__")[2]: value for name, value in found.items()}
    chosen = {word.split("=")[0] for word in words}
    flags = {option.name: {option.flag, f"--no-{option.flag[2:]}"} for option in describe(options_type)}
    return typed(options_type, {name: value for name, value in given.items() if flags[name] & chosen})


def test_an_option_says_everything_an_edge_needs():
    count, *_, maybe_file = describe(Everything)
    assert count == Option("count", int, 3, label="count", tooltip="How many.", unit="px", min=1, max=9)
    assert maybe_file.type is Path
    assert maybe_file.optional
    assert {o.name: o.choices for o in describe(Everything) if o.choices} == {"kind": ("a", "b"), "chosen": ("c", "d")}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 0}, "at least 1 and at most 9"),
        ({"share": float("nan")}, "at least 0 and at most 1"),
        ({"count": 2.5}, "should be a int"),
        ({"on": 1}, "should be a bool"),
        ({"kind": "c"}, "choose one of a, b"),
        ({"chosen": "e"}, "choose one of c, d"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_could(changes, words):
    with pytest.raises(OptionError, match=words):
        Everything(**changes)


def test_a_type_that_no_edge_can_show_is_refused():
    @dataclass(frozen=True)
    class Odd:
        numbers: tuple = ()

    with pytest.raises(TypeError, match="numbers"):
        describe(Odd)


def test_options_survive_the_way_through_json():
    options = Everything(count=7, maybe_share=0.5, maybe_on=False, maybe_file=Path("a.csv"))
    assert from_dict(Everything, as_dict(options)) == options


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="no option wieght; it has count"):
        from_dict(Everything, {"wieght": 1})


@pytest.mark.parametrize("options_type", [Everything, *OPTIONS_TYPES])
def test_no_flags_are_the_defaults(options_type):
    assert parsed(options_type) == options_type()


@pytest.mark.parametrize("options_type", [Everything, *OPTIONS_TYPES])
def test_an_untouched_form_is_the_defaults(options_type, qtbot):
    form = pytest.importorskip("napari_pfitre.plugin._form")
    assert form.OptionsForm(options_type).options == options_type()


@pytest.mark.parametrize("options_type", OPTIONS_TYPES)
def test_a_default_typed_out_is_the_default(options_type):
    for option in describe(options_type):
        if option.type is bool and not option.optional:
            words = [option.flag if option.default else f"--no-{option.flag[2:]}"]
        else:
            words = [f"{option.flag}={default_text(option)}"]
        assert parsed(options_type, *words) == options_type(), words


@pytest.mark.parametrize("options_type", OPTIONS_TYPES)
def test_every_option_explains_itself(options_type):
    assert [
        option.name for option in describe(options_type) if not (option.tooltip or option.label != option.name)
    ] == []


def test_words_become_values():
    words = ["--count=4", "--no-on", "--kind=a", "--maybe-share=none", "--maybe-on=no", "--maybe-file=x.csv"]
    expected = Everything(count=4, on=False, kind="a", maybe_on=False, maybe_file=Path("x.csv"))
    assert parsed(Everything, *words) == expected


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_no_flag_means_two_things(recipe):
    flags = [section.flag(option) for section in sections(recipe) for option in section.options()]
    own = ["--output", "--like", "--device", "--overwrite", "--force", "--traceback", "--help"]
    assert sorted(flags + own) == sorted(set(flags + own))


def test_an_option_has_one_meaning():
    """The sections of a run share no name but the axis, so that a setting means one thing wherever it is copied to"""
    for recipe in RECIPES.values():
        names = [{o.name for o in describe(kind)} for kind in (recipe.options_type, PrepareOptions, ReadHints)]
        assert (names[0] & names[1]) | (names[0] & names[2]) == set()
        assert names[1] & names[2] == {"centre"}
