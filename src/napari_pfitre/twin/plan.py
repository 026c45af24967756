"""At which angles a scan measures: what is missing in one piece, in several, or here and there."""

from __future__ import annotations

import numpy as np

__all__ = ["kept_projections", "planned_angles", "planned_arcs"]


def planned_angles(count: int, missing: float, wedge_centre: float) -> np.ndarray:
    """Angles in radians, evenly over what is not missing, in ascending order; the wedge is given in degrees.

    The gap modulo 180° is the missing wedge; without one, the step from the last angle on to the first is as
    wide as all the others.
    """
    if count == 1:
        return np.deg2rad([wedge_centre - 90.0])
    # with a wedge both ends are measured; without one the last angle would repeat the first
    half = (180 - missing) / 2 if missing else 90 * (1 - 1 / count)
    return np.deg2rad(np.linspace(wedge_centre - 90 - half, wedge_centre - 90 + half, count))


def planned_arcs(rng: np.random.Generator, count: int, missing: float, wedge_centre: float, arcs: int) -> np.ndarray:
    """As `planned_angles`, in `arcs` pieces of random length with gaps of random width between them.

    The widest gap lies about `wedge_centre`; together the gaps are as wide as `missing`.
    """
    arcs = min(arcs, count)
    gaps, lengths = (whole * _shares(rng, arcs) for whole in (missing, 180 - missing))
    if arcs == 1 or not missing:
        return planned_angles(count, missing, wedge_centre)
    gaps = np.roll(gaps, -int(gaps.argmax()))  # the widest comes first
    counts = 1 + _rounded(lengths, count - arcs)
    starts = wedge_centre - 180 + gaps[0] / 2 + np.cumsum([0, *(lengths + np.roll(gaps, -1))[:-1]])
    pieces = [np.linspace(start, start + length, n) for start, length, n in zip(starts, lengths, counts, strict=True)]
    return np.deg2rad(np.concatenate(pieces))


def kept_projections(rng: np.random.Generator, count: int, lost: float) -> np.ndarray:
    """Indices of the projections that are left when a part of them is `lost` at random; at least one is."""
    order = rng.permutation(count)
    return np.sort(order[: max(1, round(count * (1 - lost)))])


def _shares(rng: np.random.Generator, n: int) -> np.ndarray:
    """Random parts of 1, none much smaller than the others."""
    parts = rng.uniform(0.4, 1, n)
    return parts / parts.sum()


def _rounded(parts: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that add up to `total`, in proportion."""
    ends = np.rint(np.cumsum(parts) / parts.sum() * total).astype(int)
    return np.diff(ends, prepend=0)
