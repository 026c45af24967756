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
    from ..errors import FormatError
    from ..io import read_volume, write_volume

    check_target(output, overwrite, VOLUME_SUFFIXES, file)
    try:
        volume = None if given["read"] else read_volume(file)
    except FormatError:  # not a volume: then it has to be a scan
        volume = None
    if volume is None:
        convert_scan(file, output, overwrite, given["read"])
        return
    for path in write_volume(volume, output, overwrite=overwrite):
        click.echo(f"{path}: volume of {' × '.join(map(str, volume.data.shape))} voxels")


def convert_scan(file: Path, output: Path, overwrite: bool, hints: dict[str, Any]) -> None:
    """A scan of any readable layout as Data Exchange."""
    from ..io import ReadHints, read_scan, write_scan

    check_target(output, overwrite, (".h5", ".hdf5"), file)
    typed(ReadHints, hints)
    scan = read_scan(file, **hints)
    for notice in scan.notices:
        note(f"Note: {notice}")
    write_scan(scan, output)
    angles, rows, columns = scan.shape
    click.echo(f"{output}: scan of {angles} projections, {rows} × {columns} pixels (Data Exchange)")


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
