"""The far field of an object: its Fourier transform, scaled to keep the norm.

    F(q) = 1/√N Σ_r ψ(r) exp(−2πi q·r),   measured is |F|²

The adjoint is the inverse, and normal the identity. Objects and fields have their zero at index 0 (the corner), as FFTs
want it, so that no step of a solver moves an array; `corner` and `centred` translate at the edges. The sign is that of
a wave exp(i k·r) scattered by q = k_f − k_i (docs/conventions.md).

On CPU the transform is torch's (MKL): measured on one thread it takes 0.8 ms at 64³ and 8 ms at 96 × 128 × 128, where
scipy's takes 1.2 and 15.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

__all__ = ["FarField", "centred", "corner"]

_AXES = (-3, -2, -1)


class FarField:
    """The unitary Fourier transform of objects (…, z, y, x), complex64, and its inverse.

    Parameters
    ----------
    shape
        (z, y, x) of object and field alike.
    device
        Where the result shall be.
    """

    def __init__(self, shape: Sequence[int], device: torch.device | str = "cpu"):
        self.domain_shape = self.range_shape = tuple(int(n) for n in shape)
        if len(self.domain_shape) != 3 or min(self.domain_shape) < 1:
            raise ValueError(f"a far field in three dimensions has a shape (z, y, x), not {tuple(shape)}")
        self.device = torch.device(device)

    def __repr__(self) -> str:
        return f"FarField({self.domain_shape}, {str(self.device)!r})"

    def __call__(self, x: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
        """The field of an object; into `out` when given, which may be x itself."""
        return torch.fft.fftn(self._checked(x), dim=_AXES, norm="ortho", out=out)

    def adjoint(self, y: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
        """The object of a field."""
        return torch.fft.ifftn(self._checked(y), dim=_AXES, norm="ortho", out=out)

    def normal(self, x: torch.Tensor) -> torch.Tensor:
        """A*A x, which is x."""
        return self._checked(x)

    def norm(self) -> float:
        """The operator's norm."""
        return 1.0

    def _checked(self, x: torch.Tensor) -> torch.Tensor:
        if tuple(x.shape[-3:]) != self.domain_shape:
            raise ValueError(f"expected (…, {', '.join(map(str, self.domain_shape))}), found {tuple(x.shape)}")
        return x.to(self.device, torch.complex64)


def corner(array: np.ndarray) -> np.ndarray:
    """A (z, y, x) array whose zero is at index n // 2, with its zero at index 0."""
    return np.fft.ifftshift(array, axes=_AXES)


def centred(array: np.ndarray) -> np.ndarray:
    """A (z, y, x) array whose zero is at index 0, with its zero at index n // 2."""
    return np.fft.fftshift(array, axes=_AXES)
