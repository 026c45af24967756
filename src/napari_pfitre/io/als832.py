"""ALS beamline 8.3.2 before 2021: one dataset a frame, metadata as attributes of their group, angles only by number."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError
from .angles import Angles
from .hdf5 import children, names
from .hints import ReadHints
from .parts import Parts
from .stacks import Hdf5FrameSet
from .values import attribute, energy_kev, length, number

__all__ = ["detect", "read"]

NAME = "ALS 8.3.2 legacy"
_FRAME = re.compile(r"(bak|drk)?_(\d{4})_(\d{4,})\.tiff?$")


def detect(file: h5py.File) -> bool:
    return _group(file) is not None


def _group(file: h5py.File) -> h5py.Group | None:
    """The group of frames: the only top group, or one below that is alone in its parent."""
    group: h5py.Group = file["/"]
    for _ in range(4):
        inner = [thing for _, thing in children(group)] if len(names(group)) == 1 else []
        if not inner or not isinstance(inner[0], h5py.Group):
            return None
        group = inner[0]
        if any(_FRAME.search(name) for name in names(group)[:20]):
            return group
    return None


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """Frames in the order of their numbers, not of their names."""
    group = _group(file)
    assert group is not None  # `detect` saw it
    found: dict[str, list[tuple[int, int, str]]] = {"": [], "bak": [], "drk": []}
    for name in names(group):
        if match := _FRAME.search(name):
            found[match[1] or ""].append((int(match[3]), int(match[2]), f"{group.name}/{name}"))
    stacks = {kind: sorted(items) for kind, items in found.items()}
    if not stacks[""]:
        raise FormatError(f"{path.name} holds flats and darks but no projection; copy it again")
    frames = Hdf5FrameSet(path, [name for _, _, name in stacks[""]])
    numbers = np.array([number for number, _, _ in stacks[""]])
    planned, extent = (_metadata(group, name) for name in ("nangles", "arange"))
    angles = None
    if planned and extent and numbers.max() < planned < 1e6:
        all_angles = np.linspace(0, extent, int(planned))
        angles = Angles(all_angles[numbers], "deg", f"nangles and arange in {path.name}")
        notices.append(
            f"the file holds no angles; they were made from its nangles={planned:g} and arange={extent:g}°, both "
            "ends included; pass angles= if the scan ran otherwise"
        )
        if numbers.size < planned:
            notices.append(f"{planned - numbers.size:.0f} of {planned:.0f} projections are missing from the file")
    parts = Parts(NAME, path, group.name, frames, ("angle", "row", "column"), angles, notices=notices)
    if stacks["bak"]:
        parts.flats = Hdf5FrameSet(path, [name for _, _, name in stacks["bak"]])
        parts.flat_positions = np.searchsorted(numbers, [number for number, _, _ in stacks["bak"]])
    if stacks["drk"]:
        parts.darks = Hdf5FrameSet(path, [name for _, _, name in stacks["drk"]])
    size, _ = length(attribute(group, "pxsize"), "mm")
    parts.pixel_size = None if size is None else (size, size)
    # senergy is in eV without saying so
    parts.energy_kev, _ = energy_kev(attribute(group, "senergy"), "eV")
    parts.name = group.name.strip("/").split("/")[-1]
    return parts


def _metadata(group: h5py.Group, name: str) -> float | None:
    return number(attribute(group, name))[0] if attribute(group, name) else None
