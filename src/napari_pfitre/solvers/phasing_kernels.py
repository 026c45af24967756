"""The pointwise halves of a phasing step on the CPU, fused by numba: `phasing.py` says what is computed.

In plain tensor operations they take four times as long as both Fourier transforms; here each is one pass. Complex
arrays come as float32 (line, n, 2), real ones as (line, n).
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["along", "pull", "replace_modulus", "support_step"]

_compile = numba.njit(fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, cache=True, nogil=True)


@_compile
def replace_modulus(field, amplitude):
    """F ← D F / |F| in place where D ≥ 0; gives Σ (|F| − D)² over these, in float64."""
    total = 0.0
    for i in range(amplitude.shape[0]):
        line = np.float32(0)
        for j in range(amplitude.shape[1]):
            re, im = field[i, j, 0], field[i, j, 1]
            size = np.sqrt(re * re + im * im)
            d = amplitude[i, j]
            target = size if d < 0 else d
            line += (size - target) * (size - target)
            gain = target / (size + np.float32(1e-30))
            field[i, j, 0] = re * gain
            field[i, j, 1] = im * gain
        total += float(line)
    return total


@_compile
def support_step(x, p, support, keep, put):
    """x ← p inside of the support, keep · x + put · p outside, in place."""
    for i in range(support.shape[0]):
        for j in range(support.shape[1]):
            if support[i, j]:
                x[i, j, 0] = p[i, j, 0]
                x[i, j, 1] = p[i, j, 1]
            else:
                x[i, j, 0] = keep * x[i, j, 0] + put * p[i, j, 0]
                x[i, j, 1] = keep * x[i, j, 1] + put * p[i, j, 1]


@_compile
def along(field, direction, amplitude, step, poisson, floor):
    """Value and slope of the likelihood at F + step · G; `likelihood.py` has the formulas."""
    value, slope = 0.0, 0.0
    for i in range(amplitude.shape[0]):
        line, fall = np.float32(0), np.float32(0)
        for j in range(amplitude.shape[1]):
            d = amplitude[i, j]
            if d >= 0:
                gr, gi = direction[i, j, 0], direction[i, j, 1]
                re, im = field[i, j, 0] + step * gr, field[i, j, 1] + step * gi
                photons = re * re + im * im
                if poisson:
                    counted, expected = d * d, photons + floor
                    line += expected - counted
                    if counted > 0:
                        line += counted * np.log(counted / expected)
                    pull = np.float32(1) - counted / expected
                else:
                    size = np.sqrt(photons)
                    line += (size - d) * (size - d)
                    pull = np.float32(1) - d / (size + np.float32(1e-30))
                fall += pull * (re * gr + im * gi)
        value += float(line)
        slope += float(fall)
    return value, 2 * slope


@_compile
def pull(field, amplitude, poisson, floor, out):
    """Half of the likelihood's gradient by the field, into `out`."""
    for i in range(amplitude.shape[0]):
        for j in range(amplitude.shape[1]):
            d = amplitude[i, j]
            re, im = field[i, j, 0], field[i, j, 1]
            photons = re * re + im * im
            share = d * d / (photons + floor) if poisson else d / (np.sqrt(photons) + np.float32(1e-30))
            gain = np.float32(0) if d < 0 else np.float32(1) - share
            out[i, j, 0] = gain * re
            out[i, j, 1] = gain * im
