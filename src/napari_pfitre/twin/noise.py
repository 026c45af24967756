"""Smooth random fields in three dimensions, the same on every grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Grid

__all__ = ["Noise"]

_EXTENT = 1.1  # of the lattice across the field; beyond it the field goes on as at its border
_SPREAD = 0.479**1.5  # standard deviation of a cubic B-spline over independent normal nodes, in 3-D


@dataclass(frozen=True, eq=False)
class Noise:
    """Normal numbers on a lattice, joined by cubic B-splines: zero mean, standard deviation about 1."""

    nodes: np.ndarray  #: (z, y, x)
    scale: float  #: distance of the nodes; the field changes over about two of them
    middle: float = 0.0  #: z of the lattice's middle

    @classmethod
    def draw(cls, rng: np.random.Generator, scale: float, height: float) -> Noise:
        """`height` is that of the object, along z."""
        across = int(np.ceil(_EXTENT / scale)) + 4
        along = int(np.ceil(height / scale)) + 4
        return cls(rng.standard_normal((along, across, across), dtype=np.float32) / _SPREAD, scale)

    def rasterise(self, grid: Grid) -> np.ndarray:
        """The field at the voxels' centres, (z, y, x)."""
        down, across = (self._weights(axis, grid.centres(axis)) for axis in (1, 2))
        planes = down @ self.nodes @ across.T  # (node, y, x)
        along = self._weights(0, grid.centres(0) - self.middle)
        return (along @ planes.reshape(len(planes), -1)).reshape(grid.shape)

    def _weights(self, axis: int, at: np.ndarray) -> np.ndarray:
        """What each node gives to each place, (place, node)."""
        n = self.nodes.shape[axis]
        u = np.clip(at / self.scale + (n - 1) / 2, 1, n - 2.000001)
        first = np.floor(u).astype(int)
        t = u - first
        parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        weights = np.zeros((len(u), n), np.float32)
        for k, part in enumerate(parts):
            weights[np.arange(len(u)), first + (k - 1)] = part / 6
        return weights
