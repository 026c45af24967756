"""`write_volume` and `read_volume`: HDF5 (NXprocess) with everything, TIFF for Fiji."""

from __future__ import annotations

from pathlib import Path

from ..errors import FormatError
from ..results import Volume
from . import volume_hdf5, volume_tiff
from .atomic import target
from .sniff import identify

__all__ = ["read_volume", "write_volume"]

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx")
TIFF_SUFFIXES = (".tif", ".tiff")


def write_volume(volume: Volume, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write a volume; the extension decides on the format.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    FormatError
        When the path is the scan's own file, exists (unless `overwrite`), is in use, or has another extension.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in HDF5_SUFFIXES + TIFF_SUFFIXES:
        known = " ".join(HDF5_SUFFIXES + TIFF_SUFFIXES)
        raise FormatError(
            f"a volume is written as HDF5 or TIFF, but {Path(path).name} ends in {suffix or 'nothing'}; use one of "
            f"{known}"
        )
    if volume.data.ndim != 3 or 0 in volume.data.shape:
        raise FormatError(f"a volume has three axes and is not empty; {volume.name} has shape {volume.data.shape}")
    source = volume.provenance.source.get("path") if volume.provenance is not None else None
    path = target(path, overwrite=overwrite, sources=(Path(source) if source else None,))
    if suffix in HDF5_SUFFIXES:
        volume_hdf5.write(volume, path)
        return [path]
    written = []
    volume_tiff.write(volume, path)
    written.append(path)
    for name, data in volume.layers.items():
        # TIFF holds one array: companions become files beside it
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        beside = target(path.with_name(f"{path.stem}_{safe}{path.suffix}"), overwrite=overwrite)
        volume_tiff.write(Volume(data, volume.voxel_size, volume.provenance, f"{volume.name} {name}", ""), beside)
        written.append(beside)
    return written


def read_volume(path: str | Path) -> Volume:
    """Read a reconstructed volume, into memory: written here, by nabu, as NXtomoproc or Data Exchange, or a TIFF stack.

    Raises
    ------
    FormatError
        When the file holds none.
    """
    path = Path(path).expanduser()
    return volume_tiff.read(path) if identify(path) == "tiff" else volume_hdf5.read(path)
