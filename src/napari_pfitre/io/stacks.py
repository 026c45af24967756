"""Stacks of frames in HDF5 files, read region by region.

No file stays open between reads: it may be deleted, overwritten or unmounted while a layer shows it, and the next
read then says so in a sentence. Opening takes about a millisecond, a frame of a camera takes longer.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import h5py
import numpy as np

from ..errors import ChangedError, FormatError, QuestionError, ScanError
from ..frames import LazyFrames, size_text
from .hdf5 import opened, require
from .hints import ReadHints
from .links import follow, policy
from .presence import check, present

__all__ = ["Hdf5FrameSet", "Hdf5Frames", "InFile", "native", "open_stack"]

_BAD_FRAMES_NAMED = 5
_SLOW = 100_000_000  #: bytes unpacked for a frame: half a second or more


def native(dtype: np.dtype) -> np.dtype:
    """The type that frames are handed out in: this machine's byte order, and nothing that torch does not know."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype.newbyteorder("=")


class InFile(LazyFrames):
    """What the stacks of one file share: opening it, and noticing that it is not the same file any more."""

    def __init__(self, path: Path, *, live: bool = False):
        self.path = Path(path).absolute()
        self.live = live
        self._anywhere = policy().anywhere  # a later read follows the links that were followed first
        self._stamp = _stamp(self.path)

    def _check_unchanged(self) -> None:
        if not self.live and _stamp(self.path) != self._stamp:
            if not self.path.exists():
                raise ChangedError(
                    f"{self.path.name} is gone from {self.path.parent} since it was opened (deleted, moved, or its "
                    "drive unmounted); open it where it is now",
                    gone=True,
                )
            raise ChangedError(f"{self.path.name} has changed on disk since it was opened; open it again")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


class Hdf5Frames(InFile):
    """A dataset as a stack of three axes, in the order they are stored in.

    Parameters
    ----------
    path, dataset
        The file, and the path inside it (links are followed anew at each read).
    fixed
        Axis → index, for the axes of a dataset of more than three that stay at one position.
    new_axis
        Where a dataset of two axes gets one of length 1: 1 for a sinogram (a stack of one row), 0 for a single frame.
    scale, offset
        When given, a value is ``(stored - offset) / scale``, as CIL packs its numbers.
    live
        The file may grow while it is read: do not insist that it stays as it is.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        *,
        fixed: dict[int, int] | None = None,
        new_axis: int = 1,
        scale: float = 1.0,
        offset: float = 0.0,
        live: bool = False,
    ):
        super().__init__(path, live=live)
        self.dataset = dataset
        self.fixed = dict(fixed or {})
        self.new_axis = new_axis
        self.scale, self.offset = scale, offset
        with opened(self.path) as file:
            stored = require(file, dataset)
            shape, chunks = tuple(stored.shape), stored.chunks
            self.dtype = native(stored.dtype) if (scale, offset) == (1.0, 0.0) else np.dtype(np.float32)
        self._free = [axis for axis in range(len(shape)) if axis not in self.fixed]
        if len(self._free) not in (2, 3):
            raise FormatError(
                f"{dataset} in {self.path.name} has shape {shape}; a stack has three axes, so pass index= for the "
                "others"
            )
        self.shape = self._as_three([shape[axis] for axis in self._free])
        self._chunks = self._as_three([chunks[axis] for axis in self._free]) if chunks else None

    def _as_three(self, sizes: list[int]) -> tuple[int, int, int]:
        if len(sizes) == 2:
            sizes = [*sizes[: self.new_axis], 1, *sizes[self.new_axis :]]
        return sizes[0], sizes[1], sizes[2]

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        return self._chunks

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        with follow(self._anywhere), opened(self.path, again=True) as file:
            stored = require(file, self.dataset)
            try:
                out = self._region(stored, frames, rows, columns)
            except OSError as error:
                raise FormatError(self._blame(stored, frames, rows, columns, error)) from error
        if (self.scale, self.offset) != (1.0, 0.0):
            out = (out - np.float32(self.offset)) / np.float32(self.scale)
        return np.ascontiguousarray(out, dtype=self.dtype)

    def _region(self, stored: h5py.Dataset, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        spans = [frames, rows, columns]
        if len(self._free) == 2:
            added = spans.pop(self.new_axis)
        key: list[slice | int] = [slice(None)] * stored.ndim
        for axis, index in self.fixed.items():
            key[axis] = index
        for axis, span in zip(self._free, spans, strict=True):
            if span.stop > stored.shape[axis]:
                raise FormatError(
                    f"{self.dataset} in {self.path.name} has shrunk to {stored.shape} since it was opened; open it "
                    "again"
                )
            key[axis] = span
        out = stored[tuple(key)]
        return (
            out
            if len(self._free) == 3
            else np.expand_dims(out, self.new_axis).take(range(1)[added], axis=self.new_axis)
        )

    def _blame(self, stored: h5py.Dataset, frames: slice, rows: slice, columns: slice, error: OSError) -> str:
        """Which frames of a region cannot be read: HDF5 only says that something in it cannot."""
        bad = []
        for frame in range(frames.start, frames.stop):
            try:
                self._region(stored, slice(frame, frame + 1), rows, columns)
            except OSError:
                bad.append(frame)
            if len(bad) > _BAD_FRAMES_NAMED:
                break
        listed = ", ".join(str(frame) for frame in bad[:_BAD_FRAMES_NAMED])
        more = " and more" if len(bad) > _BAD_FRAMES_NAMED else ""
        which = (
            f"frame{'s' if len(bad) > 1 else ''} {listed}{more}"
            if bad
            else f"frames {frames.start} to {frames.stop - 1}"
        )
        reason = str(error).split("(")[-1].rstrip(")")
        return (
            f"{which} of {self.dataset} in {self.path.name} cannot be read ({reason}): the file is damaged there; "
            f"copy it again or leave them out with exclude={listed.replace(' ', '') or 'FRAMES'}"
        )


class Hdf5FrameSet(InFile):
    """One dataset a frame, (row, column) or (1, row, column) each, in the order given."""

    def __init__(self, path: Path, datasets: list[str]):
        super().__init__(path)
        self.datasets = list(datasets)
        with opened(self.path) as file:
            first = require(file, self.datasets[0])
            check(first)
            self.dtype = native(first.dtype)
            self.shape = (len(self.datasets), *first.shape[-2:])

    @property
    def chunks(self) -> tuple[int, int, int]:
        return (1, *self.shape[1:])

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        names = self.datasets[frames]
        out = np.empty((len(names), rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        with follow(self._anywhere), opened(self.path, again=True) as file:
            for at, name in enumerate(names):
                stored = require(file, name)
                if stored.shape not in (self.shape[1:], (1, *self.shape[1:])) or native(stored.dtype) != self.dtype:
                    raise FormatError(
                        f"{name} in {self.path.name} is {stored.dtype} {stored.shape} where the others are frames of "
                        f"{self.shape[1:]}; "
                        f"leave it out with exclude={frames.start + at}"
                    )
                try:
                    out[at] = stored[(*(0,) * (stored.ndim - 2), rows, columns)]
                except OSError as error:
                    raise FormatError(
                        f"frame {frames.start + at} ({name} in {self.path.name}) cannot be read: the file is damaged "
                        f"there; copy it again or leave it out with exclude={frames.start + at}"
                    ) from error
        return out


def open_stack(
    file: h5py.File,
    dataset: str,
    hints: ReadHints,
    notices: list[str],
    *,
    extra_axis: int | None = None,
    n_angles: int | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
) -> tuple[Hdf5Frames, np.ndarray]:
    """A dataset as a stack, and which positions along its first axis were ever written.

    Parameters
    ----------
    extra_axis
        The axis of elements, energies or channels in a dataset of four axes; told from `n_angles` when not given.

    Raises
    ------
    FormatError
        When reading would fail or give nothing but zeros.
    QuestionError
        When a dataset of four axes needs ``index=``.
    """
    stored = require(file, dataset)
    check(stored)
    path = Path(file.filename)
    if stored.ndim not in (2, 3, 4):
        raise FormatError(
            f"{dataset} in {path.name} has shape {stored.shape}; projections have three axes, pass dataset="
        )
    fixed: dict[int, int] = {}
    if stored.ndim == 4:
        if extra_axis is None:
            first_two = stored.shape[:2]
            extra_axis = (
                1
                if n_angles == first_two[0] != first_two[1]
                else 0
                if n_angles == first_two[1]
                else int(np.argmin(first_two))
            )
        count = stored.shape[extra_axis]
        if hints.index is None and count > 1:
            raise QuestionError(
                f"{dataset} in {path.name} has shape {stored.shape}: {count} elements, energies or channels along axis "
                f"{extra_axis}; pass index=0 to {count - 1} for one of them",
                hint="index",
                choices=tuple(str(i) for i in range(min(count, 50))),
            )
        index = hints.index or 0
        if index >= count:
            raise ScanError(
                f"index={index} is past the end of axis {extra_axis} of {dataset} {stored.shape}; it goes to "
                f"{count - 1}"
            )
        fixed = {extra_axis: index}
        if count > 1:
            notices.append(f"of the {count} stacks in {dataset} {stored.shape} number {index} was read")
    first = next(axis for axis in range(stored.ndim) if axis not in fixed)
    here, trouble = present(stored, first)
    if trouble:
        if not here.any():
            raise FormatError(trouble)
        notices.append(trouble)
    packed = math.prod(stored.chunks or (0,)) * stored.dtype.itemsize
    if packed > _SLOW and stored.chunks[first] > 1:
        notices.append(
            f"{dataset} is stored in pieces of {size_text(packed)} that have to be unpacked for each frame, which is "
            "slow; h5repack -l CHUNK= makes smaller ones"
        )
    live = any("being written" in notice or "still be written" in notice for notice in notices)
    return Hdf5Frames(path, dataset, fixed=fixed, scale=scale, offset=offset, live=live), here
