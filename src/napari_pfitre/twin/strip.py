"""Projections by the exact area-weighted (strip) model, pixel by pixel.

  y[θ, c] = Σ_p |p ∩ strip(θ, c)| x[p],   the strip: |x cosθ + y sinθ + centre − c| ≤ ½

A square pixel's shadow is a trapezoid, the convolution of boxes |cosθ| and |sinθ| wide; its distribution
function at the bins' edges says how the pixel's mass is shared among them. The reconstruction evaluates its
model in Fourier space on the coarse grid; this one adds up a finer grid's pixels, so that simulated data
never flatter it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["project"]


def project(
    volume: np.ndarray,
    angles: np.ndarray,
    n_columns: int,
    *,
    centre: float | None = None,
    shifts: np.ndarray | None = None,
    factor: int = 1,
) -> np.ndarray:
    """Project every slice of a volume at every angle.

    Parameters
    ----------
    volume
        (z, y, x), values per detector pixel length; the rotation axis passes through ((n−1)/2, (n−1)/2).
    angles
        (angle,), radians.
    n_columns
        Detector columns, each as wide as `factor` pixels of the volume.
    centre
        Column index of the rotation axis; the detector's middle when left out.
    shifts
        (angle,), columns that each projection is displaced by.
    factor
        How many times finer the volume is than the detector.

    Returns
    -------
    (angle, z, column), float32. What falls beside the detector is lost, as it is at a beamline.
    """
    from scipy.sparse import csc_array

    n_slices, n_y, n_x = volume.shape
    centre = (n_columns - 1) / 2 if centre is None else centre
    shifts = np.zeros(len(angles)) if shifts is None else shifts
    rows, columns = np.nonzero(volume.any(axis=0))
    values = np.ascontiguousarray(volume[:, rows, columns].T, dtype=np.float32)
    x = (np.arange(n_x) - (n_x - 1) / 2)[columns] / factor
    y = ((n_y - 1) / 2 - np.arange(n_y))[rows] / factor

    bins = 2 if factor >= 2 else 3  # a shadow is at most √2 / factor wide
    result = np.zeros((len(angles), n_columns, n_slices), np.float32)
    for start in range(0, len(x), _BLOCK):
        block = slice(start, start + _BLOCK)
        ends = np.arange(0, bins * len(x[block]) + 1, bins, dtype=np.int32)
        for i, (angle, shift) in enumerate(zip(angles, shifts, strict=True)):
            cos, sin = float(np.cos(angle)), float(np.sin(angle))
            column = x[block] * cos + y[block] * sin + (centre + shift)
            first, weights = _shares(column, abs(cos) / 2 / factor, abs(sin) / 2 / factor, bins)
            # One bin more on either side takes whatever misses the detector.
            indices = np.clip(first[:, None] + np.arange(1, bins + 1), 0, n_columns + 1).astype(np.int32)
            matrix = csc_array((weights.ravel(), indices.ravel(), ends), shape=(n_columns + 2, len(column)))
            result[i] += (matrix @ values[block])[1:-1]
    result /= factor**2
    return np.ascontiguousarray(result.transpose(0, 2, 1))


_BLOCK = 32768  # pixels at a time: their positions and shares stay in the cache


def _shares(column: np.ndarray, half_x: float, half_y: float, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of `bins` bins that each shadow falls on, (pixel,), and each bin's part of it, (pixel, bin)."""
    wide, narrow = max(half_x, half_y), min(half_x, half_y)
    first = np.floor(column - (wide + narrow) + 0.5)
    weights = np.empty((len(column), bins), np.float32)
    left = np.zeros_like(column)
    for k in range(bins - 1):
        up_to = _below(first + (k + 0.5) - column, wide, narrow)
        weights[:, k] = up_to - left
        left = up_to
    weights[:, bins - 1] = 1 - left
    return first, weights


def _below(t: np.ndarray, wide: float, narrow: float) -> np.ndarray:
    """The part below t of a unit trapezoid: centred boxes of half-widths `wide` ≥ `narrow`, convolved."""
    narrow = max(narrow, 1e-5 * wide)  # a box: the limit, to 1e-5 of its edges
    total = np.zeros_like(t)
    for edge, sign in (
        (wide + narrow, 1),
        (wide - narrow, -1),
        (narrow - wide, -1),
        (-wide - narrow, 1),
    ):
        part = np.maximum(t + edge, 0)
        part *= part
        total += sign * part
    total /= 8 * wide * narrow
    return total
