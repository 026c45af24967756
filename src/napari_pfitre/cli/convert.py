"""`napari-pfitre convert IN OUT`: a scan to Data Exchange, a volume from HDF5 to TIFF or back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .command import note
from .flags import GrownCommand, Section, typed
from .target import VOLUME_SUFFIXES, check_target

__all__ = ["command"]


def sections() -> Sequence[Section]:
    from ..io import ReadHints

    return (Section("read", "Reading a scan", ReadHints),)


def convert(file: Path, output: Path, overwrite: bool, given: dict[str, dict[str, Any]]) -> None:
    from ..io import ReadHints, inspect_file, read_volume, write_scan, write_volume

    typed(ReadHints, given["read"])
    report = inspect_file(file, **given["read"])
    if report.scan is not None:
        check_target(output, overwrite, (".h5", ".hdf5"), file)
        for notice in report.scan.notices:
            note(f"Note: {notice}")
        write_scan(report.scan, output, overwrite=overwrite)
        angles, rows, columns = report.scan.shape
        click.echo(f"{output}: scan of {angles} projections, {rows} × {columns} pixels (Data Exchange)")
        return
    if report.volume is None and report.problem is not None:
        raise report.problem
    check_target(output, overwrite, VOLUME_SUFFIXES, file)
    volume = read_volume(file)
    for path in write_volume(volume, output, overwrite=overwrite):
        click.echo(f"{path}: volume of {' × '.join(map(str, volume.data.shape))} voxels")


command = GrownCommand(
    "convert",
    callback=convert,
    sections=sections,
    help="A scan becomes a Data Exchange file (.h5); a volume becomes .h5 or .tif, with its history.",
    params=[
        click.Argument(["file"], metavar="IN", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
        click.Argument(["output"], metavar="OUT", type=click.Path(path_type=Path, dir_okay=False)),
        click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."),
    ],
)
