"""ESRF ID01 as BLISS writes it: rocking scans in a master whose datasets link to the detector's files.

``/1.1``, ``/sample_12.1`` and so on hold ``measurement/<detector>`` (frame, row, column), motors in
``instrument/positioners`` (an array for the one that moved), and ``instrument/<detector>`` with distance, pixel size
and the direct beam.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..diffractometer import DIFFRACTOMETERS
from ..errors import QuestionError, ScanError
from ..scans import CdiScan
from .hdf5 import find, names, require, wanted
from .hints import ReadHints
from .masks import hinted_mask
from .patterns import Pattern, add_hints, assemble_pattern
from .stacks import open_stack
from .values import energy_kev, metres, number, text

__all__ = ["NAME", "detect", "read"]

NAME = "ESRF BLISS rocking scan"
_DETECTORS = ("mpx1x4", "mpxgaas", "eiger2M", "eiger")
_CIRCLES = ("mu", "eta", "phi", "nu", "delta")
_MOST = 400  #: scans of one master that are looked at


def detect(file: h5py.File) -> bool:
    """A master that has a detector of the beamline in a scan, and the motors of a diffractometer."""
    for name in names(file)[:_MOST]:
        if re.fullmatch(r"(.*_)?\d+\.1", name) and _detectors(file, name):
            motors = find(file, f"{name}/instrument/positioners")
            if isinstance(motors, h5py.Group) and {"eta", "delta", "nu"} <= set(names(motors)):
                return True
    return False


def _detectors(file: h5py.File, scan: str) -> list[str]:
    """Detectors that a scan has, also where the frames they link to are not there."""
    group = find(file, f"{scan}/measurement")
    return [name for name in _DETECTORS if isinstance(group, h5py.Group) and name in group]


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """The scan named by ``entry=``, or the only one with frames.

    Raises
    ------
    ScanError
        When it has no frames; as QuestionError when there are several scans or detectors to choose from.
    """
    scan = _scan(file, path, hints)
    detectors = _detectors(file, scan)
    if hints.dataset is None and len(detectors) != 1:
        raise QuestionError(
            f"{scan} in {path.name} has {len(detectors)} detectors; pass dataset= for one of them",
            hint="dataset",
            choices=tuple(f"/{scan}/measurement/{name}" for name in detectors),
        )
    dataset = hints.dataset or f"/{scan}/measurement/{detectors[0]}"
    require(file, dataset)
    frames, _ = open_stack(file, dataset, hints, notices)
    pattern = Pattern(NAME, path, dataset, frames, values="intensity", peak="detector", notices=notices)
    pattern.name = f"{path.stem} {scan}"
    pattern.mask = hinted_mask(hints, path, frames.shape) if hints.mask else None
    _add_geometry(pattern, file, scan, dataset.rsplit("/", 1)[-1], hints)
    return assemble_pattern(pattern, hints)


def _scan(file: h5py.File, path: Path, hints: ReadHints) -> str:
    known = [name for name in names(file)[:_MOST] if name.endswith(".1") and _detectors(file, name)]
    if hints.entry is not None:
        wanted_name = hints.entry.strip("/")
        numbered = re.compile(rf"(.*_)?0*{re.escape(wanted_name)}(\.1)?")
        fitting = [n for n in known if n == wanted_name or numbered.fullmatch(n)]
        if len(fitting) != 1:
            raise ScanError(f"{path.name} has no scan {wanted_name} with frames; it has {', '.join(known[:8])}")
        return fitting[0]
    there = [n for n in known if any(find(file, f"{n}/measurement/{d}") is not None for d in _detectors(file, n))]
    if len(there) == 1:
        return there[0]
    if not there:
        first = f"{known[0]}/measurement/{_detectors(file, known[0])[0]}"
        raise ScanError(f"the frames of {path.name} are not there: {wanted(file, first) or first}")
    titles = {n: text(find(file, f"{n}/title")) for n in there}
    listed = ", ".join(f"{n} ({title})" if title else n for n, title in list(titles.items())[:6])
    raise QuestionError(
        f"{path.name} holds {len(there)} scans with frames: {listed}; pass entry= for one of them",
        hint="entry",
        choices=tuple(there),
    )


def _add_geometry(pattern: Pattern, file: h5py.File, scan: str, detector: str, hints: ReadHints) -> None:
    """Motors and detector as `diffractometer.located` wants them; the geometry follows when the peak is known."""
    motors = find(file, f"{scan}/instrument/positioners")
    about = find(file, f"{scan}/instrument/{detector}")
    notices, n_frames = pattern.notices, pattern.stored.shape[0]
    if isinstance(motors, h5py.Group):
        pattern.energy_kev, said = energy_kev(find(motors, "mononrj"), "keV")
        notices += [said] if said else []
    if isinstance(about, h5py.Group):
        pattern.distance = metres(find(about, "distance"), 1e-3)
        row, column = (metres(find(about, f"{axis}_pixel_size"), 1e-9) for axis in "yx")
        pattern.pixel_size = (row, column) if row and column else None
    add_hints(pattern, hints)
    beam = [number(find(about, f"beam_center_{axis}"))[0] if isinstance(about, h5py.Group) else None for axis in "yx"]
    angles, scanned = _angles(motors, find(file, f"{scan}/measurement"), n_frames)
    missing = [name for name in _CIRCLES if name not in angles]
    if not scanned or missing or None in beam or pattern.energy_kev is None or pattern.distance is None:
        moving = [] if scanned else ["a moving circle"]
        lacking = ", ".join([*missing, *moving]) or "energy, distance or direct beam"
        notices.append(f"{scan} lacks {lacking}; the voxel size is unknown")
        return
    name, step = scanned
    pattern.rocking_step = step
    pattern.metadata = {
        "beamline": "ESRF ID01",
        "diffractometer": {"name": DIFFRACTOMETERS["ID01"].name, "angles": angles, "scanned": name, "beam": beam},
    }


def _angles(motors: Any, measured: Any, n_frames: int) -> tuple[dict[str, float], tuple[str, float] | None]:
    """Circle → radians at the first frame, and the circle that moved with its step."""
    angles: dict[str, float] = {}
    moved: tuple[str, float] | None = None
    for name in _CIRCLES:
        for group in (measured, motors):
            stored = find(group, name) if isinstance(group, h5py.Group) else None
            if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "iuf" or stored.size > 100_000:
                continue
            values = np.deg2rad(np.ravel(stored[()]).astype(float))
            angles[name] = float(values[0])
            if values.size == n_frames > 1 and np.ptp(values) > 0:
                moved = name, float((values[-1] - values[0]) / (values.size - 1))
            break
    return angles, moved
