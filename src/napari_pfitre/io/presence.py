"""Which frames of a dataset are really there.

HDF5 fills what was never written, and what a virtual dataset's absent sources should hold, with zeros and says nothing.
A scan gathered from files may hold one of them twice.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames, size_text
from .guard import vouch
from .hdf5 import missing_filters
from .links import beside, find, policy, wanted

__all__ = ["check", "present", "twice"]

#: Listing the chunks of a file of tiny tiles would take longer than opening may; such files are believed.
MOST_CHUNKS = 2_000_000
#: A chunk is unpacked as a whole, so one of many GB fills the memory at the first look.
MOST_IN_A_CHUNK = 1_000_000_000
#: No detector takes so many frames, and no list of what is there should be made for them.
MOST_FRAMES = 20_000_000
#: Frames under an angle that repeats which are compared; a scan of many turns repeats all of its angles.
_COMPARED = 16


def check(dataset: h5py.Dataset) -> None:
    """Raise FormatError if reading would fail or, worse, give nothing but zeros."""
    if trouble := missing_filters(dataset):
        raise FormatError(trouble)
    if dataset.dtype.kind == "c" or dataset.dtype.names:
        kind = "complex" if dataset.dtype.kind == "c" or _is_complex(dataset.dtype) else "compound"
        raise FormatError(
            f"{dataset.name} in {Path(dataset.file.filename).name} holds {kind} numbers; tomography needs real ones: "
            "save its phase or amplitude as a dataset of its own"
        )
    if dataset.dtype.kind not in "biuf":
        raise FormatError(
            f"{dataset.name} in {Path(dataset.file.filename).name} holds {dataset.dtype}, not numbers; pass dataset="
        )
    if dataset.shape is None or 0 in dataset.shape:
        raise FormatError(
            f"{dataset.name} in {Path(dataset.file.filename).name} is empty (shape {dataset.shape}); no frame was "
            "written"
        )
    here = Path(dataset.file.filename)
    if max(dataset.shape) > MOST_FRAMES:
        raise FormatError(
            f"{dataset.name} in {here.name} claims the shape {dataset.shape}, which no detector has; "
            "the file is damaged"
        )
    packed = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    if packed > MOST_IN_A_CHUNK:
        raise FormatError(
            f"{dataset.name} in {here.name} is stored in pieces of {size_text(packed)} each, which have to be unpacked "
            "as a whole; store it in smaller ones first (h5repack -l CHUNK=…)"
        )
    for name, _offset, _size in dataset.external or ():
        raw = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        kept = beside(here, raw)
        if kept is None:
            raise FormatError(
                f"{dataset.name} keeps its values in the file {raw}, which is not there; put it beside the file"
            )
        if not policy().allows(here, kept, dataset.name):
            raise FormatError(f"{dataset.name} keeps its values in {raw}, in another folder; pass links='anywhere'")


def _is_complex(dtype: np.dtype) -> bool:
    return set(dtype.names or ()) in ({"r", "i"}, {"real", "imag"})


def present(dataset: h5py.Dataset, axis: int) -> tuple[np.ndarray, str]:
    """Which positions along `axis` hold values that were written, and a sentence about the others.

    A position counts as present as soon as one chunk that touches it is.
    """
    if dataset.is_virtual:
        return _present_in_sources(dataset, axis)
    n = dataset.shape[axis]
    everything = np.ones(n, dtype=bool)
    if dataset.chunks is None:
        if dataset.id.get_storage_size() == 0 and not dataset.external:
            return np.zeros(n, dtype=bool), ""
        return everything, ""
    grid = [-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    expected = math.prod(grid)
    count = dataset.id.get_num_chunks()
    if count >= expected or count > MOST_CHUNKS:
        return everything, ""
    here = np.zeros(n, dtype=bool)
    step = dataset.chunks[axis]

    def mark(info) -> None:
        here[info.chunk_offset[axis] : info.chunk_offset[axis] + step] = True

    if count:
        dataset.id.chunk_iter(mark)
    return here, ""


def _present_in_sources(dataset: h5py.Dataset, axis: int) -> tuple[np.ndarray, str]:
    here = np.ones(dataset.shape[axis], dtype=bool)
    troubles: list[str] = []
    checked: dict[tuple[str, str], str] = {}
    for source in dataset.virtual_sources():
        key = (source.file_name, source.dset_name)
        if key not in checked:
            checked[key] = source_trouble(dataset.file, *key)
        if checked[key]:
            troubles.append(checked[key])
            low, high = source.vspace.get_select_bounds()
            here[low[axis] : high[axis] + 1] = False
    if not troubles:
        return here, ""
    unique = list(dict.fromkeys(troubles))
    more = f" (and {len(unique) - 1} more)" if len(unique) > 1 else ""
    return here, f"{dataset.name} is assembled from other files, and {unique[0]}{more}"


def source_trouble(file: h5py.File, name: str, dataset: str, depth: int = 0) -> str:
    """Why a virtual dataset's source cannot be read, as a clause; empty when it can.

    A source named ``.`` is in the same file and may itself be a dangling link or another virtual dataset.
    """
    if "%" in name or "%" in dataset:
        return ""  # a pattern for sources numbered as they come; there is no list of them to check
    if name in (".", ""):
        return _target_trouble(file, dataset, depth)
    there = beside(Path(file.filename), name)
    if there is None:
        return f"{name} is not there; put it beside {Path(file.filename).name}"
    if not policy().allows(Path(file.filename), there, "a virtual dataset"):
        return f"{name} is in another folder; pass links='anywhere' to follow it"
    try:
        vouch(there)
    except FormatError as error:
        return str(error)
    try:
        with h5py.File(there, "r", locking=False) as other:
            return _target_trouble(other, dataset, depth)
    except (OSError, RuntimeError, ValueError):
        return f"{there.name} cannot be opened; copy it again"


def _target_trouble(file: h5py.File, name: str, depth: int) -> str:
    target = find(file, name)
    if not isinstance(target, h5py.Dataset):
        return wanted(file, name) or f"{Path(file.filename).name} has no dataset {name}"
    if missing := missing_filters(target):
        return missing
    if target.is_virtual and depth < 5:
        for source in target.virtual_sources():
            if trouble := source_trouble(target.file, source.file_name, source.dset_name, depth + 1):
                return trouble
    return ""


def twice(frames: LazyFrames | np.ndarray, radians: np.ndarray, numbers: np.ndarray) -> str:
    """A sentence on projections that are the same, value for value, under the same angle; empty when none are.

    `numbers` are the places of the projections in the stored stack, which a hint would name.

    Noise makes two exposures differ, so the same frame was put in twice, as when files are gathered by their angle.
    Only angles that repeat are looked at, and no more than a few of those.
    """
    chunks = getattr(frames, "chunks", None)
    if chunks and chunks[0] > 16:
        return ""  # a look at one frame would unpack the whole file
    rounded = np.round(np.rad2deg(radians) % 360, 4) % 360
    _, first, which = np.unique(rounded, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[which] != np.arange(rounded.size))
    pairs = [(int(first[which[at]]), int(at)) for at in later[:_COMPARED]]
    same = [(one, other) for one, other in pairs if _equal(frames, one, other)]
    if not same:
        return ""
    listed = ", ".join(f"{numbers[one]} and {numbers[other]}" for one, other in same[:4])
    more = " and more" if len(same) > 4 else ""
    return (
        f"frames {listed}{more} hold the same values under the same angle, as when a file is used twice; "
        f"exclude={','.join(str(numbers[other]) for _, other in same)} leaves out what is there again"
    )


def _equal(frames: LazyFrames | np.ndarray, one: int, other: int) -> bool:
    middle = frames.shape[1] // 2
    if not np.array_equal(frames[one, middle], frames[other, middle]):
        return False
    first = np.asarray(frames[one])
    return bool(first.any()) and np.array_equal(first, frames[other])
