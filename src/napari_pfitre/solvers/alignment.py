"""Alignment: by how much was each projection displaced, if the object is x?

    δ_θ = argmin ½‖(A x)_θ(r − δ_r, c − δ_c) − y_θ(r, c)‖²        Gauss-Newton, all rows r and columns c

Moving the object in space is not misalignment, so what a translation explains, δ_c ∝ cos θ and sin θ and a common δ_r,
is left out; what remains of a common δ_c is the error of the rotation axis. Joint with the reconstruction: Gürsoy et
al., Sci. Rep. 7 (2017) 11818.
"""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["displacements", "moved_rows", "without_translation"]

LARGEST = 1.0  #: pixels in one go: the derivative says little about what lies farther
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
    # An empty projection has no say; and a little of the mean curvature keeps a faint one from running away.
    ridge = 1e-3 * normal[:, [0, 1], [0, 1]].mean(0) + 1e-30
    found = np.linalg.solve(normal + np.diag(ridge), right[..., None])[..., 0]
    return without_translation(np.clip(found, -LARGEST, LARGEST), angles)


def without_translation(shifts: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Shifts (angle, 2) less those that a displaced object would show."""
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    explained, *_ = np.linalg.lstsq(waves, shifts[:, 1], rcond=None)
    return np.stack([shifts[:, 0] - shifts[:, 0].mean(), shifts[:, 1] - waves @ explained], axis=1)


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
