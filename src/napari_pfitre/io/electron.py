"""Tilt series of electron microscopes in HDF5: EMD of Berkeley (tomviz, py4DSTEM), Velox's EMD, HyperSpy.

EMD       a group with the attribute emd_group_type: data, and dim1, dim2, … with attributes name and units ([deg])
Velox     /Data/Image/<hash>/Data (row, column, frame); Metadata, a column of JSON for each frame: Stage/AlphaTilt, rad
HyperSpy  /Experiments/<title>/data and axis-0, axis-1, … with attributes name, units, scale, offset
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError, QuestionError
from .angles import Angles, angle_unit
from .hdf5 import children, find
from .hints import Axes, ReadHints
from .nxtomo_find import groups
from .parts import Parts
from .stacks import open_stack
from .values import attribute, attribute_value, length, number, row, text

__all__ = ["EMD", "HYPERSPY", "VELOX", "detect_emd", "detect_hyperspy", "detect_velox", "emd_volume", "read_emd",
           "read_hyperspy", "read_velox"]  # fmt: skip

EMD, VELOX, HYPERSPY = "EMD (electron microscopy)", "Velox EMD", "HyperSpy"
_MOST_FRAMES = 5000  #: of a tilt series; of each one text is read
_ANGLE = re.compile(r"angle|tilt|theta", re.IGNORECASE)
_TURNED: tuple[Axes, ...] = (("angle", "row", "column"), ("row", "angle", "column"), ("row", "column", "angle"))


def _emd_groups(file: h5py.File) -> list[h5py.Group]:
    return [group for group in groups(file) if "emd_group_type" in group.attrs and "data" in group]


def _dims(group: h5py.Group) -> list[h5py.Dataset]:
    found = (find(group, f"dim{at}") for at in range(1, 6))
    return [thing for thing in found if isinstance(thing, h5py.Dataset)]


def _is_angle(axis: h5py.Dataset) -> bool:
    unit = attribute(axis, "units").strip("[] ")
    return angle_unit(unit) is not None or bool(_ANGLE.search(attribute(axis, "name")))


def detect_emd(file: h5py.File) -> bool:
    return bool(_emd_groups(file))


def emd_volume(file: h5py.File) -> h5py.Dataset | None:
    """The data of a file of which no axis is an angle and all are lengths: a reconstruction, as tomviz saves it."""
    for group in _emd_groups(file):
        data, dims = find(group, "data"), _dims(group)
        if isinstance(data, h5py.Dataset) and data.ndim == 3 == len(dims) and not any(map(_is_angle, dims)):
            units = [attribute(axis, "units").strip("[] ").replace("_", "") for axis in dims]
            if all(unit.lower() in ("nm", "um", "µm", "m", "a", "å", "pm") for unit in units):
                return data
    return None


def _open(file, path, dataset, hints, notices, angles: Angles | None, at: int, name: str) -> Parts:
    frames, present = open_stack(file, dataset, hints, notices, n_angles=None if angles is None else angles.count)
    parts = Parts(name, path, dataset, frames, _TURNED[at], angles, present=present, notices=notices)
    parts.name = path.stem
    return parts


def _one(found: list[str], hints: ReadHints, path: Path) -> str:
    if hints.dataset is not None:
        return hints.dataset
    if not found:
        raise FormatError(f"{path.name} holds no stack of images; open the tilt series")
    if len(found) > 1:
        raise QuestionError(
            f"{path.name} holds {len(found)} stacks; pass dataset= as one of {', '.join(found[:6])}",
            hint="dataset",
            choices=tuple(found[:50]),
        )
    return found[0]


def read_emd(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """A tilt series as tomviz and its kin save it."""
    stacks = [g for g in _emd_groups(file) if isinstance(d := find(g, "data"), h5py.Dataset) and d.ndim == 3]
    tilted = [group for group in stacks if any(map(_is_angle, _dims(group)))]
    dataset = _one([f"{group.name}/data" for group in tilted or stacks], hints, path)
    parent = find(file, dataset.rpartition("/")[0] or "/")
    dims = _dims(parent) if isinstance(parent, h5py.Group) else []
    at = next((i for i, axis in enumerate(dims[:3]) if _is_angle(axis)), 0)
    values = row(dims[at]) if dims and _is_angle(dims[at]) else None
    angles = None
    if values is not None:
        angles = Angles(
            values, angle_unit(attribute(dims[at], "units").strip("[] ")), f"{dims[at].name} in {path.name}"
        )
    parts = _open(file, path, dataset, hints, notices, angles, at, EMD)
    for axis in dims:
        positions = row(axis)
        if not _is_angle(axis) and positions is not None and positions.size > 1 and parts.pixel_size is None:
            unit = attribute(axis, "units").strip("[] ").replace("_", "")
            size, _ = length(float(positions[1] - positions[0]), unit)
            parts.pixel_size = None if size is None else (size, size)
    return parts


def _velox_images(file: h5py.File) -> list[str]:
    images = find(file, "Data/Image")
    if not isinstance(images, h5py.Group):
        return []
    found = []
    for name, group in children(images):
        data = find(group, "Data") if isinstance(group, h5py.Group) else None
        if isinstance(data, h5py.Dataset) and data.ndim == 3:
            found.append(f"/Data/Image/{name}")
    return found


def detect_velox(file: h5py.File) -> bool:
    return isinstance(find(file, "Data/Image"), h5py.Group)


def read_velox(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """Frames (row, column, frame) with the stage's tilt from the metadata of each."""
    found = [name for name in _velox_images(file) if find(file, f"{name}/Data").shape[2] > 2]  # type: ignore[union-attr]
    dataset = _one([f"{name}/Data" for name in found], hints, path)
    about = _of_frames(file, path, dataset, notices)
    tilts = [number(frame.get("Stage", {}).get("AlphaTilt"))[0] for frame in about]
    angles = None
    if tilts and all(tilt is not None for tilt in tilts):
        angles = Angles(np.array(tilts, float), "rad", f"Stage/AlphaTilt in {path.name}")
    parts = _open(file, path, dataset, hints, notices, angles, 2, VELOX)
    size = number(about[0].get("BinaryResult", {}).get("PixelSize", {}).get("width"))[0] if about else None
    if size is not None and 1e-12 < size < 1e-3:
        parts.pixel_size = (size, size)
    return parts


def _of_frames(file: h5py.File, path: Path, dataset: str, notices: list[str]) -> list[dict]:
    """What is said of each frame, when of as many as there are: a damaged file's million would take minutes to read."""
    stored, frames = find(file, dataset.removesuffix("/Data") + "/Metadata"), find(file, dataset)
    if not isinstance(stored, h5py.Dataset) or stored.ndim != 2 or not isinstance(frames, h5py.Dataset):
        return []
    if stored.shape[1] != frames.shape[-1]:
        notices.append(
            f"{stored.name} in {path.name} has {stored.shape[1]} columns where there are {frames.shape[-1]} frames; "
            "what it says of them, their tilts too, is left out"
        )
        return []
    return [_json(stored, at) for at in range(min(stored.shape[1], _MOST_FRAMES))]


def _json(stored: h5py.Dataset, at: int) -> dict:
    try:
        said = json.loads(bytes(stored[: min(stored.shape[0], 200_000), at]).split(b"\0")[0].decode("utf-8", "replace"))
    except (ValueError, TypeError):
        return {}
    if not isinstance(said, dict):
        return {}
    return {name: value for name, value in said.items() if isinstance(value, dict)}


def detect_hyperspy(file: h5py.File) -> bool:
    said = attribute(file, "file_format").lower() == "hyperspy"
    return said or isinstance(find(file, "Experiments"), h5py.Group)


def read_hyperspy(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """A signal whose axes have names and scales."""
    experiments = find(file, "Experiments")
    found = []
    for name, group in children(experiments) if isinstance(experiments, h5py.Group) else ():
        data = find(group, "data") if isinstance(group, h5py.Group) else None
        if isinstance(data, h5py.Dataset) and data.ndim == 3:
            found.append(f"/Experiments/{name}/data")
    dataset = _one(found, hints, path)
    parent = find(file, dataset.rpartition("/")[0] or "/")
    angles, at, size = None, 0, None
    for i in range(3):
        axis = find(parent, f"axis-{i}") if isinstance(parent, h5py.Group) else None
        if not isinstance(axis, h5py.Group):
            continue
        scale, offset = (number(attribute_value(axis, name))[0] for name in ("scale", "offset"))
        count, unit = number(attribute_value(axis, "size"))[0], attribute(axis, "units")
        listed = row(find(axis, "axis"))
        if angle_unit(unit) or _ANGLE.search(attribute(axis, "name")):
            if listed is None and scale and count and 2 < count < 1e6:
                listed = (offset or 0.0) + scale * np.arange(int(count))
            if listed is not None:
                angles, at = (
                    Angles(listed, angle_unit(unit), f"axis-{i} ({text(attribute(axis, 'name'))}) in {path.name}"),
                    i,
                )
        elif scale:
            size = length(scale, unit)[0] or size
    parts = _open(file, path, dataset, hints, notices, angles, at, HYPERSPY)
    parts.pixel_size = None if size is None else (size, size)
    return parts
