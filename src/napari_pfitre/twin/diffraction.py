"""From an object to the photons a detector counts: the Fourier transform summed directly, blurred and hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

__all__ = ["blurred", "fourier_sum", "gaps", "measured"]


def fourier_sum(psi: np.ndarray, points: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """|Σ ψ(r) exp(−2πi k·r)|² at k = −n // 2 … (n − 1) // 2 along each axis of `shape`.

    Parameters
    ----------
    psi
        (z, y, x), complex64.
    points
        Three arrays: where psi's samples lie, in boxes; the box is the inverse of the step from k to k.
    """
    field = psi
    for at, n in zip(points, shape, strict=True):
        k = np.arange(n) - n // 2
        waves = np.exp(-2j * np.pi * np.multiply.outer(at, k)).astype(np.complex64)
        field = np.tensordot(field, waves, axes=(0, 0))  # the axis done goes last; after three the order is as before
    return field.real**2 + field.imag**2


def blurred(intensity: np.ndarray, width: float) -> np.ndarray:
    """The pattern folded with a Gaussian, full width at half maximum in voxels: a source that is not quite a point."""
    if not width:
        return intensity
    sigma = width / np.sqrt(8 * np.log(2))
    spectrum = fft.rfftn(intensity)
    frequencies = [fft.fftfreq(n) for n in intensity.shape[:2]] + [fft.rfftfreq(intensity.shape[2])]
    for axis, f in enumerate(frequencies):
        shape = [1, 1, 1]
        shape[axis] = -1
        spectrum *= np.exp(-2 * (np.pi * sigma * f) ** 2).astype(np.float32).reshape(shape)
    return np.maximum(fft.irfftn(spectrum, intensity.shape), 0)


def gaps(rng: np.random.Generator, shape: Sequence[int], strip: float, stop: float) -> np.ndarray:
    """Where nothing is measured: strips between a detector's modules (all frames), and a beamstop in the middle.

    Parameters
    ----------
    strip
        Width in voxels; 0 is none. Across rows, columns, or both.
    stop
        Radius in voxels; 0 is none.
    """
    mask = np.zeros(tuple(shape), dtype=bool)
    across = rng.integers(1, 4) if strip else 0
    for axis in (1, 2):
        at = int(rng.integers(0, shape[axis]))
        if across & axis:
            first = max(0, at - round(strip) // 2)
            mask[(slice(None),) * axis + (slice(first, first + max(1, round(strip))),)] = True
    if stop:
        away = [(np.arange(n) - n // 2) ** 2 for n in shape]
        mask |= away[0][:, None, None] + away[1][:, None] + away[2] <= stop**2
    return mask


def measured(rng: np.random.Generator, expected: np.ndarray, background: float, hot: float) -> np.ndarray:
    """Photons counted where these are expected, float32.

    Parameters
    ----------
    background
        Photons everywhere alike, all together in parts of the pattern's.
    hot
        Part of the voxels that count up to as much as the pattern's maximum, whatever falls on them.
    """
    level = background * float(expected.sum()) / expected.size
    counts = rng.poisson(expected + level).astype(np.float32)
    if hot:
        where = rng.integers(0, expected.size, max(1, rng.poisson(hot * expected.size)))
        counts.reshape(-1)[where] = np.round(rng.uniform(0, 0.3, where.size) * counts.max())
    return counts
