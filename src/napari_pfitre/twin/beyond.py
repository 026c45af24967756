"""What lies at the border of the field of view and beyond, and still casts a shadow at some angles."""

from __future__ import annotations

import numpy as np

from .phantoms import Ellipsoids

__all__ = ["REACH", "hot_spots", "surroundings"]

REACH = 1.5  # width of the region where such matter lies, in fields of view


def surroundings(rng: np.random.Generator, height: float, density: float) -> Ellipsoids:
    """Objects across the border of the field, where nothing of the sample proper is: debris, a holder's edge."""
    count = int(rng.integers(3, 8))
    semi = np.exp(rng.uniform(np.log(0.04), np.log(0.16), (count, 3)))
    # Across the border or outside it, never over the middle.
    radius = np.minimum(rng.uniform(0.5, 0.6, count) + semi[:, 1:].max(axis=1) / 2, REACH / 2 - 0.05)
    return _placed(rng, height, radius, semi, density * rng.uniform(0.3, 1, count))


def hot_spots(rng: np.random.Generator, height: float, density: float) -> Ellipsoids:
    """A few bright specks at the rim and outside, such as splashes of heavy metal left by the cutting beam."""
    count = int(rng.integers(1, 5))
    semi = np.exp(rng.uniform(np.log(0.008), np.log(0.03), (count, 3)))
    return _placed(rng, height, rng.uniform(0.44, 0.68, count), semi, density * rng.uniform(0.5, 1, count))


def _placed(
    rng: np.random.Generator, height: float, radius: np.ndarray, semi: np.ndarray, values: np.ndarray
) -> Ellipsoids:
    count = len(radius)
    angle, z = rng.uniform(0, 2 * np.pi, count), rng.uniform(-height / 2, height / 2, count)
    centres = np.stack([z, radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    turns = np.zeros((count, 3, 3))
    turns[:, 0, 0] = 1
    lean = rng.uniform(0, np.pi, count)
    turns[:, 1, 1] = turns[:, 2, 2] = np.cos(lean)
    turns[:, 1, 2], turns[:, 2, 1] = np.sin(lean), -np.sin(lean)
    return Ellipsoids(centres, semi, turns, values)
