"""Random patterns: labyrinths, gratings in patches, stars, shards; all of them truly three-dimensional."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Grid, Phantom
from .layers import disc
from .texture import Cells

__all__ = ["Gratings", "Labyrinth", "Shards", "pattern"]

RADIUS = 0.46


@dataclass(frozen=True, eq=False)
class Labyrinth:
    """Two phases that wind round one another: the sign of many waves of nearly one length."""

    waves: np.ndarray  #: (n, 3): z, y, x, radians per field width
    phases: np.ndarray  #: (n,)
    level: float
    values: tuple[float, float]

    def rasterise(self, grid: Grid) -> np.ndarray:
        z, y, x = (np.exp(1j * np.outer(grid.centres(k), self.waves[:, k])).astype(np.complex64) for k in range(3))
        z = z * np.exp(1j * self.phases).astype(np.complex64)
        field = np.stack([((y * of_slice) @ x.T).real for of_slice in z]) * np.sqrt(2 / len(self.phases))
        # The field's slope has this root mean square: the edge is about a voxel wide.
        slope = np.sqrt((self.waves**2).sum(axis=1).mean() / 3) * grid.steps[2]
        part = np.clip(0.5 + (field - self.level) / max(slope, 1e-6), 0, 1)
        volume = self.values[0] + (self.values[1] - self.values[0]) * part
        return (volume * disc(grid, RADIUS)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Gratings:
    """Patches of lines, each with a direction, a period and a slant of its own; perhaps a star in the middle."""

    cells: Cells  #: with four values a patch: direction, period, slant, brightness
    star: int  #: spokes; 0 for none

    def rasterise(self, grid: Grid) -> np.ndarray:
        direction, period, slant, bright = np.moveaxis(self.cells.rasterise(grid), -1, 0)
        y, x = grid.centres(1)[:, None], grid.centres(2)
        across = x * np.cos(np.pi * direction) + y * np.sin(np.pi * direction)
        period = 0.03 * np.exp(0.5 * np.clip(period, -1.5, 1.5))
        bright = np.clip(0.7 + 0.2 * bright, 0.3, 1.2)
        phase = [(across + 0.3 * slant * z) * (2 * np.pi / period) for z in grid.centres(0)]
        wave, soft = np.sin(np.stack(phase)), np.broadcast_to(2 * np.pi * grid.steps[2] / period, grid.shape).copy()
        if self.star:
            radius, inside = np.hypot(y, x), np.hypot(y, x) < 0.25
            wave[:, inside] = np.sin(self.star * np.arctan2(y, x))[inside]
            soft[:, inside] = (self.star * grid.steps[2] / np.maximum(radius, grid.steps[2]))[inside]
        part = np.clip(0.5 + wave / np.maximum(soft, 1e-6), 0, 1)
        return ((0.08 + bright * part) * disc(grid, RADIUS)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Shards:
    """Convex pieces with plane faces, later ones through earlier ones."""

    centres: np.ndarray  #: (n, 3): z, y, x
    faces: tuple[np.ndarray, ...]  #: (face, 4) a shard: unit normal (z, y, x) and distance from its centre
    values: np.ndarray  #: (n,)

    def rasterise(self, grid: Grid) -> np.ndarray:
        volume = np.zeros(grid.shape, np.float32)
        axes = [grid.centres(k) for k in range(3)]
        step = max(grid.steps)
        for centre, faces, value in zip(self.centres, self.faces, self.values, strict=True):
            reach = 3 * faces[:, 3].max() + step
            box = tuple(
                slice(*np.searchsorted(axis, (at - reach, at + reach))) for axis, at in zip(axes, centre, strict=True)
            )
            z, y, x = (axis[span] - at for axis, span, at in zip(axes, box, centre, strict=True))
            depth = np.full([len(z), len(y), len(x)], np.inf)
            for n_z, n_y, n_x, distance in faces:
                width = np.sqrt(sum((n * h) ** 2 for n, h in zip((n_z, n_y, n_x), grid.steps, strict=True)))
                plane = (distance - n_z * z[:, None, None] - n_y * y[:, None] - n_x * x) / width
                np.minimum(depth, plane, out=depth)
            part = np.clip(depth + 0.5, 0, 1)
            volume[box] += (part * (value - volume[box])).astype(np.float32)
        return volume * disc(grid, RADIUS)


def pattern(rng: np.random.Generator, height: float) -> Phantom:
    """One pattern of a kind that the generator chooses."""
    kind = rng.integers(3)
    if kind == 0:
        count = 40
        length = rng.uniform(0.04, 0.16)
        directions = rng.normal(size=(count, 3)) * (rng.uniform(0.2, 1), 1, 1)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        waves = directions * (2 * np.pi / length * rng.normal(1, rng.uniform(0.02, 0.3), (count, 1)))
        low = float(rng.choice([0.0, 0.15, 0.4]))
        return Labyrinth(waves, rng.uniform(0, 2 * np.pi, count), rng.uniform(-0.6, 0.6), (low, rng.uniform(0.7, 1)))
    if kind == 1:
        return Gratings(Cells.draw(rng, rng.uniform(0.15, 0.35), 4), int(rng.choice([0, 0, 24, 36])))
    count = int(rng.integers(10, 45))
    radius, angle = 0.42 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    centres = np.stack(
        [rng.uniform(-height, height, count) / 2, radius * np.sin(angle), radius * np.cos(angle)], axis=1
    )
    faces = []
    for _ in range(count):
        sides, size = int(rng.integers(3, 7)), np.exp(rng.uniform(np.log(0.015), np.log(0.09)))
        turn = rng.uniform(0, 2 * np.pi) + np.arange(sides) * (2 * np.pi / sides) + rng.normal(0, 0.15, sides)
        upright = np.stack([rng.normal(0, 0.25, sides), np.sin(turn), np.cos(turn)], axis=1)
        ends = np.array([(1.0, *rng.normal(0, 0.2, 2)), (-1.0, *rng.normal(0, 0.2, 2))])
        normals = np.concatenate([upright, ends])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        distance = np.append(size * rng.uniform(0.6, 1.2, sides), [2 * size, 2 * size])
        faces.append(np.concatenate([normals, distance[:, None]], axis=1))
    return Shards(centres, tuple(faces), rng.choice([0.15, 0.35, 0.6, 0.8, 1.0], count))
