"""Options dataclass ⇄ form: one row an option, grown from `napari_pfitre.options.describe`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, LineEdit, PushButton, SpinBox, Widget

from ..errors import OptionError
from ..options import Option, describe
from ._panel import slim

__all__ = ["Automatic", "NumberEdit", "OptionsForm"]

AUTOMATIC = "automatic"
_LARGEST_INT = 2**31 - 1


class NumberEdit(LineEdit):
    """A number as people write it: 0.5, 1e-3. A spin box would round a small weight to its decimals."""

    def get_value(self) -> float:
        text = super().get_value().strip()
        try:
            return float(text)
        except ValueError:
            raise OptionError(f"{self.label} should be a number such as 0.5 or 1e-3, not {text!r}") from None

    def set_value(self, value: float | str) -> None:
        super().set_value(f"{value:.10g}" if isinstance(value, int | float) else value)


class Automatic(Container):
    """A value that may be left to the program: a tick box "auto" beside the editor."""

    def __init__(self, editor: Widget, **kwargs: Any):
        self.editor = editor
        self.box = CheckBox(text="auto", value=True, tooltip="Ticked: chosen from the data.")
        super().__init__(layout="horizontal", widgets=[self.box, editor], labels=False, **kwargs)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setStretch(1, 1)
        self.box.changed.connect(self._on_box)
        self._on_box(True)

    def _on_box(self, automatic: bool) -> None:
        self.editor.enabled = not automatic
        if not automatic:
            self.editor.native.setFocus()

    @property
    def value(self) -> Any:
        return None if self.box.value else self.editor.value

    @value.setter
    def value(self, value: Any) -> None:
        self.box.value = value is None
        if value is not None:
            self.editor.value = value


class _Text(LineEdit):
    """A text; when nothing is written the value is None if that is allowed."""

    def __init__(self, optional: bool, **kwargs: Any):
        self._optional = optional
        super().__init__(**kwargs)
        if optional:
            self.native.setPlaceholderText("all" if "all when empty" in (self.tooltip or "") else AUTOMATIC)

    def get_value(self) -> Any:
        text = super().get_value().strip()
        return None if self._optional and not text else text

    def set_value(self, value: Any) -> None:
        super().set_value("" if value is None else str(value))


class _File(FileEdit):
    """A path that may be left empty."""

    def __init__(self, **kwargs: Any):
        super().__init__(mode="r", nullable=True, **kwargs)
        self.line_edit.native.setPlaceholderText("none")


def editor(option: Option) -> Widget:
    """The widget for one option."""
    tooltip = option.tooltip + (f" [{option.unit}]" if option.unit else "")
    about = {"name": option.name, "label": _label(option), "tooltip": tooltip}
    if option.choices:
        choices = [(str(choice), choice) for choice in option.choices]
        widget = slim(ComboBox(choices=[(AUTOMATIC, None), *choices] if option.optional else choices, **about))
    elif option.type is bool and option.optional:
        widget = slim(ComboBox(choices=[(AUTOMATIC, None), ("yes", True), ("no", False)], **about))
    elif option.type is bool:
        widget = CheckBox(text="", **about)
    elif option.type is Path:
        widget = _File(**about)
    elif option.type is str:
        widget = _Text(option.optional, **about)
    else:
        number = _number(option, {} if option.optional else about)
        widget = Automatic(number, **about) if option.optional else number
    widget.value = option.default
    return widget


def _number(option: Option, about: dict[str, str]) -> Widget:
    if option.type is int:
        low = -_LARGEST_INT if option.min is None else math.ceil(option.min)
        high = _LARGEST_INT if option.max is None else math.floor(option.max)
        return SpinBox(min=low, max=min(high, _LARGEST_INT), step=int(option.step or 1),
                       value=min(max(low, 0), high), **about)  # fmt: skip
    return NumberEdit(**{"label": option.label, **about})


def _label(option: Option) -> str:
    label = option.label[:1].upper() + option.label[1:]
    return f"{label} ({option.unit})" if 0 < len(option.unit) <= 4 else label


class OptionsForm(Container):
    """Every option of a frozen dataclass; those marked advanced are folded away."""

    def __init__(self, options_type: type, *, leave_out: tuple[str, ...] = (), **kwargs: Any):
        super().__init__(labels=True, **kwargs)
        self.margins = (0, 0, 0, 0)
        self.options_type = options_type
        shown = [option for option in describe(options_type) if option.name not in leave_out]
        self._rows = {option.name: editor(option) for option in shown}
        self._plain = {option.name for option in shown if not option.advanced}
        self._fold = PushButton(text="▸ more options", tooltip="Options that are seldom changed.")
        self._folded = True
        advanced = [self._rows[option.name] for option in shown if option.advanced]
        for name in (option.name for option in shown if not option.advanced):
            self.append(self._rows[name])
        if advanced:
            self.append(self._fold)
            self.extend(advanced)
        self._fold.clicked.connect(lambda: self.unfold(self._folded))
        self.unfold(False)

    def unfold(self, open_: bool = True) -> None:
        """Show or hide the advanced options."""
        self._folded = not open_
        self._fold.text = "▾ fewer options" if open_ else "▸ more options"
        for name, row in self._rows.items():
            if name not in self._plain:
                row.visible = open_

    def row(self, name: str) -> Widget:
        """The editor of one option, unfolded if need be."""
        if name not in self._plain:
            self.unfold()
        return self._rows[name]

    def row_value(self, name: str) -> Any:
        """The value of one option as it stands."""
        return self._rows[name].value

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._rows)

    @property
    def options(self) -> Any:
        """The options as they stand in the form.

        Raises
        ------
        OptionError
            When one of them is out of its range, or no number.
        """
        return self.options_type(**{name: row.value for name, row in self._rows.items()})

    @options.setter
    def options(self, options: Any) -> None:
        for name, row in self._rows.items():
            row.value = getattr(options, name)
