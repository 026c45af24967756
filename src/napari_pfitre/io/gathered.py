"""Scans that are a folder: one file a projection or a map, shown as one stack and read file by file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames

__all__ = ["Gathered", "in_natural_order"]


def in_natural_order(paths: list[Path]) -> list[Path]:
    """scan_2 before scan_10."""
    return sorted(paths, key=lambda path: [int(p) if p.isdigit() else p.lower() for p in re.split(r"(\d+)", path.name)])


class Gathered(LazyFrames):
    """Single frames, one from each file; smaller ones are filled up with zeros at the bottom and the right.

    Parameters
    ----------
    paths
        The files, in order.
    shapes
        Rows and columns in each; one for all when they are not looked at before they are read.
    load
        Path, rows, columns → that region of its frame.
    """

    def __init__(
        self,
        paths: list[Path],
        shapes: list[tuple[int, int]],
        dtype: np.dtype,
        load: Callable[[Path, slice, slice], np.ndarray],
    ):
        self.paths, self.load = list(paths), load
        self.shapes = shapes if len(shapes) == len(paths) else [shapes[0]] * len(paths)
        self.shape = (len(paths), max(rows for rows, _ in self.shapes), max(columns for _, columns in self.shapes))
        self.dtype = np.dtype(dtype)

    @property
    def chunks(self) -> tuple[int, int, int]:
        return (1, *self.shape[1:])

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        out = np.zeros((frames.stop - frames.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for at, index in enumerate(range(frames.start, frames.stop)):
            height, width = self.shapes[index]
            inside = slice(min(rows.start, height), min(rows.stop, height))
            across = slice(min(columns.start, width), min(columns.stop, width))
            part = self.load(self.paths[index], inside, across)
            if part.shape != (inside.stop - inside.start, across.stop - across.start):
                raise FormatError(
                    f"{self.paths[index].name} is smaller than the other frames; leave it out with exclude={index}"
                )
            out[at, : part.shape[0], : part.shape[1]] = part
        return out
