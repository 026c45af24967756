"""What an options dataclass says about itself: the one source of forms, command-line flags and tables.

An option is a field of a frozen dataclass::

    weight: Annotated[float, {"min": 0.0, "label": "TV weight", "tooltip": "…", "unit": "…"}] = 1.0

Keys understood: ``min``, ``max``, ``step``, ``label``, ``tooltip``, ``unit``, ``choices``, ``advanced``.
Types understood: bool, int, float, str, Path, Literal[...], and any of them or None.
"""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .errors import OptionError

__all__ = ["Option", "as_dict", "check", "describe", "from_dict"]


@dataclass(frozen=True)
class Option:
    """One option as every edge needs it."""

    name: str
    type: type  #: bool, int, float, str or Path; str when `choices` is set
    default: Any
    optional: bool = False  #: None is a legal value ("automatic")
    choices: tuple[str, ...] = ()
    label: str = ""
    tooltip: str = ""
    unit: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    advanced: bool = False  #: fold away until asked for

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")


def describe(options_type: type) -> tuple[Option, ...]:
    """Every option of a dataclass, in order."""
    hints = get_type_hints(options_type, include_extras=True)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(options_type))


def _option(field: dataclasses.Field, hint: Any) -> Option:
    extras: dict[str, Any] = {}
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        for note in notes:
            extras.update(note)
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        optional = len(inner) < len(get_args(hint))
        (hint,) = inner
    choices = tuple(extras.pop("choices", ()))
    if get_origin(hint) is Literal:
        choices, hint = get_args(hint), str
    if hint not in (bool, int, float, str, Path):
        raise TypeError(
            f"option {field.name!r} has type {hint!r}; a form and a flag can show bool, int, float, str, Path"
        )
    label = extras.pop("label", field.name.replace("_", " "))
    return Option(field.name, hint, field.default, optional, choices, label, **extras)


def check(options: Any) -> None:
    """Raise OptionError if a value lies outside its declared type, range or choices.

    Meant to be called from ``__post_init__`` of every options dataclass.
    """
    owner = type(options).__name__
    for option in describe(type(options)):
        value = getattr(options, option.name)
        if value is None and option.optional:
            continue
        expected = (int, float) if option.type is float else option.type
        if not isinstance(value, expected) or (isinstance(value, bool) and option.type is not bool):
            raise OptionError(f"{owner}.{option.name} should be a {option.type.__name__}, not {value!r}")
        if option.choices and value not in option.choices:
            raise OptionError(f"{owner}.{option.name} is {value!r}; choose one of {', '.join(option.choices)}")
        if _outside(option, value):
            low = "" if option.min is None else f"at least {option.min:g}"
            high = "" if option.max is None else f"at most {option.max:g}"
            raise OptionError(
                f"{owner}.{option.name} is {value!r}; it should be {' and '.join(filter(None, (low, high)))}"
            )


def _outside(option: Option, value: Any) -> bool:
    too_small = option.min is not None and value < option.min
    too_large = option.max is not None and value > option.max
    return too_small or too_large or (option.type is float and value != value)


def as_dict(options: Any) -> dict[str, Any]:
    """The options as values JSON can hold."""
    values = dataclasses.asdict(options)
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def from_dict(options_type: type, values: dict[str, Any]) -> Any:
    """The inverse of `as_dict`; names this version does not know raise OptionError."""
    known = {option.name: option for option in describe(options_type)}
    if unknown := sorted(set(values) - set(known)):
        raise OptionError(f"{options_type.__name__} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    paths = {name for name, option in known.items() if option.type is Path}
    return options_type(**{k: Path(v) if k in paths and v is not None else v for k, v in values.items()})
