"""The prior of crystals on the CPU, fused by numba: `solid.py` says what is computed, here it takes one pass.

Only over voxels where the object may be, some per cent of the grid: beside two Fourier transforms it costs little.
Arrays are float32, (z, y, x, 2); indices are flat.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["value"]

_compile = numba.njit(fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, cache=True, nogil=True)


def value(
    x,
    gradient,
    core,
    where,
    edges: float,
    bends: float,
    even: float,
    level: float,
    smooth: float,
    dip: float,
    faint: float,
) -> float:
    """R, and its gradient."""
    weights = (np.float32(weight) for weight in (edges, bends, even, level, smooth * level, dip * level, faint * level))
    return float(_value(x, gradient, core, where, *weights))


@_compile
def _value(x, gradient, core, where, edges, bends, even, level, floor, dip, faint):
    n_z, n_y, n_x = core.shape
    least, nothing, two = floor * floor, faint * faint, np.float32(2)
    gradient[:] = 0
    total = 0.0
    for place in where:
        line, c = divmod(place, n_x)
        a, b = divmod(line, n_y)
        # The next and the last voxel along each axis.
        a1, b1, c1 = (a + 1) % n_z, (b + 1) % n_y, (c + 1) % n_x
        a0, b0, c0 = (a - 1) % n_z, (b - 1) % n_y, (c - 1) % n_x
        re, im = x[a, b, c, 0], x[a, b, c, 1]
        zr, zi = x[a1, b, c, 0] - re, x[a1, b, c, 1] - im
        yr, yi = x[a, b1, c, 0] - re, x[a, b1, c, 1] - im
        xr, xi = x[a, b, c1, 0] - re, x[a, b, c1, 1] - im
        if edges > 0:
            size = np.sqrt(zr * zr + zi * zi + yr * yr + yi * yi + xr * xr + xi * xi + least)
            total += edges * (size - floor)
            w = edges / size
            gradient[a1, b, c, 0] += w * zr
            gradient[a1, b, c, 1] += w * zi
            gradient[a, b1, c, 0] += w * yr
            gradient[a, b1, c, 1] += w * yi
            gradient[a, b, c1, 0] += w * xr
            gradient[a, b, c1, 1] += w * xi
            gradient[a, b, c, 0] -= w * (zr + yr + xr)
            gradient[a, b, c, 1] -= w * (zi + yi + xi)
        if bends > 0:
            zr, zi = zr + x[a0, b, c, 0] - re, zi + x[a0, b, c, 1] - im
            yr, yi = yr + x[a, b0, c, 0] - re, yi + x[a, b0, c, 1] - im
            xr, xi = xr + x[a, b, c0, 0] - re, xi + x[a, b, c0, 1] - im
            size = np.sqrt(zr * zr + zi * zi + yr * yr + yi * yi + xr * xr + xi * xi + least)
            total += bends * (size - floor)
            w = bends / size
            gradient[a1, b, c, 0] += w * zr
            gradient[a1, b, c, 1] += w * zi
            gradient[a0, b, c, 0] += w * zr
            gradient[a0, b, c, 1] += w * zi
            gradient[a, b1, c, 0] += w * yr
            gradient[a, b1, c, 1] += w * yi
            gradient[a, b0, c, 0] += w * yr
            gradient[a, b0, c, 1] += w * yi
            gradient[a, b, c1, 0] += w * xr
            gradient[a, b, c1, 1] += w * xi
            gradient[a, b, c0, 0] += w * xr
            gradient[a, b, c0, 1] += w * xi
            gradient[a, b, c, 0] -= two * w * (zr + yr + xr)
            gradient[a, b, c, 1] -= two * w * (zi + yi + xi)
        if even > 0 and core[a, b, c]:
            size = np.sqrt(re * re + im * im + nothing)
            off = (size - level) / dip
            root = np.sqrt(np.float32(1) + off * off)
            total += two * even * dip * dip * (root - np.float32(1))
            w = two * even * dip * off / (root * size)
            gradient[a, b, c, 0] += w * re
            gradient[a, b, c, 1] += w * im
    return total
