"""Volumes that somebody reconstructed, as objects: what a network is to know of a user's own specimens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from .grid import Grid, overlap

__all__ = ["Measured", "as_object"]

DENSE = 99.5  #: percentile of the values that stands for metal
THINNEST = 8  #: voxels across


@dataclass(frozen=True, eq=False)
class Measured:
    """A volume as wide as the field of view, seen at some height; beyond its ends its last slices go on."""

    volume: np.ndarray  #: (z, y, x), 1 is metal
    base: float = 0.0  #: z of the volume's middle, a part of the field's width

    def rasterise(self, grid: Grid) -> np.ndarray:
        n_z, n_y, n_x = self.volume.shape
        voxel = 1 / max(n_y, n_x)
        down, across = (
            grid.overlap(axis, (np.arange(n + 1) - n / 2) * voxel).astype(np.float32)
            for axis, n in ((1, n_y), (2, n_x))
        )
        heights = (np.arange(n_z + 1) - n_z / 2) * voxel + self.base
        heights[0], heights[-1] = min(heights[0], -4.0), max(heights[-1], 4.0)
        shares = overlap(heights, grid.middle - grid.height / 2, grid.steps[0], grid.shape[0])
        drawn = np.zeros(grid.shape, np.float32)
        for row, share in zip(drawn, shares, strict=True):
            (which,) = np.nonzero(share)
            row[:] = down @ np.tensordot(share[which].astype(np.float32), self.volume[which], 1) @ across.T
        return drawn

    def at(self, rng: np.random.Generator, height: float) -> Measured:
        """Seen at another height, so that `height` stays within it, and turned over or not."""
        n_z, n_y, n_x = self.volume.shape
        room = max(0.0, n_z / max(n_y, n_x) - height) / 2
        axes = tuple(axis for axis in range(3) if rng.random() < 0.5)
        return Measured(np.flip(self.volume, axes), float(rng.uniform(-room, room)))


def as_object(volume: np.ndarray) -> Measured:
    """A reconstruction (z, y, x) in the twin's units: nothing below 0, and its dense parts about 1.

    Raises
    ------
    OptionError
        When it is too small, or empty.
    """
    values = np.nan_to_num(np.asarray(volume, np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    if values.ndim != 3 or min(values.shape[1:]) < THINNEST:
        raise OptionError(
            f"a volume to learn from should be (z, y, x), {THINNEST} voxels wide or more; this one is {values.shape}"
        )
    filled = values[values > 0.05 * values.max()] if values.any() else values
    dense = float(np.percentile(filled, DENSE))
    if dense <= 0:
        raise OptionError("the volume to learn from has no value above 0; give one that shows the specimen")
    return Measured(values / np.float32(dense))
