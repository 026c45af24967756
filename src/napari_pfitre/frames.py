"""Stacks of detector frames that read only what is asked for.

A file reader is a `LazyFrames`, and so is every preprocessing step laid over it: ``frames[a:b, c:d, :]`` pulls just
that region through the whole chain. Nothing is kept; whoever needs a region twice keeps it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["LazyFrames", "Mapped", "Selected", "Transposed", "runs", "size_text"]


class LazyFrames(ABC):
    """A read-only (frame, row, column) array computed region by region.

    Subclasses set `shape` and `dtype` and implement `read`. Indexing with integers and slices works as in numpy;
    a stack may be read from several threads at once.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    ndim = 3

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        """The box that storage reads at once, (frames, rows, columns); None when any region costs what it holds.

        A stack laid over another asks that one, unless it turns the axes.
        """
        return getattr(getattr(self, "parent", None), "chunks", None)

    @abstractmethod
    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        """The region as a new array; the slices have explicit bounds inside `shape` and step 1."""

    def __getitem__(self, key) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        if Ellipsis in key:
            at = key.index(Ellipsis)
            key = key[:at] + (slice(None),) * (self.ndim - len(key) + 1) + key[at + 1 :]
        if len(key) > self.ndim:
            raise IndexError(f"{len(key)} indices for a stack of {self.ndim} axes")
        key += (slice(None),) * (self.ndim - len(key))
        spans, after = zip(*(_span(k, n) for k, n in zip(key, self.shape, strict=True)), strict=True)
        return self.read(*spans)[after]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def _span(index, length: int) -> tuple[slice, slice | int]:
    """A contiguous span to read, and the index to apply to what was read, for one axis."""
    if isinstance(index, slice):
        start, stop, step = index.indices(length)
        count = len(range(start, stop, step))
        if count == 0:
            return slice(0, 0), slice(None)
        first, last = start, start + (count - 1) * step
        low, high = min(first, last), max(first, last)
        return slice(low, high + 1), slice(None, None, step)
    at = int(index)
    if not -length <= at < length:
        raise IndexError(f"index {at} is out of range for an axis of length {length}")
    return slice(at % length, at % length + 1), 0


def runs(indices: np.ndarray) -> Iterator[slice]:
    """The maximal runs of consecutive numbers in `indices`, in order, as slices."""
    indices = np.asarray(indices)
    if indices.size == 0:
        return
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    for part in np.split(indices, breaks):
        yield slice(int(part[0]), int(part[-1]) + 1)


class Selected(LazyFrames):
    """Some frames of a stack, in the order given; read in contiguous runs, never one by one."""

    def __init__(self, parent: LazyFrames | np.ndarray, indices: np.ndarray):
        self.parent = parent
        self.indices = np.asarray(indices, dtype=np.intp)
        self.shape = (len(self.indices), *parent.shape[1:])
        self.dtype = parent.dtype

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        parts = [np.asarray(self.parent[run, rows, columns]) for run in runs(self.indices[frames])]
        if not parts:
            return np.asarray(self.parent[0:0, rows, columns])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Transposed(LazyFrames):
    """A stack whose axes come in another order: axis i of this stack is axis ``order[i]`` of the parent."""

    def __init__(self, parent: LazyFrames | np.ndarray, order: tuple[int, int, int]):
        self.parent = parent
        self.order = order
        self.shape = tuple(parent.shape[axis] for axis in order)
        self.dtype = parent.dtype

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        chunks = getattr(self.parent, "chunks", None)
        return None if chunks is None else tuple(chunks[axis] for axis in self.order)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        spans: list[slice] = [slice(None)] * 3
        for span, axis in zip((frames, rows, columns), self.order, strict=True):
            spans[axis] = span
        return np.asarray(self.parent[tuple(spans)]).transpose(self.order)


class Mapped(LazyFrames):
    """What a function makes, value by value, of stacks of one shape; without one, the stack in another type."""

    def __init__(self, dtype: Any, *parents: Any, function: Callable[..., np.ndarray] | None = None):
        self.parent, self.parents = parents[0], parents
        self.function = function
        self.shape, self.dtype = parents[0].shape, np.dtype(dtype)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        regions = [np.asarray(parent[frames, rows, columns]) for parent in self.parents]
        out = regions[0] if self.function is None else self.function(*regions)
        with np.errstate(over="ignore", invalid="ignore"):  # what a type cannot hold is infinite in it
            return np.ascontiguousarray(out, self.dtype)


def size_text(n_bytes: float) -> str:
    """A size as a person would say it."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n_bytes < 1000 or unit == "TB":
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    raise AssertionError("unreachable")
