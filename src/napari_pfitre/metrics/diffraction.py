"""An object against its diffraction pattern: chi-squared, and the phase retrieval transfer function.

Patterns are measured amplitudes D (√ of the photons), (z, y, x) with the peak at index n // 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ShellTransfer", "chi_squared", "prtf", "prtf_resolution"]


def chi_squared(modulus: np.ndarray, amplitude: np.ndarray, where: np.ndarray | None = None, *,
                scale: float | None = None) -> float:  # fmt: skip
    """min over c of Σ (c |F| − D)² / Σ D², over what was measured.

    Parameters
    ----------
    modulus
        |F| of the object.
    amplitude
        D, of the same shape.
    where
        Voxels to sum over, bool; without, all of them. Leave out what was masked.
    scale
        c when it is known, as for voxels that were held out: the rest decides it.
    """
    f, d = np.asarray(modulus, np.float64), np.asarray(amplitude, np.float64)
    if f.shape != d.shape:
        raise ValueError(f"modulus and amplitude should have one shape; they have {f.shape} and {d.shape}")
    if where is not None:
        f, d = f[where], d[where]
    power = float(np.sum(f * f))
    c = scale if scale is not None else float(np.sum(f * d)) / power if power else 0.0
    total = float(np.sum(d * d))
    return float(np.sum((c * f - d) ** 2)) / total if total else float("nan")


class ShellTransfer(NamedTuple):
    """The phase retrieval transfer function in shells about the peak."""

    frequency: np.ndarray  #: (shell,), as the steps have it: cycles per voxel, or per metre
    transfer: np.ndarray  #: (shell,), 0 to about 1; nan where nothing was measured
    voxels: np.ndarray  #: (shell,), how many were averaged


def prtf(mean_field: np.ndarray, amplitude: np.ndarray, measured: np.ndarray, *,
         steps: np.ndarray | None = None) -> ShellTransfer:  # fmt: skip
    """|F of the mean object| / D, averaged in shells.

    Where independent reconstructions agree on a Fourier coefficient's phase, their mean keeps its modulus; where they
    do not, it fades. Chapman et al., J. Opt. Soc. Am. A 23 (2006) 1179.

    Parameters
    ----------
    mean_field
        |F| of the mean of several aligned objects whose moduli are those measured.
    amplitude, measured
        D, and where it is known and not zero.
    steps
        (3, 3): row i is the step of spatial frequency for one voxel along axis i; by default 1/n along each axis.
    """
    shape = amplitude.shape
    steps = np.diag([1 / n for n in shape]) if steps is None else np.asarray(steps, float)
    at = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij", sparse=True)
    radius = np.sqrt(sum(sum(at[i] * steps[i, k] for i in range(3)) ** 2 for k in range(3)))
    edge = [np.linalg.norm(steps[i]) * (n // 2) for i, n in enumerate(shape)]
    width = max(np.linalg.norm(steps[i]) for i in range(3))
    shell = np.rint(radius / width).astype(int)
    count = int(max(edge) / width) + 1
    inside = measured & (amplitude > 0) & (shell < count)
    c = float(np.sum(mean_field[inside] * amplitude[inside])) / max(float(np.sum(mean_field[inside] ** 2)), 1e-300)
    ratio = c * mean_field[inside] / amplitude[inside]
    voxels = np.bincount(shell[inside], minlength=count)[:count]
    sums = np.bincount(shell[inside], ratio, minlength=count)[:count]
    transfer = np.divide(sums, voxels, out=np.full(count, np.nan), where=voxels > 0)
    return ShellTransfer(np.arange(count) * width, transfer, voxels)


def prtf_resolution(curve: ShellTransfer, level: float = 1 / np.e) -> float:
    """Where the transfer first falls below a level, as a length 1 / frequency (a full period).

    A curve that never does gives the smallest length it speaks of; one that starts below gives infinity.
    """
    known = np.isfinite(curve.transfer) & (curve.frequency > 0)
    f, t = curve.frequency[known], curve.transfer[known]
    if not t.size:
        return float("inf")
    below = np.flatnonzero(t < level)
    if not below.size:
        return float(1 / f[-1])
    k = int(below[0])
    if k == 0:
        return float("inf")
    part = (t[k - 1] - level) / (t[k - 1] - t[k])
    return float(1 / (f[k - 1] + part * (f[k] - f[k - 1])))
