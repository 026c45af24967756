"""Objects other than circuits: ellipsoids, Shepp–Logan, foam, packed grains, and blocks that betray any flip.

Each function draws one object from a generator; the object can then be rasterised on any grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .grid import Grid
from .layers import Drawing, Layer, Layers

__all__ = ["Ellipsoids", "blocks", "ellipsoids", "foam", "grains", "shepp_logan"]


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """A sum of ellipsoids; an infinite semi-axis makes a cylinder."""

    centres: np.ndarray  #: (n, 3): z, y, x
    semi_axes: np.ndarray  #: (n, 3), along each ellipsoid's own axes
    turns: np.ndarray  #: (n, 3, 3), rotations from (z, y, x) to its own axes
    values: np.ndarray  #: (n,)

    def rasterise(self, grid: Grid) -> np.ndarray:
        volume = np.zeros(grid.shape, np.float32)
        axes = [grid.centres(k) for k in range(3)]
        steps = np.array(grid.steps)
        for centre, semi, turn, value in zip(self.centres, self.semi_axes, self.turns, self.values, strict=True):
            spread = np.multiply(turn, semi[:, None], out=np.zeros((3, 3)), where=turn != 0)  # 0 × ∞ is 0 here
            reach = np.sqrt((spread**2).sum(axis=0)) + steps
            box = tuple(
                slice(*np.searchsorted(axis, (middle - r, middle + r)))
                for axis, middle, r in zip(axes, centre, reach, strict=True)
            )
            offsets = np.meshgrid(
                *(axis[span] - middle for axis, span, middle in zip(axes, box, centre, strict=True)),
                indexing="ij",
                sparse=True,
            )
            if (semi == semi[0]).all():
                volume[box] += value * _ball_coverage(offsets, semi[0], steps)
            else:
                full = np.stack(np.broadcast_arrays(*offsets))
                volume[box] += value * _coverage(full, turn / semi[:, None], steps)
        return volume


def _coverage(offsets: np.ndarray, shape: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How much of each voxel lies within |shape · offset| ≤ 1.

    A plane edge seen through a voxel rises with a variance of Σ nᵢ² hᵢ² / 12; a linear ramp of width √(Σ nᵢ²
    hᵢ²) has the same, and the implicit function over its gradient is the distance to the edge.
    """
    scaled = np.tensordot(shape, offsets, 1)
    rho = np.maximum(np.sqrt((scaled**2).sum(axis=0)), 1e-9)
    gradient = np.tensordot(shape.T, scaled, 1) / rho
    width = np.sqrt(((gradient.T * steps) ** 2).sum(axis=-1)).T
    return np.clip(0.5 - (rho - 1) / np.maximum(width, 1e-9), 0, 1).astype(np.float32)


def _ball_coverage(offsets: Sequence[np.ndarray], radius: float, steps: np.ndarray) -> np.ndarray:
    """`_coverage` of a ball, in a few passes."""
    z, y, x = (offset**2 for offset in offsets)
    square = z + y + x
    h_z, h_y, h_x = steps**2
    if h_z == h_y == h_x:
        width = np.sqrt(h_x)
    else:
        width = np.sqrt((z * h_z + y * h_y + x * h_x) / np.maximum(square, 1e-18))
        width = np.maximum(width, 1e-9)
    return np.clip(0.5 - (np.sqrt(square) - radius) / width, 0, 1).astype(np.float32)


def _balls(centres: np.ndarray, radii: np.ndarray, values: np.ndarray) -> Ellipsoids:
    n = len(radii)
    return Ellipsoids(centres, np.repeat(radii[:, None], 3, axis=1), np.broadcast_to(np.eye(3), (n, 3, 3)), values)


def _joined(*parts: Ellipsoids) -> Ellipsoids:
    return Ellipsoids(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("centres", "semi_axes", "turns", "values")
        )
    )


def _pillar(radius: float, value: float) -> Ellipsoids:
    return Ellipsoids(np.zeros((1, 3)), np.array([[np.inf, radius, radius]]), np.eye(3)[None], np.array([value]))


def _turns(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random rotations, uniform: orthogonal factors of normal matrices."""
    q, r = np.linalg.qr(rng.normal(size=(n, 3, 3)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def ellipsoids(rng: np.random.Generator, height: float, *, count: int = 32) -> Ellipsoids:
    """Ellipsoids of all sizes and values, anywhere in a pillar's circle, laid over one another."""
    radius, angle = 0.33 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    z = rng.uniform(-height / 2, height / 2, count)
    centres = np.stack([z, radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    semi = np.exp(rng.uniform(np.log(0.03), np.log(0.13), (count, 3)))
    return Ellipsoids(centres, semi, _turns(rng, count), rng.uniform(0.2, 1, count))


def shepp_logan() -> Ellipsoids:
    """The head of Shepp and Logan in three dimensions, with Toft's raised contrasts."""
    # value, semi-axes x y z, centre x y z, turn about z in degrees; lengths in half fields of view, y up
    table = np.array(
        [
            (1.0, 0.69, 0.92, 0.81, 0, 0, 0, 0),
            (-0.8, 0.6624, 0.874, 0.78, 0, -0.0184, 0, 0),
            (-0.2, 0.11, 0.31, 0.22, 0.22, 0, 0, -18),
            (-0.2, 0.16, 0.41, 0.28, -0.22, 0, 0, 18),
            (0.1, 0.21, 0.25, 0.41, 0, 0.35, -0.15, 0),
            (0.1, 0.046, 0.046, 0.05, 0, 0.1, 0.25, 0),
            (0.1, 0.046, 0.046, 0.05, 0, -0.1, 0.25, 0),
            (0.1, 0.046, 0.023, 0.05, -0.08, -0.605, 0, 0),
            (0.1, 0.023, 0.023, 0.02, 0, -0.606, 0, 0),
            (0.1, 0.023, 0.046, 0.02, 0.06, -0.605, 0, 0),
        ]
    )
    value, semi, centre, turn = (
        table[:, 0],
        table[:, 3:0:-1] / 2,
        table[:, 6:3:-1] / 2,
        np.deg2rad(table[:, 7]),
    )
    turns = np.zeros((len(table), 3, 3))
    # y points down here: a turn to the left as drawn is one to the right in these coordinates.
    turns[:, 0, 0] = 1
    turns[:, 1, 1] = turns[:, 2, 2] = np.cos(turn)
    turns[:, 1, 2] = np.sin(turn)
    turns[:, 2, 1] = -np.sin(turn)
    return Ellipsoids(centre * (1, -1, 1), semi, turns, value)


def _packed(
    rng: np.random.Generator, height: float, radii: np.ndarray, within: float, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Throw balls of falling size into a pillar and keep those that touch none before: centres and radii."""
    centres, kept = np.empty((len(radii), 3)), np.empty(len(radii))
    n = 0
    for radius in np.sort(radii)[::-1]:
        for _ in range(12):
            r, angle = (within - radius - gap) * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            spot = np.array([rng.uniform(-height / 2, height / 2), r * np.sin(angle), r * np.cos(angle)])
            room = kept[:n] + radius + gap
            if (((centres[:n] - spot) ** 2).sum(axis=1) > room**2).all():
                centres[n], kept[n] = spot, radius
                n += 1
                break
    return centres[:n], kept[:n]


def foam(rng: np.random.Generator, height: float) -> Ellipsoids:
    """A solid pillar full of bubbles of all sizes that do not overlap."""
    tall = height + 0.2
    count = int(1200 * tall)
    centres, radii = _packed(rng, tall, 0.012 + 0.075 * rng.power(0.6, count), 0.45, 0.004)
    return _joined(_pillar(0.46, 0.7), _balls(centres, radii, np.full(len(radii), -0.7)))


def grains(rng: np.random.Generator, height: float, *, crowd: int = 450) -> Ellipsoids:
    """Particles with pores in a light binder, as in a battery's cathode, each of its own density.

    `crowd` is how many are thrown in per width of the field: 450 leaves room, 1500 packs them closely.
    """
    tall = height + 0.2
    centres, radii = _packed(rng, tall, rng.uniform(0.025, 0.13, int(crowd * tall)), 0.46, -0.004)
    n = len(radii)
    squash = rng.uniform(0.78, 1, (n, 3))
    values = rng.uniform(0.55, 0.9, n)
    bodies = Ellipsoids(centres, radii[:, None] * squash, _turns(rng, n), values)
    # Six pores a grain, out along three perpendicular lines: they keep clear of each other and of the
    # surface.
    frame = _turns(rng, n)
    outward = np.concatenate([frame, -frame], axis=1)
    pores = centres[:, None] + outward * (radii[:, None, None] * rng.uniform(0.3, 0.55, (n, 6, 1)))
    sizes = radii[:, None] * rng.uniform(0.05, 0.17, (n, 6))
    holes = _balls(pores.reshape(-1, 3), sizes.ravel(), -0.85 * np.repeat(values, 6))
    return _joined(_pillar(0.47, 0.1), bodies, holes)


def blocks(height: float) -> Layers:
    """An F that no flip or turn maps onto itself; a block beside it moves from slice to slice."""
    letter = [
        (-0.22, -0.13, -0.27, 0.27),  # the stem; y down, so the arms are at the top
        (-0.22, 0.16, -0.27, -0.18),
        (-0.22, 0.06, -0.05, 0.04),
        (0.10, 0.27, 0.14, 0.22),
    ]
    values = np.array([1.0, 1.0, 1.0, 0.5, 0.75])
    edges = np.linspace(-height / 2, height / 2, 9)
    layers = []
    for k in range(8):
        left = -0.05 + 0.03 * k
        drawing = Drawing(np.array([*letter, (left, left + 0.06, 0.24, 0.32)]), values)
        layers.append(Layer(edges[k], edges[k + 1], drawing))
    return Layers(tuple(layers))
