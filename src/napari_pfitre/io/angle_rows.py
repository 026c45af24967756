"""Rows of numbers in a file that could be its angles, for the question of one that does not say which they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError
from .hdf5 import children, opened
from .values import row

__all__ = ["angle_rows"]

_CALLED = re.compile(r"ang(le)?|theta|rot|omega|tilt|phi|eta|_pi_r|zebra", re.IGNORECASE)
_NEVER = re.compile(r"key|time|epoch|stamp|uniqueid|index|count|monitor|current|ring|exposure", re.IGNORECASE)
_MOST_VISITED, _DEEPEST, _OFFERED = 5000, 6, 4


def angle_rows(path: Path, counts: Collection[int]) -> list[str]:
    """Paths of such rows, those with an angle's name first; empty for a file that is not HDF5.

    Parameters
    ----------
    counts
        How many numbers a row may have: one for each projection, or for each frame.
    """
    try:
        if not h5py.is_hdf5(path):
            return []
        with opened(path, again=True) as file:
            return _found(file, counts)
    except (FormatError, OSError):  # it is only an offer
        return []


def _found(file: h5py.File, counts: Collection[int]) -> list[str]:
    found: dict[object, tuple[bool, int, str]] = {}
    seen: set[object] = set()
    queue: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    visited = 0
    while queue and visited < _MOST_VISITED:
        base, group, depth = queue.pop(0)
        info = h5py.h5o.get_info(group.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        for name, thing in children(group):
            visited += 1
            path = f"{base}/{name}"
            if isinstance(thing, h5py.Group):
                if depth < _DEEPEST:
                    queue.append((path, thing, depth + 1))
            elif isinstance(thing, h5py.Dataset) and thing.shape and _could_be(thing, name, counts):
                info = h5py.h5o.get_info(thing.id)
                called = _CALLED.search(name) is not None
                found.setdefault((info.fileno, info.addr), (not called, len(path), path))
    return [path for _, _, path in sorted(found.values())[:_OFFERED]]


def _could_be(stored: h5py.Dataset, name: str, counts: Collection[int]) -> bool:
    if stored.size not in counts or max(stored.shape) != stored.size or _NEVER.search(name):
        return False
    values = row(stored)
    if values is None or not np.isfinite(values).all():
        return False
    steps = np.diff(values)
    numbered = bool((steps == 1).all() and values[0] in (0, 1)) and _CALLED.search(name) is None
    return bool(np.ptp(values) > 0 and np.abs(values).max() < 1e7 and not numbered)
