"""Alignment: by how much was each projection displaced, if the object is x?

    δ_θ = argmin ½‖(A x)_θ(r − δ_r, c − δ_c) − y_θ(r, c)‖²        Gauss-Newton, all rows r and columns c

Moving the object in space is not misalignment, so what a translation explains, δ_c ∝ cos θ and sin θ and a common δ_r,
is left out; what remains of a common δ_c is the error of the rotation axis. Joint with the reconstruction: Gürsoy et
al., Sci. Rep. 7 (2017) 11818.
"""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["displacements", "moved_rows", "noticeable", "without_translation"]

LARGEST = 1.0  #: pixels in one go: the derivative says little about what lies farther
SMALLEST = 0.05  #: pixels, rms: below it an image is no better for being aligned, and takes up its own errors
ROWS_FOR_ROWS = 8  #: below it displacements along the rows cannot be told from the object
PAD = 16  #: rows repeated beyond the ends before a stack is moved


def displacements(y: torch.Tensor, p: torch.Tensor, angles: np.ndarray) -> np.ndarray:
    """By how much data y lie farther than projections p = A x; both (row, angle, column).

    Returns
    -------
    (angle, 2), float64
        Rows and columns, each at most one pixel in size; rows are 0 in stacks of fewer than eight.
    """
    error = y - p
    along_columns = _slope(p, -1)
    with_rows = len(p) >= ROWS_FOR_ROWS
    along_rows = _slope(p, 0) if with_rows else torch.zeros_like(p)
    # y(r, c) ≈ p(r, c) − δ_r ∂p/∂r − δ_c ∂p/∂c
    slopes = (along_rows, along_columns)
    normal = np.array([[_per_angle(a, b) for b in slopes] for a in slopes]).transpose(2, 0, 1)
    right = -np.array([_per_angle(a, error) for a in slopes]).T
    # A little of the mean curvature keeps an empty projection from running away.
    ridge = 1e-3 * normal[:, [0, 1], [0, 1]].mean(0) + 1e-30
    found = np.linalg.solve(normal + np.diag(ridge), right[..., None])[..., 0]
    noise = (_per_angle(error, error) - (found * right).sum(1)).clip(min=0) / error[:, 0].numel()
    noise = np.maximum(noise, 1e-3 * noise.mean() + 1e-30)  # also of an empty projection
    return without_translation(np.clip(_likely(found, normal, right, noise), -LARGEST, LARGEST), angles)


def _likely(found: np.ndarray, normal: np.ndarray, right: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The likeliest displacements, given how much they seem to scatter (empirical Bayes), (angle, 2).

    What is `found` scatters by the displacements and by noise. As much as it scatters beyond the noise is the prior's
    variance; where that is nothing, nothing is moved: along the rows of an object that is the same in all of them.

    Parameters
    ----------
    found
        (angle, 2), without a prior: solutions of normal (angle, 2, 2) · δ = right (angle, 2).
    noise
        (angle,), variance of a bin's error, none of them 0.
    """
    sure = normal[:, [0, 1], [0, 1]] / noise[:, None]  # 1 / variance of what is found
    beyond = (sure**2 * found**2 - sure).sum(0) / ((sure**2).sum(0) + 1e-30)
    moves = beyond > 0
    if not moves.any():
        return np.zeros_like(found)
    prior = noise[:, None, None] * np.diag(1 / np.where(moves, beyond, 1))
    both = np.outer(moves, moves)
    likely = np.linalg.solve(np.where(both, normal, np.eye(2)) + prior, (right * moves)[..., None])[..., 0]
    return likely * moves


def without_translation(shifts: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Shifts (angle, 2) less those that a displaced object would show."""
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    explained, *_ = np.linalg.lstsq(waves, shifts[:, 1], rcond=None)
    return np.stack([shifts[:, 0] - shifts[:, 0].mean(), shifts[:, 1] - waves @ explained], axis=1)


def noticeable(shifts: np.ndarray) -> np.ndarray:
    """Shifts (angle, 2), nothing along rows or columns where they are no larger than a twentieth of a pixel."""
    return np.where(np.sqrt(np.mean(shifts**2, axis=0)) > SMALLEST, shifts, 0.0)


def moved_rows(y: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    """Data (row, angle, column) with each projection brought back by its displacement (angle,) along the rows."""
    if not np.any(rows):
        return y
    ends = [y[:1].expand(PAD, -1, -1), y, y[-1:].expand(PAD, -1, -1)]
    padded = torch.cat(ends)
    nu = torch.fft.rfftfreq(len(padded), device=y.device)
    phase = torch.exp(2j * torch.pi * nu[:, None] * torch.as_tensor(rows, dtype=torch.float32, device=y.device))
    spectrum = torch.fft.rfft(padded, dim=0) * phase[..., None]
    return torch.fft.irfft(spectrum, n=len(padded), dim=0)[PAD:-PAD].contiguous()


def _slope(p: torch.Tensor, axis: int) -> torch.Tensor:
    """Central differences, one-sided at the ends."""
    return torch.gradient(p, dim=axis)[0]


def _per_angle(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return torch.einsum("rac,rac->a", a, b).double().cpu().numpy()
