"""The stages of a run as the terminal shows them: read, prepare, forecast, work, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..device import Memory, available_memory, resolve_device
from ..errors import ReconstructionError
from ..options import as_dict
from ..results import Run, Volume, finish
from .bar import Bar, Interrupt
from .command import note

if TYPE_CHECKING:
    from ..io import ReadHints
    from ..preprocess import PrepareOptions
    from ..recipes import Recipe
    from ..scans import TomoScan

__all__ = ["forecast", "prepared", "report", "work"]


def set_values(options: Any) -> dict[str, Any]:
    """The options that differ from their defaults: what someone decided."""
    defaults = as_dict(type(options)())
    return {name: value for name, value in as_dict(options).items() if value != defaults[name]}


def prepared(file: Path, hints: ReadHints, preparation: PrepareOptions) -> TomoScan:
    """The scan of a file, ready to reconstruct; its history says how to do this again."""
    from ..io import read_scan
    from ..preprocess import prepare
    from ..scans import Step

    answers = set_values(hints)
    scan = read_scan(file, **answers)
    if answers:
        scan = scan.replace(Step("read_scan", answers))
    for notice in scan.notices:
        note(f"Note: {notice}")
    ready = prepare(scan, preparation)
    for notice in ready.notices[len(scan.notices) :]:
        note(f"Note: {notice}")
    angles, rows, columns = ready.shape
    wedges = "; ".join(map(str, ready.missing_wedges)) or "no angles missing"
    note(f"{file.name}: {angles} projections of {rows} × {columns} pixels; {wedges}; axis at column {ready.middle:g}")
    return ready


def forecast(recipe: Recipe, scan: TomoScan, options: Any, device: str, force: bool) -> None:
    """Say what memory the run will take; raise when not even block after block of rows can fit and nobody insists."""
    at_once = recipe.memory(scan, options, device=str(resolve_device(device)))
    _, n_rows, n_columns = scan.shape
    volume = Memory(4 * n_rows * n_columns**2 + at_once.needed // n_rows, available_memory())
    if not volume.fits and not force:
        raise ReconstructionError(
            f"the volume of {n_rows} × {n_columns} × {n_columns} voxels {volume}; take fewer rows (--rows a:b), bin "
            "the data (--bin N), or insist with --force"
        )
    note(f"{recipe.title} {at_once}" + ("" if at_once.fits else "; the rows will be worked in blocks"))


def work(run: Run) -> Volume:
    """Drive a run with a bar; the first Ctrl-C makes it return what it has."""
    with Bar() as bar, Interrupt() as stop:
        return finish(run, bar, stop)


def report(volume: Volume, paths: Sequence[Path]) -> list[str]:
    """What came out, in a line for each file."""
    shape = " × ".join(map(str, volume.data.shape))
    made = ""
    if volume.provenance is not None:
        values = ", ".join(f"{name} {value:.4g}" for name, value in volume.provenance.figures.items())
        made = f", {volume.provenance.seconds:.1f} s" + (f", {values}" if values else "")
    state = ", PARTIAL: stopped early" if volume.partial else ""
    return [f"{path}: {shape} voxels{made}{state}" for path in paths]
