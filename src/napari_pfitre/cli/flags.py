"""Flags that grow from options dataclasses, and the way back: dataclass → click options → dataclass.

Every section of a command (the method's options, the preparation, the hints to the reader) is one options dataclass;
a flag is a field. Defaults live in the dataclass alone: only what was typed is set here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from ..errors import OptionError
from ..options import Option, describe
from .command import Command

__all__ = ["GrownCommand", "Section", "option_rows", "typed"]


class Section(NamedTuple):
    """One options dataclass as a paragraph of the help."""

    key: str  #: prefix of the parameters' internal names
    title: str  #: heading in the help
    options_type: type
    renamed: Mapping[str, str] = {}  #: option → flag, where two sections have an option of one name; "" for no flag

    def options(self) -> list[Option]:
        """The options that get a flag."""
        return [option for option in describe(self.options_type) if self.renamed.get(option.name) != ""]

    def flag(self, option: Option) -> str:
        return self.renamed.get(option.name, option.flag)


class Value(click.ParamType):
    """The text after a flag → the value of an option; ``none`` stands for None where that is legal."""

    def __init__(self, option: Option):
        self.option = option
        self.inner = _click_type(option)
        self.name = option.type.__name__

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return values_text(self.option)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value is None or (self.option.optional and value == "none"):
            return None
        return self.inner.convert(value, param, ctx)


def _click_type(option: Option) -> click.ParamType:
    if option.choices:
        return click.Choice(option.choices)
    if option.type is int:
        low, high = (None if bound is None else int(bound) for bound in (option.min, option.max))
        return click.IntRange(low, high)
    if option.type is float:
        return click.FloatRange(option.min, option.max)
    if option.type is Path:
        return click.Path(path_type=Path)
    return click.STRING


def values_text(option: Option) -> str:
    """What may follow the flag."""
    if option.choices:
        return "[" + "|".join(option.choices) + "]"
    return {bool: "[yes|no|none]", int: "N", float: "X", Path: "PATH"}.get(option.type, "TEXT")


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def explanation(option: Option) -> str:
    """The option in words: what it does, its unit, its default."""
    text = sentence_case(option.tooltip or option.label).rstrip()
    if option.unit:
        text = f"{text.rstrip('.')} [{option.unit}]."
    if option.default is not None and option.default != "":
        text += f"  (default: {default_text(option)})"
    return text


def default_text(option: Option) -> str:
    """The default as one would type it."""
    if option.default is None:
        return "none"
    if option.type is bool:
        return "on" if option.default else "off"
    return f"{option.default:g}" if option.type is float else str(option.default)


def click_option(section: Section, option: Option) -> click.Option:
    """One flag; a switch when the option is true or false."""
    name = f"{section.key}__{option.name}"
    flag = section.flag(option)
    if option.type is bool and not option.optional:
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=explanation(option))
    kind = Value(option) if option.type is not bool else _YesNo()
    return click.Option([flag, name], type=kind, default=None, help=explanation(option))


class _YesNo(click.ParamType):
    """A switch with a third state, ``none``: leave it to the program."""

    name = "yes|no|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool | None:
        return None if value in (None, "none") else click.BOOL.convert(value, param, ctx)


class GrownCommand(Command):
    """A command with flags of its own and those of its sections, which are looked up when first needed.

    The callback takes its own parameters and ``given``: section key → {option: value}, of what was typed.
    """

    def __init__(self, *args: Any, sections: Callable[[], Sequence[Section]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._sections = sections
        self._grown: list[tuple[Section, list[click.Option]]] | None = None

    @property
    def grown(self) -> list[tuple[Section, list[click.Option]]]:
        if self._grown is None:
            self._grown = [
                (section, [click_option(section, option) for option in section.options()])
                for section in self._sections()
            ]
        return self._grown

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        grown = [option for _, options in self.grown for option in options]
        return [*super().get_params(ctx), *grown]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        of_sections = {id(option) for _, options in self.grown for option in options}
        flags = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and id(p) not in of_sections]
        own = [flag.get_help_record(ctx) for flag in flags]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record])
        for section, options in self.grown:
            with formatter.section(section.title):
                formatter.write_dl([record for o in options if (record := o.get_help_record(ctx))])

    def invoke(self, ctx: click.Context) -> Any:
        given: dict[str, dict[str, Any]] = {section.key: {} for section, _ in self.grown}
        for name in [name for name in ctx.params if "__" in name]:
            value = ctx.params.pop(name)
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                key, _, option = name.partition("__")
                given[key][option] = value
        ctx.params["given"] = given
        return super().invoke(ctx)


def typed(options_type: type, given: dict[str, Any], base: Any = None) -> Any:
    """The options as typed, over those of `base` or the defaults; a value out of range is a usage error."""
    try:
        return options_type(**given) if base is None else dataclasses.replace(base, **given)
    except OptionError as error:
        raise click.UsageError(str(error)) from error


def option_rows(section: Section) -> list[str]:
    """The options as rows of a Markdown table: flag, default, meaning."""
    rows = ["| flag | default | meaning |", "| --- | --- | --- |"]
    for option in section.options():
        flag = section.flag(option)
        if option.type is bool and not option.optional:
            typed_as = f"`{flag}`, `--no-{flag[2:]}`"
        else:
            typed_as = f"`{flag} {values_text(option)}`"
        meaning = sentence_case(option.tooltip or option.label) + (f" [{option.unit}]" if option.unit else "")
        cells = (typed_as, default_text(option), meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows
