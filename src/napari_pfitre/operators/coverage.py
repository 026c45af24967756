"""Which frequencies of a slice the projections measured.

A projection at θ holds the slice's spectrum on the line through zero at θ. An object that fills n pixels has a spectrum
that varies over 1/n, so a line speaks for what lies within about one frequency step beside it; further off, nothing was
measured: the wedge that is missing, and at high frequencies the gaps between sparse angles (Crowther, DeRosier & Klug,
Proc. R. Soc. Lond. A 317 (1970) 319).
"""

from __future__ import annotations

import numpy as np
import torch

from ..angles import angular_weights, half_turn

__all__ = ["N_BINS", "angular_coverage", "sampling", "share_unmeasured", "unmeasured", "unmeasured_part"]

N_BINS = 36  #: of 5° over the half turn
NEAR, FAR = 1.0, 2.0  #: steps of frequency beside a line: measured up to the first, not measured from the second on


def unmeasured(angles: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How far each frequency of `numpy.fft.rfft2` was left out, (n_y, n_x // 2 + 1): 0 measured, 1 not at all."""
    n_y, n_x = shape
    k_y, k_x = -np.fft.fftfreq(n_y)[:, None], np.fft.rfftfreq(n_x)[None, :]  # y points up
    lines = half_turn(angles).angles
    direction = np.arctan2(k_y, k_x) % np.pi
    after = np.searchsorted(lines, direction)
    off = np.minimum(_apart(direction, lines[after % len(lines)]), _apart(direction, lines[after - 1]))
    steps = np.hypot(k_y, k_x) * np.sin(off) * max(shape)
    return (0.5 - 0.5 * np.cos(np.pi * np.clip((steps - NEAR) / (FAR - NEAR), 0, 1))).astype(np.float32)


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angle between directions, 0 to π/2."""
    d = np.abs(a - b) % np.pi
    return np.minimum(d, np.pi - d)


def unmeasured_part(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """x (..., n_y, n_x) at the frequencies of a mask from `unmeasured`."""
    return torch.fft.irfft2(torch.fft.rfft2(x) * mask, s=x.shape[-2:])


def share_unmeasured(x: torch.Tensor, mask: torch.Tensor, faint: float) -> torch.Tensor:
    """How much of each voxel of x (z, n_y, n_x) comes from frequencies that nobody measured, 0 to 1.

    √(h / (h + m)) with h and m the energies of the unmeasured and the measured part around the voxel, over a Gaussian
    of two pixels; `faint` squared is added to m, so that an empty place has no share.
    """
    share = torch.empty_like(x)
    n_y, n_x = x.shape[-2:]
    k_y, k_x = (torch.as_tensor(f, dtype=x.dtype, device=x.device) for f in (np.fft.fftfreq(n_y), np.fft.rfftfreq(n_x)))
    blur = torch.exp(-2 * (np.pi * 2.0) ** 2 * (k_y[:, None] ** 2 + k_x**2))
    for image, result in zip(x, share, strict=True):
        hidden = unmeasured_part(image, mask)
        energies = torch.stack([hidden, image - hidden]).square_()
        h, m = torch.fft.irfft2(torch.fft.rfft2(energies) * blur, s=(n_y, n_x)).clamp_(min=0)
        result.copy_((h / (h + m + faint**2)).sqrt_())
    return share


def angular_coverage(angles: np.ndarray) -> np.ndarray:
    """The share of each 5° of the half turn that the angles stand for, (bin,), 0 to 1."""
    edges = np.linspace(0, np.pi, N_BINS + 1)
    turns = np.array([-np.pi, 0.0, np.pi])
    middle = (np.asarray(angles, dtype=float) % np.pi)[:, None, None] + turns[:, None]  # (angle, turn, 1)
    half = angular_weights(angles)[:, None, None] / 2
    covered = np.clip(np.minimum(edges[1:], middle + half) - np.maximum(edges[:-1], middle - half), 0, None)
    return np.clip(covered.sum(axis=(0, 1)) * N_BINS / np.pi, 0, 1).astype(np.float32)


def sampling(angles: np.ndarray, n_columns: int) -> float:
    """Projections over those that measure every frequency of their range (π/2 n for the half turn); at most 1."""
    covered = float(angular_weights(angles).sum())
    return min(1.0, len(half_turn(angles).angles) / (n_columns / 2 * covered))
