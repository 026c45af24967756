"""The stages of a run as the terminal shows them: read, prepare, forecast, work, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import Memory, available_memory, resolve_device
from ..errors import ReconstructionError, ScanError
from ..options import as_dict
from ..results import Run, Volume, finish
from ..scans import CdiScan, TomoScan
from .bar import Bar, Interrupt
from .command import note

if TYPE_CHECKING:
    from ..io import ReadHints
    from ..recipes import Recipe

__all__ = ["forecast", "prepared", "report", "work"]


def set_values(options: Any) -> dict[str, Any]:
    """The options that differ from their defaults: what someone decided."""
    defaults = as_dict(type(options)())
    return {name: value for name, value in as_dict(options).items() if value != defaults[name]}


def prepared(file: Path, hints: ReadHints, preparation: Any, recipe: Recipe) -> TomoScan | CdiScan:
    """The scan of a file, ready for the recipe; its history says how to do this again.

    Raises
    ------
    ScanError
        When the file holds what the recipe is not for.
    """
    from ..io import read_scan
    from ..preprocess import ready
    from ..scans import Step

    answers = set_values(hints)
    if recipe.scan_type.__name__ == "CdiScan" and hints.technique is None and file.suffix.lower() in (".tif", ".tiff"):
        hints = dataclasses.replace(hints, technique="cdi")  # a bare stack is what the method says
        answers = set_values(hints)
    scan = read_scan(file, **answers)
    if answers:
        scan = scan.replace(Step("read_scan", answers))
    for notice in scan.notices:
        note(f"Note: {notice}")
    if not isinstance(scan, recipe.scan_type):
        held = "projections" if isinstance(scan, TomoScan) else "a diffraction pattern"
        raise ScanError(f"{file.name} holds {held}, which {recipe.title} is not for; see `napari-pfitre run --help`")
    made = ready(scan, preparation)
    for notice in made.notices[len(scan.notices) :]:
        note(f"Note: {notice}")
    note(f"{file.name}: {_in_words(made)}")
    return made


def _in_words(scan: TomoScan | CdiScan) -> str:
    first, rows, columns = scan.shape
    if isinstance(scan, TomoScan):
        wedges = "; ".join(map(str, scan.missing_wedges)) or "no angles missing"
        return f"{first} projections of {rows} × {columns} pixels; {wedges}; axis at column {scan.middle:g}"
    told = f"a pattern of {first} × {rows} × {columns} voxels, {scan.metadata.get('photons', 0):.3g} photons"
    if "oversampling" in scan.metadata:
        told += ", oversampling " + " × ".join(f"{ratio:.2f}" for ratio in scan.metadata["oversampling"])
    if scan.geometry is not None:
        sizes = np.linalg.norm(scan.geometry.voxels(scan.shape), axis=1) * 1e9
        told += ", voxels " + " × ".join(f"{size:.3g}" for size in sizes) + " nm"
        told += f", lattice spacing {scan.geometry.spacing * 1e10:.4f} Å"
    return told


def forecast(recipe: Recipe, scan: TomoScan | CdiScan, options: Any, device: str, force: bool) -> None:
    """Say what memory the run will take; raise when not even block after block of rows can fit and nobody insists."""
    at_once = recipe.memory(scan, options, device=str(resolve_device(device)))
    _, n_rows, n_columns = scan.shape
    if isinstance(scan, CdiScan):
        if not at_once.fits and not force:
            raise ReconstructionError(
                f"{recipe.title} {at_once}; take a smaller box (--shape), bin, or insist with --force"
            )
        note(f"{recipe.title} {at_once}")
        return
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
    made, others = "", []
    if volume.provenance is not None:
        own, *others = volume.provenance.told()
        made = f", {volume.provenance.seconds:.1f} s" + (f", {own}" if own else "")
    state = ", PARTIAL: stopped early" if volume.partial else ""
    return [f"{path}: {shape} voxels{made}{state}" for path in paths] + others
