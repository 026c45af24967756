"""ESRF tomography as BLISS writes it, before nxtomomill: scans 1.1, 2.1, … for darks, flats and projections.

The title or technique/scan_category of a scan says which it is; frames are /N.1/measurement/<detector>, the rotation is
one of the rows of numbers beside them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import h5py

from ..errors import FormatError, QuestionError
from ..frames import LazyFrames
from .angles import Angles, angle_unit
from .exchange import Joined
from .extras import frame_or_stack
from .hdf5 import children, find, names
from .hints import ReadHints
from .parts import Parts
from .stacks import open_stack
from .values import attribute, energy_kev, row, text

__all__ = ["NAME", "detect", "read"]

NAME = "ESRF BLISS tomography"
_SCAN = re.compile(r"(.*_)?\d+\.\d+")
#: rotations of the tomography beamlines, then whatever is called so
_ROTATION = re.compile(r"^(rotm|hrsrot|mrsrot|srot|hrrz|diffrz|somega|omega|pmo|.*rot.*|.*theta.*)$", re.IGNORECASE)
_MOST = 500


class _Scan(NamedTuple):
    name: str
    role: str
    detectors: dict[str, tuple[int, ...]]  #: path of the frames → shape


def detect(file: h5py.File) -> bool:
    return any(_SCAN.fullmatch(name) and find(file, f"{name}/measurement") is not None for name in names(file)[:_MOST])


def _scans(file: h5py.File) -> list[_Scan]:
    found = []
    for name in names(file)[:_MOST]:
        if not _SCAN.fullmatch(name) or find(file, f"{name}/measurement") is None:
            continue
        detectors = {}
        for label, thing in children(find(file, f"{name}/measurement")):
            if isinstance(thing, h5py.Dataset) and thing.shape is not None and thing.ndim == 3 and thing.shape[0]:
                detectors[f"/{name}/measurement/{label}"] = tuple(thing.shape)
        if detectors:
            found.append(_Scan(name, _role(file, name), detectors))
    return found


def _role(file: h5py.File, name: str) -> str:
    said = " ".join(
        text(thing)
        for place in ("technique/scan_category", "title")
        if isinstance(thing := find(file, f"{name}/{place}"), h5py.Dataset)
    ).lower()
    if "dark" in said:
        return "darks"
    if "flat" in said or re.search(r"\bref(erence)?s?\b", said):
        return "flats"
    return "return" if "static" in said or "return" in said else "projections"


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The projections of one scan, with the flats and darks that the file has for the same detector.

    Raises
    ------
    FormatError
        When no scan has frames.
    QuestionError
        While scan, detector or rotation motor are not settled.
    """
    scans = _scans(file)
    if not scans:
        raise FormatError(
            f"{path.name} is a BLISS file whose scans hold no camera frames that can be reached; copy the folders "
            "scan0000, scan0001, … beside it"
        )
    scan = _chosen(scans, hints, path)
    dataset = hints.dataset
    if dataset is None and len(scan.detectors) > 1:
        raise QuestionError(
            f"{scan.name} in {path.name} has {len(scan.detectors)} detectors; pass dataset= as one of "
            f"{', '.join(scan.detectors)}",
            hint="dataset",
            choices=tuple(scan.detectors),
        )
    dataset = dataset or next(iter(scan.detectors))
    frames, present = open_stack(file, dataset, hints, notices)
    angles = None if hints.angles else _rotation(file, scan.name, frames.shape[0], path)
    parts = Parts(
        NAME, path, dataset, frames, ("angle", "row", "column"), angles, "deg", present=present, notices=notices
    )
    label = dataset.rsplit("/", 1)[-1]
    for kind in ("flats", "darks"):
        stacks: list[LazyFrames] = [
            frame_or_stack(file, name)
            for other in scans
            if other.role == kind
            for name, shape in other.detectors.items()
            if name.endswith(f"/{label}") and shape[1:] == tuple(frames.shape[1:])
        ]
        if stacks:
            setattr(parts, kind, stacks[0] if len(stacks) == 1 else Joined(stacks))
    for place in ("technique/scan/energy", "instrument/positioners/energy", "instrument/monochromator/energy"):
        stored = find(file, f"{scan.name}/{place}")
        if isinstance(stored, h5py.Dataset) and stored.size == 1 and parts.energy_kev is None:
            parts.energy_kev, _ = energy_kev(stored, "keV")
    name = find(file, f"{scan.name}/sample/name")
    parts.name = (text(name) if isinstance(name, h5py.Dataset) else "") or f"{path.stem} {scan.name}"
    parts.metadata = {"entry": scan.name}
    return parts


def _chosen(scans: list[_Scan], hints: ReadHints, path: Path) -> _Scan:
    if hints.dataset is not None:
        hit = [scan for scan in scans if hints.dataset in scan.detectors]
        if hit:
            return hit[0]
    wanted = None if hints.entry is None else hints.entry.strip("/")
    found = [scan for scan in scans if (scan.name == wanted if wanted else scan.role == "projections")]
    if len(found) != 1:
        offered = [scan.name for scan in scans if scan.role == "projections"] or [scan.name for scan in scans]
        what = f"no scan {wanted} with frames" if wanted else f"{len(found)} scans that could be projections"
        raise QuestionError(
            f"{path.name} has {what}; pass entry= as one of {', '.join(offered[:12])}",
            hint="entry",
            choices=tuple(offered),
        )
    return found[0]


def _rotation(file: h5py.File, scan: str, count: int, path: Path) -> Angles | None:
    measurement = find(file, f"{scan}/measurement")
    assert isinstance(measurement, h5py.Group)  # it holds the frames
    rows: dict[str, h5py.Dataset] = {}
    for name, thing in children(measurement):
        if not isinstance(thing, h5py.Dataset) or thing.ndim != 1 or thing.size != count:
            continue
        values = row(thing)
        if values is not None and values.size > 1 and values.max() > values.min():
            rows[name] = thing
    fitting = [name for name in rows if _ROTATION.match(name)]
    if len(fitting) == 1:
        stored = rows[fitting[0]]
        return Angles(row(stored), angle_unit(attribute(stored, "units", "unit")), f"{stored.name} in {path.name}")
    if rows:
        offered = [f"::{rows[name].name}" for name in fitting or rows]
        raise QuestionError(
            f"which of {', '.join(fitting or rows)} in {path.name} is the rotation? pass angles= as one of "
            f"{', '.join(offered[:8])}",
            hint="angles",
            choices=tuple(offered[:30]),
        )
    return None
