"""Filtered back-projection:  x(r) = Σ_θ Δθ (h ∗ y_θ)(r·e_θ),  h the ramp filter times a window.

Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), chapter 3. The ramp is the transform of its
band-limited kernel, not |ν| sampled, so that the mean is right; the back-projection interpolates by sinc.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch

from ..angles import angular_weights
from ..operators import ParallelBeam

__all__ = ["WINDOWS", "fbp", "ramp"]

#: Windows on the ramp, as functions of frequency over the cut-off, 0 … 1.
WINDOWS = {
    "ramp": lambda f: np.ones_like(f),
    "shepp-logan": lambda f: np.sinc(f / 2),
    "cosine": lambda f: np.cos(np.pi * f / 2),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
}


def ramp(n: int, window: str = "ramp", cutoff: float = 1.0) -> np.ndarray:
    """The filter's transfer function at the frequencies of an FFT of length n; the cut-off is a share of Nyquist."""
    bins = np.abs(np.fft.fftfreq(n, 1 / n))
    kernel = np.zeros(n)
    kernel[0] = 0.25
    odd = bins % 2 == 1
    kernel[odd] = -1 / (np.pi * bins[odd]) ** 2
    share = np.abs(np.fft.fftfreq(n)) / (cutoff / 2)
    return np.fft.fft(kernel).real * np.where(share <= 1, WINDOWS[window](share), 0)


def fbp(A: ParallelBeam, y: torch.Tensor, *, window: str = "hann", cutoff: float = 1.0) -> torch.Tensor:
    """Filtered back-projection of (z, angle, column) onto (z, n_y, n_x).

    Angles are weighted by the share of the half turn they stand for; a missing wedge is left missing.
    """
    n = scipy.fft.next_fast_len(2 * A.n_columns, real=True)
    transfer = torch.as_tensor(ramp(n, window, cutoff), dtype=torch.float32, device=A.device)
    shares = torch.as_tensor(angular_weights(A.angles), dtype=torch.float32, device=A.device)
    spectrum = torch.fft.rfft(y.to(A.device), n=n) * transfer[: n // 2 + 1]
    return A.smear(torch.fft.irfft(spectrum, n=n)[..., : A.n_columns] * shares[:, None])
