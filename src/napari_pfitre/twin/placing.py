"""An object turned, enlarged and with ragged edges: whatever moves its points within the slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Grid, Phantom
from .noise import Noise

__all__ = ["Placed", "Roughness"]


@dataclass(frozen=True, eq=False)
class Roughness:
    """By how much the edges wander, as lithography leaves them."""

    amplitude: float  #: standard deviation along either axis, a part of the object's width
    along_y: Noise  #: over the field of view, neither turned nor enlarged
    along_x: Noise


@dataclass(frozen=True, eq=False)
class Placed:
    """An object enlarged by `zoom` about the middle of the field, then turned.

    A larger object alone is drawn on a finer grid, exactly. Anything else is looked up, linearly, in a raster
    twice as fine as the one asked for: a voxel then averages over 0.87 of its width.
    """

    phantom: Phantom
    turn: float = 0.0  #: radians, counter-clockwise as slices are shown
    zoom: float = 1.0
    roughness: Roughness | None = None
    half: float = 0.5  #: the object lies within this distance of the axis along x and y

    def rasterise(self, grid: Grid) -> np.ndarray:
        n_z, n_y, n_x = grid.shape
        h_z, h_y, h_x = (step / self.zoom for step in grid.steps)
        own = Grid(grid.shape, (h_z, h_y, h_x), grid.middle / self.zoom)
        if not self.turn and self.roughness is None:
            return self.phantom.rasterise(own)
        from scipy.ndimage import affine_transform, map_coordinates

        reach = min(self.half, np.hypot(n_y * h_y, n_x * h_x) / 2) + 2 * h_x
        n = 2 * int(np.ceil(2 * reach / h_x))
        source = self.phantom.rasterise(Grid((n_z, n, n), (h_z, h_y / 2, h_x / 2), own.middle))
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        # y points down here: a turn to the left as drawn is one to the right in these coordinates.
        matrix = 2 * np.array([[cos, sin], [-sin, cos]])
        offset = (n - 1) / 2 - matrix @ ((np.array([n_y, n_x]) - 1) / 2)
        if self.roughness is None:
            slices = [affine_transform(image, matrix, offset, (n_y, n_x), order=1) for image in source]
            return np.stack(slices)
        i, j = np.arange(n_y, dtype=np.float32)[:, None], np.arange(n_x, dtype=np.float32)
        places = [row[0] * i + row[1] * j + start for row, start in zip(matrix, offset, strict=True)]
        strength = self.roughness.amplitude / (h_x / 2)
        down, right = (strength * noise.rasterise(grid) for noise in (self.roughness.along_y, self.roughness.along_x))
        return np.stack(
            [
                map_coordinates(image, (places[0] + a, places[1] + b), order=1)
                for image, a, b in zip(source, down, right, strict=True)
            ]
        )
