"""The grid an object is drawn on.

Lengths are fractions of the field of view's width, measured from its middle, so that one description is the
same object on a grid of 128 or of 1024 columns. Coordinates run with the indices: x to the right, y and z
*down* (the projector's y points up; it turns the sign where it forms s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Grid", "Phantom", "overlap"]


@dataclass(frozen=True)
class Grid:
    """Voxels of equal size; in the slice they lie around the middle of the field of view."""

    shape: tuple[int, int, int]  #: (z, y, x)
    steps: tuple[float, float, float]  #: (z, y, x), voxel edge lengths
    middle: float = 0.0  #: z of the grid's middle

    @classmethod
    def cubic(cls, size: int, slices: int) -> Grid:
        """`slices` slices of `size` × `size` cubic voxels."""
        return cls((slices, size, size), (1 / size, 1 / size, 1 / size))

    def finer(self, z: int, yx: int) -> Grid:
        """The same field in voxels `z` times smaller along z and `yx` times smaller in the slice."""
        (n_z, n_y, n_x), (h_z, h_y, h_x) = self.shape, self.steps
        return Grid((n_z * z, n_y * yx, n_x * yx), (h_z / z, h_y / yx, h_x / yx), self.middle)

    def slab(self, start: int, stop: int) -> Grid:
        """Slices from `start` to `stop`, which may lie beyond the grid."""
        middle = self.middle + ((start + stop) / 2 - self.shape[0] / 2) * self.steps[0]
        return Grid((stop - start, *self.shape[1:]), self.steps, middle)

    def wider(self, pixels: int) -> Grid:
        """With `pixels` more on each of the four sides of a slice."""
        n_z, n_y, n_x = self.shape
        return Grid((n_z, n_y + 2 * pixels, n_x + 2 * pixels), self.steps, self.middle)

    @property
    def height(self) -> float:
        return self.shape[0] * self.steps[0]

    def centres(self, axis: int) -> np.ndarray:
        """Coordinates of the voxel centres along one axis."""
        n = self.shape[axis]
        return (np.arange(n) - (n - 1) / 2) * self.steps[axis] + (self.middle if axis == 0 else 0.0)

    def overlap(self, axis: int, edges: np.ndarray) -> np.ndarray:
        """How much of each voxel lies between consecutive `edges`, (voxel, interval)."""
        n, step = self.shape[axis], self.steps[axis]
        return overlap(edges, (self.middle if axis == 0 else 0.0) - n / 2 * step, step, n)


def overlap(edges: np.ndarray, start: float, step: float, count: int) -> np.ndarray:
    """How much of each of `count` bins of width `step` from `start` lies between consecutive `edges`.

    Returns
    -------
    (bin, interval), fractions of the bin; for edges that cover a bin completely its row sums to 1.
    """
    lower = start + step * np.arange(count)
    return np.diff(np.clip((np.asarray(edges)[None, :] - lower[:, None]) / step, 0, 1), axis=1)


class Phantom(Protocol):
    """An object that can be drawn on any grid; every voxel gets the object's average over it."""

    def rasterise(self, grid: Grid) -> np.ndarray:
        """(z, y, x), float32"""
