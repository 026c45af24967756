"""Volumes as NXprocess/NXdata in HDF5, as nabu lays them out: silx, h5web, DAWN and tomwer open them with a picture.

/entry0000                        NXentry     default = reconstruction/results
  reconstruction                  NXprocess   program, version, date, sequence_index; default = results
    configuration                 NXcollection  the provenance as a tree, and as JSON in `provenance`
    results                       NXdata      signal = data, axes = z y x
      data (z, y, x) float32      interpretation = image, units
      z, y, x                     positions in metres
    layers/<name>                 NXdata      companions of the same shape
  residual                      NXdata      what the volume leaves of the data, in their shape
"""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..errors import FormatError
from ..frames import Mapped
from ..results import Provenance, Volume
from .atomic import replacing, tree
from .electron import emd_volume
from .exchange import is_reconstruction
from .hdf5 import children, find, opened
from .kept import OWN
from .presence import check, present
from .stacks import Hdf5Frames
from .values import attribute, attribute_value, length, number, row, text

__all__ = ["Facts", "facts", "find_volume", "lazy", "write"]

_ROOT = "entry0000/reconstruction"
#: of a volume below the first path: where its history is, and its name
_HISTORIES = (
    ((f"/{_ROOT}", f"{_ROOT}/configuration/provenance"), "entry0000/title"),
    (("/entry/data", "entry/reconstruction/parameters/provenance"), "entry/title"),
    (("/exchange/data", f"{OWN}/provenance"), ""),
)


def write(volume: Volume, path: Path) -> None:
    """Write slice by slice; what lies at `path` is replaced when all is written."""
    provenance = volume.provenance
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry0000"
        file.attrs["creator"] = "napari-pfitre"
        entry = _group(file, "entry0000", "NXentry")
        entry.attrs["default"] = "reconstruction/results"
        entry["title"] = volume.name
        process = _group(entry, "reconstruction", "NXprocess")
        process.attrs["default"] = "results"
        process["program"] = "napari-pfitre"
        process["version"] = version("napari-pfitre")
        process["date"] = (provenance.started if provenance else "") or datetime.now(UTC).isoformat(timespec="seconds")
        process["sequence_index"] = 1
        configuration = _group(process, "configuration", "NXcollection")
        if provenance is not None:
            configuration["provenance"] = provenance.to_json()
            tree(_group(configuration, "tree", "NXcollection"), dataclasses.asdict(provenance))
        _data(process, "results", volume.data, volume, volume.unit)
        if volume.layers:
            layers = _group(process, "layers", "NXcollection")
            layers.attrs["names"] = list(volume.layers)
            for at, (name, data) in enumerate(volume.layers.items()):
                _data(layers, f"layer{at}", data, volume, "", title=name)
        if volume.residual is not None:
            _data(process, "residual", volume.residual, None, "")


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group


def _data(parent: h5py.Group, name: str, data: np.ndarray, volume: Volume | None, unit: str, title: str = "") -> None:
    group = _group(parent, name, "NXdata")
    group.attrs["signal"] = "data"
    if title:
        group["title"] = title
    stored = group.create_dataset(
        "data", data.shape, np.dtype(data.dtype).newbyteorder("="), chunks=(1, *data.shape[1:])
    )
    for at in range(data.shape[0]):
        stored[at] = np.asarray(data[at])
    stored.attrs["interpretation"] = "image"
    if unit:
        stored.attrs["units"] = unit
    if volume is not None and volume.voxel_size is not None:
        group.attrs["axes"] = ["z", "y", "x"]
        for axis, n, size in zip("zyx", data.shape, volume.voxel_size, strict=True):
            positions = group.create_dataset(axis, data=np.arange(n) * size)
            positions.attrs["units"] = "m"
            positions.attrs["voxel_size"] = size  # the axis holds it too, rounded


def find_volume(file: h5py.File, truth: bool = True) -> h5py.Dataset | None:
    """The reconstructed volume in a file: ours, nabu's, NXtomoproc's, CIL's, pyxas's, tomviz's, the one in Data
    Exchange, or else (unless not `truth`) the truth of a simulated scan; None if there is none."""
    data = find(file, "exchange/data")
    if is_reconstruction(data):
        return data
    for _, entry in children(file):
        if not isinstance(entry, h5py.Group):
            continue
        results = find(entry, "reconstruction/results/data")
        if isinstance(results, h5py.Dataset):
            return results
        definition = find(entry, "definition")
        if isinstance(definition, h5py.Dataset) and text(definition).lower() == "nxtomoproc":
            group = find(entry, "data")
            signal = attribute(group, "signal") or "data" if isinstance(group, h5py.Group) else ""
            if isinstance(stored := find(group, signal) if signal else None, h5py.Dataset):
                return stored
    data = find(file, "entry1/tomo_entry/data/data")
    if attribute(data, "data_type") == "ImageData":
        return data
    image = find(file, "img")
    if isinstance(image, h5py.Dataset) and image.ndim == 3 and "rot_cen" in file:
        return image
    if (data := emd_volume(file)) is not None:
        return data
    for group in (OWN, f"entry/{OWN}") if truth else ():
        if isinstance(known := find(file, f"{group}/truth/data"), h5py.Dataset):
            return known
    return None


class Facts(NamedTuple):
    """What a file says about its volume."""

    name: str
    voxel_size: tuple[float, float, float] | None  #: (z, y, x), metres
    unit: str
    provenance: Provenance | None


def facts(file: h5py.File, stored: h5py.Dataset) -> Facts:
    """What is known of a volume without reading it.

    Raises
    ------
    FormatError
        When reading it would fail, or give zeros in the place of parts that are missing.
    """
    path = Path(file.filename)
    check(stored)
    if stored.ndim not in (2, 3):
        raise FormatError(f"{stored.name} in {path.name} has shape {stored.shape}; a volume has three axes")
    _, trouble = present(stored, 0)
    if trouble:
        raise FormatError(trouble)
    provenance, name = None, attribute(stored.parent, "name")
    for place, title in _HISTORIES:
        if stored.name.startswith(place[0]) and isinstance(found := find(file, place[1]), h5py.Dataset):
            provenance = _provenance(text(found))
        if title and stored.name.startswith(place[0]):
            name = text(find(file, title)) or name
    voxel = _voxel_size(stored.parent, stored.shape) if stored.ndim == 3 else None
    return Facts(name or path.stem, voxel, attribute(stored, "units") or "1/pixel", provenance)


def _provenance(stored: str) -> Provenance | None:
    try:
        return Provenance.from_json(stored)
    except (ValueError, TypeError, AttributeError):  # of another program, or damaged
        return None


def _process(file: h5py.File, stored: h5py.Dataset) -> h5py.Group | None:
    process = find(file, _ROOT) if stored.name.startswith(f"/{_ROOT}") else None
    return process if isinstance(process, h5py.Group) else None


def lazy(path: Path) -> Volume:
    """The volume in a file, with its history when the file has one; values are read when they are asked for."""
    with opened(path) as file:
        stored = find_volume(file)
        if stored is None:
            raise FormatError(
                f"{path.name} holds no reconstructed volume that is known here; is it a scan? see `napari-pfitre info`"
            )
        name, voxel, unit, provenance = facts(file, stored)
        data: Any = Mapped(np.float32, frames_of(stored))
        process = _process(file, stored)
        layers = {} if process is None else _layers(process, data.shape)
        left = None if process is None else find(process, "residual/data")
        residual: Any = None
        if isinstance(left, h5py.Dataset) and left.ndim == 3:
            residual = Mapped(np.float32, frames_of(left))
        return Volume(data, voxel, provenance, name, unit, layers, residual)


def frames_of(stored: h5py.Dataset, fixed: dict[int, int] | None = None) -> Hdf5Frames:
    """A dataset as a stack, in whichever file a link has led to; one slice when it has two axes."""
    return Hdf5Frames(Path(stored.file.filename), stored.name, new_axis=0, fixed=fixed)


def _layers(process: h5py.Group, shape: tuple[int, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    group = find(process, "layers")
    for name, layer in children(group) if isinstance(group, h5py.Group) else ():
        stored = find(layer, "data") if isinstance(layer, h5py.Group) else None
        if isinstance(stored, h5py.Dataset) and stored.shape == shape:
            title = find(layer, "title")
            out[text(title) if title is not None else name] = frames_of(stored)
    return out


def _voxel_size(group: h5py.Group, shape: tuple[int, ...]) -> tuple[float, float, float] | None:
    stated = attribute_value(group, "voxel_size")
    if isinstance(stated, np.ndarray) and stated.shape == (3,) and stated.dtype.kind == "f" and (stated > 0).all():
        return float(stated[0]), float(stated[1]), float(stated[2])
    sizes: list[float] = []
    for axis, n in zip("zyx", shape, strict=True):
        positions = find(group, axis)
        if not isinstance(positions, h5py.Dataset) or positions.ndim != 1 or positions.size != n:
            return None
        stated, _ = number(attribute_value(positions, "voxel_size"))
        if stated is not None and stated > 0:
            sizes.append(stated)
            continue
        values = row(positions)
        step = float(values[1] - values[0]) if values is not None and n > 1 else math.nan
        size, _ = length(step, attribute(positions, "units"))
        sizes.append(math.nan if size is None else size)
    known = [size for size in sizes if math.isfinite(size)]
    if not known:
        return None
    z, y, x = (size if math.isfinite(size) else known[-1] for size in sizes)
    return z, y, x
