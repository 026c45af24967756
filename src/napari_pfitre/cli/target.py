"""The file a command will write: refused before the work, not after it."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import OptionError

__all__ = ["LAYOUTS", "SCAN_SUFFIXES", "VOLUME_SUFFIXES", "check_target"]

# what the tables of io say (a test compares them), without loading io for a line of help
SCAN_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx")
VOLUME_SUFFIXES = (*SCAN_SUFFIXES, ".tif", ".tiff", ".zarr", ".cxi", ".vti", ".mrc", ".rec")
LAYOUTS = ("exchange", "nxtomo", "nxprocess", "nxtomoproc", "tiff", "slices", "zarr", "cxi", "vti", "mrc")


def check_target(output: Path, overwrite: bool, suffixes: tuple[str, ...], *sources: Path | None) -> None:
    """Raise unless `output` can be written: its suffix, its folder, nothing in the way, not one of the sources."""
    if output.suffix.lower() not in suffixes:
        raise click.UsageError(f"{output.name} should end in one of {', '.join(suffixes)}.")
    if not output.parent.is_dir():
        raise OptionError(f"the folder {output.parent} does not exist; make it first")
    present = [source for source in sources if source is not None and source.exists()]
    if output.exists() and any(output.samefile(source) for source in present):
        raise OptionError(f"{output} is the file being read; give the output another name")
    if output.exists() and not overwrite:
        raise OptionError(f"{output} exists; give another name, or --overwrite")
