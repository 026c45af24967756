"""Shapes of crystals, convex bodies bounded by planes: Wulff, Winterbottom, planes at random, and round ones.

A `Shape` lives in coordinates of its own, in which its bounding box is the cube from −½ to ½: how long it is along an
axis of the pattern is the oversampling's business. Its surface is where a smooth distance is zero, so that corners
can be round and edges drawn as finely as one likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

__all__ = ["SHAPES", "Shape", "random_shape"]

#: How often each kind is drawn.
SHAPES: Mapping[str, float] = {"Wulff": 0.3, "Winterbottom": 0.2, "random planes": 0.4, "ellipsoid": 0.1}

_FAMILIES = ((1, 1, 1), (1, 0, 0), (1, 1, 0))


@dataclass(frozen=True, eq=False)
class Shape:
    """Where nᵢ·r ≤ dᵢ for all i, less its voids."""

    kind: str
    normals: np.ndarray  #: (plane, 3), not of unit length: r is in bounding boxes
    offsets: np.ndarray  #: (plane,)
    rounding: float = 0.0  #: radius of the edges, roughly, in bounding boxes
    voids: tuple[tuple[np.ndarray, float], ...] = ()  #: centre and radius of each, in bounding boxes

    def depth(self, axes: tuple[np.ndarray, np.ndarray, np.ndarray], spacing: np.ndarray) -> np.ndarray:
        """Distance to the surface, positive inside, at the points of a raster, in voxels of it.

        Parameters
        ----------
        axes
            Three (n,) coordinates, in bounding boxes.
        spacing
            (3,), between points, in bounding boxes.
        """
        z, y, x = (axis.astype(np.float32) for axis in axes)
        length = np.linalg.norm(self.normals * spacing, axis=1)  # of a plane's distance for one voxel along its normal
        depth: np.ndarray = np.full((len(z), len(y), len(x)), np.inf, dtype=np.float32)
        soft = np.zeros_like(depth) if self.rounding else None
        sharp = 4.0 / max(self.rounding / float(np.mean(spacing)), 1e-6)  # 1 / voxels
        for (a, b, c), d, unit in zip(self.normals, self.offsets, length, strict=True):
            flat = (d - a * z)[:, None, None] / unit - (b * y / unit)[:, None] - c * x / unit
            plane = flat.astype(np.float32, copy=False)
            if soft is None:
                np.minimum(depth, plane, out=depth)
            else:
                soft += np.exp(np.clip(plane, -40 / sharp, 40 / sharp) * -sharp)
        if soft is not None:
            depth = np.log(soft) / -sharp
        for centre, radius in self.voids:
            away = [((axis - c) / step) ** 2 for axis, c, step in zip((z, y, x), centre, spacing, strict=True)]
            distance = np.sqrt(away[0][:, None, None] + away[1][:, None] + away[2])
            np.minimum(depth, distance.astype(np.float32) - np.float32(radius / np.mean(spacing)), out=depth)
        return depth


def random_shape(rng: np.random.Generator, kinds: Mapping[str, float] = SHAPES) -> Shape:
    """A crystal in any orientation, seen in a sheared and stretched frame as a detector would see it."""
    weights = np.array(list(kinds.values()))
    kind = str(rng.choice(list(kinds), p=weights / weights.sum()))
    boxed = None
    while boxed is None:  # now and then planes enclose nothing
        normals, offsets = _planes(rng, kind)
        # Detector frames are neither orthogonal nor cubic: a linear map of the crystal, planes staying planes.
        frame = _rotation(rng) @ np.diag(np.exp(rng.uniform(-0.35, 0.35, 3))) @ _rotation(rng)
        boxed = _boxed(normals @ frame, offsets)
    normals, offsets = boxed
    rounding = float(np.exp(rng.uniform(np.log(0.02), np.log(0.25)))) if rng.random() < 0.5 else 0.0
    voids: list[tuple[np.ndarray, float]] = []
    if rng.random() < 0.06:
        voids = [(rng.uniform(-0.2, 0.2, 3), float(rng.uniform(0.06, 0.14))) for _ in range(rng.integers(1, 3))]
    return Shape(kind, normals, offsets, rounding, tuple(voids))


def _planes(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (plane, 3), and their distances from a point inside."""
    if kind == "ellipsoid":  # many planes; the map to the detector's frame makes the sphere an ellipsoid
        return _fibonacci(60), np.ones(60)
    if kind == "random planes":
        count = int(rng.integers(6, 27))
        normals = rng.normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return normals, np.exp(rng.uniform(np.log(0.55), 0, count))
    facets: list[np.ndarray] = []
    growth: list[np.ndarray] = []
    energies = {family: rng.uniform(0.8, 1.25) for family in _FAMILIES}
    energies[(1, 1, 1)] = 1.0  # the lowest for fcc metals
    for family, energy in energies.items():
        if family != (1, 1, 1) and rng.random() < 0.25:
            continue
        unit = _equivalents(family)
        facets.append(unit)
        growth.append(energy * np.exp(rng.normal(0, 0.08, len(unit))))  # kinetics, neighbours: facets grow unequally
    planes, distances = np.concatenate(facets), np.concatenate(growth)
    if kind == "Winterbottom":
        substrate = planes[rng.integers(len(planes))] if rng.random() < 0.7 else _rotation(rng)[0]
        planes = np.vstack([planes, substrate])
        distances = np.append(distances, rng.uniform(-0.3, 0.7))
    return planes, distances


def _equivalents(family: tuple[int, int, int]) -> np.ndarray:
    """All planes of a cubic crystal that its symmetry makes of one, unit normals (plane, 3)."""
    found = {
        tuple(s * i for s, i in zip(signs, order, strict=True))
        for order in permutations(family)
        for signs in product((-1, 1), repeat=3)
    }
    return np.array(sorted(found)) / np.linalg.norm(family)


def _boxed(normals: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The planes in coordinates that make the body's bounding box a unit cube; None when they do not close."""
    inside = _inside(normals, offsets)
    if inside is None:
        return None
    try:
        # closed when the normals point to all sides: their hull has the origin inside
        if ConvexHull(normals / np.linalg.norm(normals, axis=1, keepdims=True)).equations[:, -1].max() > -0.05:
            return None
        corners = HalfspaceIntersection(np.c_[normals, -offsets], inside).intersections
    except QhullError:
        return None
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = high - low
    if not np.isfinite(corners).all() or size.max() > 4 * size.min() or ConvexHull(corners).volume < 0.1 * size.prod():
        return None  # open, a splinter, or a sliver
    return normals * size, offsets - normals @ ((low + high) / 2)


def _inside(normals: np.ndarray, offsets: np.ndarray) -> np.ndarray | None:
    """A point well inside: climb away from the nearest plane, step by step smaller."""
    point = np.zeros(3)
    if offsets.min() > 1e-3:
        return point
    length = np.linalg.norm(normals, axis=1)
    for step in np.geomspace(0.3, 0.01, 60):
        room = (offsets - normals @ point) / length
        nearest = int(np.argmin(room))
        if room[nearest] > 0.1:
            break
        point = point - step * normals[nearest] / length[nearest]
    room = (offsets - normals @ point) / length
    return point if room.min() > 1e-3 else None


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """Any rotation, all alike likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return q


def _fibonacci(count: int) -> np.ndarray:
    """Directions spread evenly over the sphere, (count, 3)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z**2)
    return np.c_[r * np.cos(turn), r * np.sin(turn), z]
