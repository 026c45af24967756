"""`write_volume` and `read_volume`, and the one table of formats that volumes are written in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from ..results import Volume
from . import (
    mrc,
    volume_cxi,
    volume_exchange,
    volume_hdf5,
    volume_mrc,
    volume_nxtomoproc,
    volume_slices,
    volume_tiff,
    volume_vti,
    volume_zarr,
)
from .atomic import target
from .links import follow
from .sniff import identify

__all__ = [
    "VOLUME_FORMATS", "VolumeFormat", "foreign_volume", "open_volume", "read_volume", "volume_format", "write_volume",
]  # fmt: skip


class VolumeFormat(NamedTuple):
    """A format that volumes are written in."""

    layout: str  #: as ``layout=`` names it
    title: str
    suffixes: tuple[str, ...]  #: the first format that has a suffix is the one it stands for
    write: Callable[[Volume, Path], None]  #: slice by slice, atomic
    opened_by: str = ""
    companions: bool = False  #: whether it holds a volume's `layers`; they become files beside it otherwise
    folder: bool = False


_HDF5 = (".h5", ".hdf5", ".hdf", ".nxs", ".nx")

VOLUME_FORMATS: tuple[VolumeFormat, ...] = (
    VolumeFormat("nxprocess", "HDF5, NXprocess with its whole history", _HDF5, volume_hdf5.write,
                 "silx, h5web, DAWN, tomwer, nabu", companions=True),
    VolumeFormat("nxtomoproc", "HDF5, NeXus NXtomoproc", _HDF5, volume_nxtomoproc.write, "Mantid Imaging, NeXus tools"),
    VolumeFormat("exchange", "HDF5, Data Exchange after reconstruction", _HDF5, volume_exchange.write,
                 "tomopy-cli, tomocupy, tomviz"),
    VolumeFormat("tiff", "TIFF, an ImageJ hyperstack", (".tif", ".tiff"), volume_tiff.write, "Fiji, everything"),
    VolumeFormat("slices", "a folder of TIFF slices", ("",), volume_slices.write, "everything", folder=True),
    VolumeFormat("zarr", "OME-Zarr 0.4, several resolutions", (".zarr",), volume_zarr.write,
                 "napari-ome-zarr, Fiji, neuroglancer", folder=True),
    VolumeFormat("cxi", "CXI 1.6, complex", (".cxi",), volume_cxi.write, "PyNX, cdiutils, bcdi", companions=True),
    VolumeFormat("vti", "VTK image data, in nanometres", (".vti",), volume_vti.write, "ParaView, tomviz, PyVista",
                 companions=True),
    VolumeFormat("mrc", "MRC, mode 2", (".mrc", ".rec"), volume_mrc.write, "IMOD, ChimeraX, Dynamo"),
)  # fmt: skip


def volume_format(path: Path, layout: str | None = None) -> VolumeFormat:
    """The format that a name stands for, or the one that `layout` names.

    Raises
    ------
    FormatError
        When there is none.
    """
    suffix = path.suffix.lower()
    if layout is not None:
        found = [row for row in VOLUME_FORMATS if row.layout == layout]
        if not found:
            raise FormatError(
                f"there is no layout {layout!r}; choose one of {', '.join(row.layout for row in VOLUME_FORMATS)}"
            )
        if suffix not in found[0].suffixes:
            wanted = " ".join(filter(None, found[0].suffixes)) or "no suffix: it is a folder"
            raise FormatError(f"{found[0].title} is not written to {path.name}; its name has {wanted}")
        return found[0]
    row = next((row for row in VOLUME_FORMATS if suffix and suffix in row.suffixes), None)
    if row is None:
        known = " ".join(dict.fromkeys(s for row in VOLUME_FORMATS for s in row.suffixes if s))
        raise FormatError(
            f"a volume is written as HDF5 or TIFF, OME-Zarr or another format of the table, but {path.name} ends in "
            f"{suffix or 'nothing'}; use one of {known}"
        )
    return row


def write_volume(volume: Volume, path: str | Path, *, overwrite: bool = False, layout: str | None = None) -> list[Path]:
    """Write a volume; the extension decides on the format, `layout` where several have the same.

    Nothing is under the final name before all is written. The data are asked for slice by slice (``volume.data[z]``),
    so they may be larger than memory.

    Returns
    -------
    list of Path
        The files (of some formats: the folder) written.

    Raises
    ------
    FormatError
        When the path is the scan's own file, exists (unless `overwrite`), is in use, or has another extension.
    """
    form = volume_format(Path(path), layout)
    if len(volume.data.shape) != 3 or 0 in volume.data.shape:
        raise FormatError(f"a volume has three axes and is not empty; {volume.name} has shape {volume.data.shape}")
    source = volume.provenance.source.get("path") if volume.provenance is not None else None
    path = target(path, overwrite=overwrite, sources=(Path(source) if source else None,), folder=form.folder)
    form.write(volume, path)
    written = [path]
    for name, data in () if form.companions else volume.layers.items():
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        beside = target(path.with_name(f"{path.stem}_{safe}{path.suffix}"), overwrite=overwrite, folder=form.folder)
        form.write(Volume(data, volume.voxel_size, volume.provenance, f"{volume.name} {name}", ""), beside)
        written.append(beside)
    return written


def foreign_volume(path: Path):
    """The module that reads a volume from a file or folder that is told by its name; None for HDF5 and TIFF."""
    for module in (volume_cxi, volume_vti, volume_zarr, volume_slices):
        if module.is_volume(path):
            return module
    return volume_mrc if mrc.is_volume(path) else None


def open_volume(path: str | Path, *, links: str | None = None) -> Volume:
    """`read_volume`, of which only what is asked for is read: ``volume.data[z]`` comes from the file each time.

    `write_volume` takes it as it is, so a volume larger than memory goes from one format to another.
    """
    path = Path(path).expanduser()
    if (module := foreign_volume(path)) is not None:
        return module.lazy(path)
    with follow(links == "anywhere"):
        return volume_tiff.lazy(path) if identify(path) == "tiff" else volume_hdf5.lazy(path)


def read_volume(path: str | Path, *, links: str | None = None) -> Volume:
    """Read a reconstructed volume, into memory.

    Written here in any format, by nabu, as NXtomoproc or Data Exchange, by CIL, pyxas or tomviz; a TIFF stack, an
    OME-Zarr folder, MRC.

    Raises
    ------
    FormatError
        When the file holds none.
    """
    volume = open_volume(path, links=links)
    return dataclasses.replace(
        volume,
        data=np.ascontiguousarray(volume.data[:], np.float32),
        layers={name: np.asarray(values[:]) for name, values in volume.layers.items()},
        residual=None if volume.residual is None else np.asarray(volume.residual[:]),
    )
