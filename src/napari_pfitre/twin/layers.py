"""Flat layers of rectangles, rasterised exactly.

A layer is painted on the irregular grid of its own rectangles' edges, where it is exact, and carried to the
voxels by two small matrices of overlaps. So overlapping and touching rectangles are one union, whatever the
voxels' size, and a coarse raster is the mean of a finer one to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .grid import Grid

__all__ = ["Drawing", "Layer", "Layers"]


@dataclass(frozen=True, eq=False)
class Drawing:
    """Rectangles on a plane; later ones cover earlier ones."""

    boxes: np.ndarray  #: (n, 4): x0, x1, y0, y1
    values: np.ndarray  #: (n,)

    def rasterise(self, grid: Grid, x_axis: int, y_axis: int) -> np.ndarray:
        """Averages over the pixels, (y, x)."""
        x_edges, y_edges = np.unique(self.boxes[:, :2]), np.unique(self.boxes[:, 2:])
        painted = np.zeros((max(len(y_edges) - 1, 0), max(len(x_edges) - 1, 0)), np.float32)
        columns = np.searchsorted(x_edges, self.boxes[:, :2])
        rows = np.searchsorted(y_edges, self.boxes[:, 2:])
        for (x0, x1), (y0, y1), value in zip(columns.tolist(), rows.tolist(), self.values.tolist(), strict=True):
            painted[y0:y1, x0:x1] = value
        across = grid.overlap(x_axis, x_edges).astype(np.float32)
        down = grid.overlap(y_axis, y_edges).astype(np.float32)
        return down @ painted @ across.T


@dataclass(frozen=True, eq=False)
class Layer:
    """One drawing, extruded from `start` to `stop` along the stack."""

    start: float
    stop: float
    drawing: Drawing


@dataclass(frozen=True, eq=False)
class Layers:
    """Layers on one another, cut to a pillar if a radius is given.

    With `stack` "z" each slice shows a layer from above; with "y" each slice is a section through the whole
    stack.
    """

    layers: tuple[Layer, ...]
    stack: Literal["z", "y"] = "z"
    radius: float | None = None  #: of a cylinder along z

    def rasterise(self, grid: Grid) -> np.ndarray:
        along, across = (0, 1) if self.stack == "z" else (1, 0)
        cover = np.stack(
            [grid.overlap(along, np.array([layer.start, layer.stop]))[:, 0] for layer in self.layers], axis=1
        ).astype(np.float32)
        seen = np.flatnonzero(cover.any(axis=0))
        shape = (len(cover), grid.shape[across], grid.shape[2])
        if not seen.size:
            return np.zeros(grid.shape, np.float32)
        plans = np.stack([self.layers[i].drawing.rasterise(grid, 2, across) for i in seen])
        volume = (cover[:, seen] @ plans.reshape(len(seen), -1)).reshape(shape)
        volume = volume if self.stack == "z" else np.ascontiguousarray(volume.transpose(1, 0, 2))
        if self.radius is not None:
            volume *= disc(grid, self.radius)
        return volume


def disc(grid: Grid, radius: float) -> np.ndarray:
    """How much of each pixel of a slice lies inside a circle around the middle, (y, x).

    A straight edge seen through a square pixel rises with a variance of step² / 12 whatever its direction;
    the linear ramp of one pixel's width has just that variance.
    """
    y, x = grid.centres(1)[:, None], grid.centres(2)[None, :]
    return np.clip((radius - np.hypot(y, x)) / grid.steps[2] + 0.5, 0, 1).astype(np.float32)
