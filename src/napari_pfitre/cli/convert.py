"""`napari-pfitre convert IN OUT`: a scan to Data Exchange or NXtomo, a volume from any format to any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..frames import LazyFrames
from ..results import Progress
from .bar import Bar, Interrupt
from .command import note
from .flags import GrownCommand, Section, typed
from .target import LAYOUTS, SCAN_SUFFIXES, VOLUME_SUFFIXES, check_target

__all__ = ["command"]

_STOPPING = "Stopping; nothing will be written."


class Told(LazyFrames):
    """Projections or slices that tell how far they were read; of those read in one go nobody needs to hear.

    They end when a stop was asked for: Python loses a KeyboardInterrupt that comes while an object is tidied away.
    """

    def __init__(self, parent: Any, bar: Bar, stop: Interrupt):
        self.parent, self.bar, self.stop = parent, bar, stop
        self.shape, self.dtype = tuple(parent.shape), np.dtype(parent.dtype)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        if self.stop():
            raise KeyboardInterrupt
        out = np.asarray(self.parent[frames, rows, columns])
        if frames.start > 0 or frames.stop < self.shape[0]:
            self.bar(Progress(frames.stop, self.shape[0], "writing"))
        return out


def sections() -> Sequence[Section]:
    from ..io import ReadHints

    return (Section("read", "Reading a scan", ReadHints),)


def convert(file: Path, output: Path, layout: str | None, overwrite: bool, given: dict[str, dict[str, Any]]) -> None:
    from ..errors import FormatError
    from ..io import ReadHints, inspect_file, open_volume, write_volume

    typed(ReadHints, given["read"])
    report = inspect_file(file, **given["read"])
    if report.scan is not None:
        check_target(output, overwrite, SCAN_SUFFIXES, file)
        _scan(report.scan, output, layout, overwrite)
        return
    if report.pattern is not None:
        raise FormatError(
            f"{file.name} holds a diffraction pattern, which neither Data Exchange nor NXtomo has a place for; "
            "`napari-pfitre run` reads it as it is"
        )
    if report.volume is None and report.problem is not None:
        raise report.problem
    check_target(output, overwrite, ("",) if layout == "slices" else VOLUME_SUFFIXES, file)
    volume = open_volume(file, links=given["read"].get("links"))
    with Bar() as bar, Interrupt(_STOPPING) as stop:
        told: Any = Told(volume.data, bar, stop)
        paths = write_volume(dataclasses.replace(volume, data=told), output, overwrite=overwrite, layout=layout)
    for path in paths:
        click.echo(f"{path}: volume of {' × '.join(map(str, volume.data.shape))} voxels")


def _scan(scan: Any, output: Path, layout: str | None, overwrite: bool) -> None:
    from ..io import write_scan
    from ..io.scan_files import scan_format

    form = scan_format(output, layout)
    for notice in (*scan.notices, form.told(scan)):
        if notice:
            note(f"Note: {notice}")
    with Bar() as bar, Interrupt(_STOPPING) as stop:
        told = scan.replace(projections=Told(scan.projections, bar, stop))
        write_scan(told, output, overwrite=overwrite, layout=layout)
    angles, rows, columns = scan.shape
    click.echo(f"{output}: scan of {angles} projections, {rows} × {columns} pixels ({form.title})")


command = GrownCommand(
    "convert",
    callback=convert,
    sections=sections,
    help="A scan becomes a Data Exchange file (.h5) or NXtomo (.nxs); a volume becomes .h5, .tif, .zarr or another "
    "format of volumes, with its history. IN is a file or a folder, as `info` takes it.",
    params=[
        click.Argument(["file"], metavar="IN", type=click.Path(path_type=Path, exists=True)),
        click.Argument(["output"], metavar="OUT", type=click.Path(path_type=Path)),
        click.Option(["--layout"], type=click.Choice(LAYOUTS),
                     help="What OUT is written as; its suffix decides otherwise. A scan: exchange, nxtomo."),
        click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."),
    ],
)  # fmt: skip
