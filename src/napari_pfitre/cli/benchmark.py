"""`napari-pfitre benchmark`: how fast this machine is, and how good the methods are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .command import Command, note
from .flags import GrownCommand, Section, typed

__all__ = ["command", "sections"]


class Benchmarks(Command, click.Group):
    """A measurement of its own, and others by name."""


@click.group("benchmark", cls=Benchmarks, invoke_without_command=True)
@click.option("--quick", is_flag=True, help="A smaller problem: some seconds instead of a minute.")
@click.pass_context
def command(ctx: click.Context, quick: bool) -> None:
    """Milliseconds a slice of the projector, its adjoint and their product, seconds of a FISTA-TV run, here and now.

    ASTRA's CPU projectors are measured beside them when the package astra-toolbox is installed. 'benchmark quality'
    compares reconstructions with the truth.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ..benchmark import measure

    for line in measure(quick=quick):
        click.echo(line)


def sections() -> Sequence[Section]:
    from ..benchmark import QualityOptions

    return (Section("quality", "What to compare", QualityOptions),)


def compare(
    keep: Path | None, out: Path | None, overwrite: bool, baselines: bool, again: bool, device: str,
    given: dict[str, dict[str, Any]],
) -> None:  # fmt: skip
    from ..benchmark import QualityOptions, quality
    from ..benchmark.tables import tables
    from ..io.atomic import replacing
    from ..results import finish
    from .bar import Bar, Interrupt
    from .target import check_target

    if out is not None:
        check_target(out, overwrite, (".json",))
    keep = Path(click.get_app_dir("napari-pfitre")) / "quality" if keep is None else keep
    options = typed(QualityOptions, given["quality"])
    with Bar() as bar, Interrupt() as stop:
        report = finish(
            quality(options, keep, device=device, with_network=not baselines, again=again), bar, stop
        )  # fmt: skip
    for line in tables(report):
        click.echo(line)
    if out is not None:
        with replacing(out.absolute()) as part:
            part.write_text(report.to_json(), encoding="utf-8")
    note(f"{len(report.rows)} of {report.planned} scans; every result is kept in {keep}")
    if len(report.rows) < report.planned:
        note("Stopped early; the same command goes on from here.")
        click.get_current_context().exit(130)


def _devices() -> click.Choice:
    from ..device import DEVICES

    return click.Choice(DEVICES)


command.add_command(
    GrownCommand(
        "quality",
        callback=compare,
        sections=sections,
        help="FBP, FISTA-TV with the best weight there is, one pass of the network and PFITRE on simulated scans that "
        "no training saw, against their truth.\n\nEach result is kept as soon as it is there: Ctrl-C stops, and the "
        "same command goes on. A scan of 256² × 16 takes three quarters of a minute of one core, half of it for "
        "FISTA-TV, which no weights change.",
        short_help="Reconstructions against the truth.",
        params=[
            click.Option(["--keep"], metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False),
                         help="Where results are kept and found again; a folder of the user's by default."),
            click.Option(["--out"], metavar="FILE.json", type=click.Path(path_type=Path, dir_okay=False),
                         help="Every single figure."),
            click.Option(["--overwrite"], is_flag=True, help="Replace FILE.json if it exists."),
            click.Option(["--baselines"], is_flag=True, help="FBP and FISTA-TV only; needs no weights."),
            click.Option(["--again"], is_flag=True, help="Run the network even where results are kept."),
            click.Option(["--device"], type=_devices(), default="auto", show_default=True,
                         help="For the network; auto is the GPU when there is one."),
        ],
    )
)  # fmt: skip
