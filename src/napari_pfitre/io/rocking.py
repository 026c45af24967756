"""Rocking scans of SOLEIL (SIXS, CRISTAL) and MAX IV (NanoMAX): frames of a Bragg peak in the beamline's own tree.

SIXS      com/scan_data/data_NN (frame, row, column), com/SIXS/<motor>/position_pre, …/i14-c-c02-op-mono/energy (keV)
CRISTAL   <scan>/scan_data/data_NN, <scan>/CRISTAL/<motor>/position, <scan>/CRISTAL/Monochromator/energy (keV)
NanoMAX   entry/measurement/<detector>/frames, entry/snapshots/post_scan/{energy (eV), gontheta, gonphi, delta, gamma}
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ..errors import QuestionError, ScanError
from ..scans import CdiScan
from . import generic
from .circles import add_circles
from .hdf5 import children, find, names, wanted
from .hints import ReadHints
from .masks import gaps, hinted_mask
from .parts import Parts
from .patterns import Pattern, assemble_pattern
from .stacks import open_stack
from .values import attribute, energy_kev, row

__all__ = ["NAME", "detect", "read"]

NAME = "a rocking scan of SOLEIL or MAX IV"
#: a circle at the end of a motor's name: i14-c-cx1-ex-mu, I06-C-C07-EX-DIF-DELTA; the others are slits and tables
_CIRCLE = re.compile(r"(?:^|[^a-z])((?:mg)?(?:mu|eta|omega|chi|phi|nu|delta|gamma)|gontheta|gonphi)$", re.IGNORECASE)
_MOST = 2000  #: members of a group that are looked at


class _Tree(NamedTuple):
    """Where a beamline keeps what."""

    beamline: str
    measured: str  #: group of what was recorded frame by frame
    motors: str  #: group of where motors stood
    energy: str
    unit: str
    frames: tuple[str, ...]  #: datasets that could be the detector's, whether or not they are there


def _tree(file: h5py.File) -> _Tree | None:
    if isinstance(find(file, "entry/snapshots/post_scan"), h5py.Group):
        group = find(file, "entry/measurement")
        detectors = names(group)[:_MOST] if isinstance(group, h5py.Group) else []
        frames = [f"/entry/measurement/{name}/frames" for name in detectors if _has(find(group, name), "frames")]
        tree = _Tree("MAX IV NanoMAX", "entry/measurement", "entry/snapshots/post_scan",
                     "entry/snapshots/post_scan/energy", "eV", tuple(frames))  # fmt: skip
        return tree if frames else None
    for name in names(file)[:20]:
        for beamline, place in (("SIXS", "i14-c-c02-op-mono/energy"), ("CRISTAL", "Monochromator/energy")):
            group = find(file, f"{name}/scan_data")
            if isinstance(group, h5py.Group) and isinstance(find(file, f"{name}/{beamline}"), h5py.Group):
                solid = [n for n, thing in children(group) if isinstance(thing, h5py.Dataset) and thing.ndim == 3]
                motors = f"{name}/{beamline}"
                frames = [f"/{name}/scan_data/{n}" for n in solid]
                if frames:
                    return _Tree(f"SOLEIL {beamline}", f"{name}/scan_data", motors, f"{motors}/{place}", "keV",
                                 tuple(frames))  # fmt: skip
    return None


def _has(thing: object, name: str) -> bool:
    return isinstance(thing, h5py.Group) and name in thing


def detect(file: h5py.File) -> bool:
    """Whether the groups of one of these beamlines are there, and frames among what was measured."""
    return _tree(file) is not None


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> CdiScan | Parts:
    """The frames as a pattern; as projections when ``technique='tomography'`` or angles are given.

    Raises
    ------
    ScanError
        When the frames are in files that are not there; as QuestionError when several detectors were read out.
    """
    tree = _tree(file)
    if tree is None or hints.technique == "tomography" or hints.angles:
        return generic.read(file, path, hints, notices)
    dataset = hints.dataset or _only(file, path, tree)
    frames, _ = open_stack(file, dataset, hints, notices)
    pattern = Pattern(NAME, path, dataset, frames, values="intensity", peak="detector", notices=notices)
    pattern.name = path.stem
    pattern.mask = hinted_mask(hints, path, frames.shape) if hints.mask else gaps(np.asarray(frames[0]))
    pattern.energy_kev, said = energy_kev(find(file, tree.energy), tree.unit)
    if said or pattern.energy_kev is None:
        notices.append(said or f"{path.name} has no energy in {tree.energy}; pass energy_kev=")
    add_circles(pattern, tree.beamline, _circles(file, tree, frames.shape[0]), f"{path.name}")
    notices.append("distance and pixel size of the detector are not in this file")
    return assemble_pattern(pattern, hints)


def _only(file: h5py.File, path: Path, tree: _Tree) -> str:
    there = [name for name in tree.frames if isinstance(find(file, name), h5py.Dataset)]
    if len(there) == 1:
        return there[0]
    if not there:
        raise ScanError(f"the frames of {path.name} are not there: {wanted(file, tree.frames[0]) or tree.frames[0]}")
    raise QuestionError(
        f"{path.name} holds frames of {len(there)} detectors; pass dataset= as one of {', '.join(there[:6])}",
        hint="dataset",
        choices=tuple(there),
    )


def _circles(file: h5py.File, tree: _Tree, n: int) -> dict[str, np.ndarray]:
    """Motor → degrees: what was recorded frame by frame where it was, else where the motor stood."""
    stood = _standing(file, tree)
    for name, stored in children(find(file, tree.measured)):
        if not isinstance(stored, h5py.Dataset) or stored.shape != (n,) or (values := row(stored)) is None:
            continue
        label = attribute(stored, "long_name") or name  # SOLEIL numbers its columns, and names them beside
        circle = next((match[1].lower() for part in label.split("/") if (match := _CIRCLE.search(part))), None)
        if circle is not None:
            stood[circle] = values
    return stood


def _standing(file: h5py.File, tree: _Tree) -> dict[str, np.ndarray]:
    group = find(file, tree.motors)
    found: dict[str, np.ndarray] = {}
    for name in names(group)[:_MOST] if isinstance(group, h5py.Group) else ():
        if (circle := _CIRCLE.search(name)) is None:
            continue
        stored = find(group, name)
        if isinstance(stored, h5py.Group):
            stored = find(stored, "position_pre") if "position_pre" in stored else find(stored, "position")
        if isinstance(stored, h5py.Dataset) and stored.size == 1 and (value := row(stored)) is not None:
            found[circle[1].lower()] = value
    return found
