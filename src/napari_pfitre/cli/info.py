"""`napari-pfitre info FILE`: what a file holds, as a person would want to know it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .command import answer_with, note
from .flags import GrownCommand, Section, typed

__all__ = ["command"]


def sections() -> Sequence[Section]:
    from ..io import ReadHints

    return (Section("read", "Reading the file", ReadHints),)


def info(file: Path, as_json: bool, given: dict[str, dict[str, Any]]) -> None:
    from ..io import ReadHints, inspect_file

    typed(ReadHints, given["read"])
    report = inspect_file(file, **given["read"])
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    for line in () if as_json else report.lines():
        click.echo(line)
    if report.question is not None and not report.usable:
        note(answer_with(report.question))
    if not report.usable:
        click.get_current_context().exit(1)


command = GrownCommand(
    "info",
    callback=info,
    sections=sections,
    help="What FILE holds: format, datasets, angles, missing wedge, what the reader assumed. "
    "Exit code 0 only when it can be reconstructed or shown as it stands.",
    params=[
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the same as JSON: SI units, angles in degrees."),
    ],
)
