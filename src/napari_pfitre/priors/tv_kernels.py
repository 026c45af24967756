"""Total variation on the CPU, fused by numba: `total_variation.py` says what is computed, here it takes few passes.

In 2-D each slice stays in cache through all its inner steps. In 3-D the stack is swept twice an inner step, once for
the image and once for the dual, in parallel over slices. All arrays are float32, (z, y, x); the dual is (axis, z, y, x)
with axes x, y(, z).
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["prox_2d", "prox_3d", "value"]

_compile = numba.njit(parallel=True, fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, cache=True, nogil=True)


def value(x: np.ndarray, dimensions: int) -> float:
    """Σ |∇x|."""
    return _value(x, dimensions == 3).sum()


@_compile
def _value(x, volume):
    n_z, n_y, n_x = x.shape
    total = np.zeros(n_z)
    for z in numba.prange(n_z):
        slice_sum = 0.0
        for i in range(n_y):
            row_sum = np.float32(0)
            for j in range(n_x):
                here = x[z, i, j]
                dx = x[z, i, j + 1] - here if j + 1 < n_x else np.float32(0)
                dy = x[z, i + 1, j] - here if i + 1 < n_y else np.float32(0)
                dz = x[z + 1, i, j] - here if volume and z + 1 < n_z else np.float32(0)
                row_sum += math.sqrt(dx * dx + dy * dy + dz * dz)
            slice_sum += float(row_sum)
        total[z] = slice_sum
    return total


@_compile
def prox_2d(v, dual, tau, inner, non_negative, x):
    """`inner` dual steps on every slice, then x = v − τ ∇ᵀp, clipped."""
    n_z, n_y, n_x = v.shape
    tau = np.float32(tau)
    rate = np.float32(1 / (8 * tau))
    for z in numba.prange(n_z):
        px, py = dual[0, z], dual[1, z]
        for _ in range(inner):
            _primal_2d(v[z], px, py, tau, non_negative, x[z])
            for i in range(n_y):
                for j in range(n_x):
                    here = x[z, i, j]
                    dx = x[z, i, j + 1] - here if j + 1 < n_x else np.float32(0)
                    dy = x[z, i + 1, j] - here if i + 1 < n_y else np.float32(0)
                    a = px[i, j] + rate * dx
                    b = py[i, j] + rate * dy
                    shrink = np.float32(1) / math.sqrt(max(a * a + b * b, np.float32(1)))
                    px[i, j] = a * shrink
                    py[i, j] = b * shrink
        _primal_2d(v[z], px, py, tau, non_negative, x[z])


@numba.njit(fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, cache=True)
def _primal_2d(v, px, py, tau, non_negative, x):
    n_y, n_x = v.shape
    for i in range(n_y):
        for j in range(n_x):
            divergence = px[i, j] + py[i, j]
            if j > 0:
                divergence -= px[i, j - 1]
            if i > 0:
                divergence -= py[i - 1, j]
            value = v[i, j] + tau * divergence
            x[i, j] = max(value, np.float32(0)) if non_negative else value


@_compile
def prox_3d(v, dual, tau, inner, non_negative, x):
    """`inner` dual steps on the whole stack, then x = v − τ ∇ᵀp, clipped."""
    n_z, n_y, n_x = v.shape
    tau = np.float32(tau)
    rate = np.float32(1 / (12 * tau))
    for step in range(inner + 1):
        for z in numba.prange(n_z):
            for i in range(n_y):
                for j in range(n_x):
                    divergence = dual[0, z, i, j] + dual[1, z, i, j] + dual[2, z, i, j]
                    if j > 0:
                        divergence -= dual[0, z, i, j - 1]
                    if i > 0:
                        divergence -= dual[1, z, i - 1, j]
                    if z > 0:
                        divergence -= dual[2, z - 1, i, j]
                    value = v[z, i, j] + tau * divergence
                    x[z, i, j] = max(value, np.float32(0)) if non_negative else value
        if step == inner:
            break
        for z in numba.prange(n_z):
            for i in range(n_y):
                for j in range(n_x):
                    here = x[z, i, j]
                    dx = x[z, i, j + 1] - here if j + 1 < n_x else np.float32(0)
                    dy = x[z, i + 1, j] - here if i + 1 < n_y else np.float32(0)
                    dz = x[z + 1, i, j] - here if z + 1 < n_z else np.float32(0)
                    a = dual[0, z, i, j] + rate * dx
                    b = dual[1, z, i, j] + rate * dy
                    c = dual[2, z, i, j] + rate * dz
                    shrink = np.float32(1) / math.sqrt(max(a * a + b * b + c * c, np.float32(1)))
                    dual[0, z, i, j] = a * shrink
                    dual[1, z, i, j] = b * shrink
                    dual[2, z, i, j] = c * shrink
