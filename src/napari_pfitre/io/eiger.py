"""Dectris Eiger: a master file that says how, and data files beside it with the frames.

Older masters link ``/entry/data/data_000001`` and so on, one file of up to a thousand frames each; newer ones have one
virtual dataset ``/entry/data/data`` over them, with a further axis for several thresholds. A data file dropped alone
has the same ``/entry/data/data`` and nothing else. Gaps and masked pixels hold the largest value of the type.
"""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames
from ..scans import CdiScan
from . import generic
from .circles import add_circles
from .fio import fio_near, read_fio
from .foreign import is_eiger
from .hdf5 import find, names, require, wanted
from .hints import ReadHints
from .masks import gaps, hinted_mask
from .parts import Parts
from .patterns import Pattern, add_hints, assemble_pattern
from .stacks import open_stack
from .values import energy_kev, metres, number

__all__ = ["NAME", "Joined", "detect", "read"]

NAME = "Dectris Eiger"
_SOFT_BITS = 0xFFFF  #: what NXdetector's pixel_mask says about the pixel itself; higher bits are about this picture
_DETECTOR = "entry/instrument/detector"
P10_CIRCLES = ("om", "phi", "chi", "mu", "gam", "del")

detect = is_eiger


class Joined(LazyFrames):
    """Stacks of frames, one after the other."""

    def __init__(self, parts: list[LazyFrames]):
        self.parts = parts
        self.starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        self.shape = (int(self.starts[-1]), *parts[0].shape[1:])
        self.dtype = np.result_type(*(part.dtype for part in parts))

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        return self.parts[0].chunks

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        out = np.empty((frames.stop - frames.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for part, start in zip(self.parts, self.starts, strict=False):
            first, last = max(frames.start, start), min(frames.stop, start + part.shape[0])
            if first < last:
                out[first - frames.start : last - frames.start] = part[first - start : last - start, rows, columns]
        return out


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> CdiScan | Parts:
    """The frames as a pattern; as projections when ``technique='tomography'`` or angles are given.

    Raises
    ------
    FormatError
        When a data file is not beside its master; the sentence names all that are missing.
    """
    if hints.technique == "tomography" or hints.angles:
        return generic.read(file, path, hints, notices)
    dataset, frames = _frames(file, path, hints, notices)
    pattern = Pattern(NAME, path, dataset, frames, values="intensity", peak="detector", notices=notices)
    pattern.name = path.stem.removesuffix("_master")
    pattern.mask = hinted_mask(hints, path, frames.shape) if hints.mask else _mask(file, frames)
    detector, specific = find(file, _DETECTOR), find(file, f"{_DETECTOR}/detectorSpecific")
    for place in ("entry/instrument/beam/incident_energy", f"{_DETECTOR}/detectorSpecific/photon_energy"):
        if isinstance(stored := find(file, place), h5py.Dataset):
            pattern.energy_kev, said = energy_kev(stored, "eV")
            notices += [said] if said else []
            break
    if isinstance(detector, h5py.Group):
        near, far = (metres(find(detector, name), 1e-3) for name in ("detector_distance", "distance"))
        pattern.distance = near or far
        column, row = (metres(find(detector, f"{axis}_pixel_size"), 1e-9) for axis in "xy")
        pattern.pixel_size = (row, column) if row and column else None
        beam = [number(find(detector, f"beam_center_{axis}"))[0] for axis in "yx"]
        pattern.metadata = {"beam_centre": beam} if all(beam) else {}  # 0, 0 is a beam that nobody entered
    expected = _expected(specific)
    if expected and expected != frames.shape[0]:
        notices.append(f"the master announces {expected} frames and {frames.shape[0]} are there")
    if pattern.energy_kev is None:
        notices.append("energy and distance are not in this file; the master has them")
    add_hints(pattern, hints)
    _add_log(pattern, path, hints)
    return assemble_pattern(pattern, hints)


def _add_log(pattern: Pattern, path: Path, hints: ReadHints) -> None:
    """The angles of PETRA III's P10, whose log lies near the master."""
    named = Path(hints.spec).expanduser() if hints.spec else None
    log = fio_near(path) if named is None else named if named.suffix == ".fio" else None
    if log is None:
        pattern.notices.append("a file of the detector knows nothing of the diffractometer; the voxel size is unknown")
        return
    if not log.is_file():
        raise FormatError(f"the log {log} is not there; name the .fio file of this scan with spec=")
    scan = read_fio(log)
    circles = {name: np.array([scan.motors[name]]) for name in P10_CIRCLES if name in scan.motors}
    for name, values in scan.columns.items():
        if (circle := name.split("(")[0]) in P10_CIRCLES:
            circles[circle] = values
    add_circles(pattern, "PETRA III P10", circles, log.name, "P10")


def _frames(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> tuple[str, LazyFrames]:
    if hints.dataset is not None:
        return hints.dataset, open_stack(file, hints.dataset, hints, notices)[0]
    data = find(file, "entry/data")
    if isinstance(find(file, "entry/data/data"), h5py.Dataset):
        return "/entry/data/data", open_stack(file, "/entry/data/data", hints, notices)[0]
    blocks = sorted(name for name in names(data) if re.fullmatch(r"data_\d+", name)) if data is not None else []
    lost = [name for name in blocks if find(file, f"entry/data/{name}") is None]
    if lost:
        sources = [_source(file, f"entry/data/{name}") for name in lost]
        raise FormatError(
            f"{path.name} is the master of {len(blocks)} data files, of which {len(lost)} "
            f"{'is' if len(lost) == 1 else 'are'} not beside it: {', '.join(sources[:4])}"
            f"{' and more' if len(sources) > 4 else ''}; copy them into its folder"
        )
    if not blocks:
        require(file, "/entry/data/data")
    stacks: list[LazyFrames] = [open_stack(file, f"/entry/data/{name}", hints, notices)[0] for name in blocks]
    return "/entry/data", stacks[0] if len(stacks) == 1 else Joined(stacks)


def _source(file: h5py.File, name: str) -> str:
    link = file.get(name, getlink=True)
    return Path(link.filename).name if isinstance(link, h5py.ExternalLink) else wanted(file, name) or name


def _mask(file: h5py.File, frames: LazyFrames) -> np.ndarray | None:
    """Pixels marked in the file, and gaps, which hold the largest value of the type in every frame."""
    first = np.asarray(frames[0])
    mask = np.zeros(first.shape, dtype=bool) if (marked := gaps(first)) is None else marked
    for place in (f"{_DETECTOR}/pixel_mask", f"{_DETECTOR}/detectorSpecific/pixel_mask"):
        stored = find(file, place)
        if isinstance(stored, h5py.Dataset) and stored.shape == first.shape:
            mask |= (stored[()].astype(np.int64) & _SOFT_BITS) != 0
            break
    return mask if mask.any() else None


def _expected(specific: h5py.Group | h5py.Dataset | None) -> int:
    if not isinstance(specific, h5py.Group):
        return 0
    images, triggers = (number(find(specific, name))[0] for name in ("nimages", "ntrigger"))
    return int((images or 0) * (triggers or 1))
