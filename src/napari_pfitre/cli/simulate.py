"""`napari-pfitre simulate OUT`: a scan whose answer is known, as Data Exchange with the truth beside the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .bar import Bar, Interrupt
from .command import note
from .flags import GrownCommand, Section, typed
from .target import check_target

__all__ = ["command"]


def sections() -> Sequence[Section]:
    from ..twin import SimulateOptions

    return (Section("simulate", "What to simulate", SimulateOptions),)


def simulate(output: Path, overwrite: bool, given: dict[str, dict[str, Any]]) -> None:
    from ..io import write_scan
    from ..results import finish
    from ..twin import SimulateOptions, simulating

    check_target(output, overwrite, (".h5", ".hdf5"))
    options = typed(SimulateOptions, given["simulate"])
    with Bar() as bar, Interrupt() as stop:
        simulation = finish(simulating(options), bar, stop)
    if simulation is None:
        note("Stopped; nothing was written.")
        click.get_current_context().exit(130)
    write_scan(simulation.scan, output, truth=simulation.truth, overwrite=overwrite)
    angles, rows, columns = simulation.scan.shape
    wedges = "; ".join(map(str, simulation.scan.missing_wedges)) or "no angles missing"
    click.echo(f"{output}: {angles} projections of {rows} × {columns} pixels, {wedges}; truth included")


command = GrownCommand(
    "simulate",
    callback=simulate,
    sections=sections,
    help="Write a simulated scan to OUT (Data Exchange, .h5), together with the volume it was made from.",
    params=[
        click.Argument(["output"], metavar="OUT", type=click.Path(path_type=Path, dir_okay=False)),
        click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."),
    ],
)
