"""Isotropic total variation, λ Σ |∇x|, in the slices or in the whole volume, with non-negativity if wanted.

    prox(v) = P₊(v − τ ∇ᵀp),    p ← p + ∇x / (n τ) projected onto |p| ≤ 1,    n = 8 in 2-D, 12 in 3-D,    τ = step · λ

(Chambolle, J. Math. Imaging Vis. 20 (2004) 89, as projected gradients; Beck & Teboulle, IEEE Trans. Image Process. 18
(2009) 2419 for the constraint.) Inside an outer iteration v changes little from call to call, so p is kept between the
calls and a few inner steps are enough: that is what makes the prior cheap beside AᵀA.
"""

from __future__ import annotations

from types import ModuleType

import torch

__all__ = ["TotalVariation"]


class TotalVariation:
    """λ times the isotropic total variation of a stack (z, y, x).

    Parameters
    ----------
    weight
        λ, in units of the data term: (unit of y)² per (unit of x).
    dimensions
        2: each slice for itself; 3: also from slice to slice.
    non_negative
        Add the constraint x ≥ 0.
    inner
        Steps on the dual variable in each call of `prox`.

    Notes
    -----
    The object keeps its dual variable between calls of `prox`: use one object for one run on one stack.
    """

    def __init__(self, weight: float, *, dimensions: int = 2, non_negative: bool = False, inner: int = 3):
        self.weight = float(weight)
        self.dimensions = dimensions
        self.non_negative = non_negative
        self.inner = inner
        self._dual: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> float:
        if x.device.type == "cpu":
            return self.weight * float(_fused().value(x.numpy(), self.dimensions))
        return self.weight * float(self._gradient(x).square().sum(0).sqrt().sum(dtype=torch.float64))

    def prox(self, v: torch.Tensor, step: float) -> torch.Tensor:
        """argmin_x ½‖x − v‖² + step · λ TV(x) (and x ≥ 0), approached from where the last call ended."""
        tau = step * self.weight
        if tau == 0:
            return v.clamp(min=0) if self.non_negative else v.clone()
        dual = self._kept(v)
        if v.device.type == "cpu":
            x = torch.empty_like(v)
            kernels = _fused()
            kernel = kernels.prox_2d if self.dimensions == 2 else kernels.prox_3d
            kernel(v.contiguous().numpy(), dual.numpy(), tau, self.inner, self.non_negative, x.numpy())
            return x
        return self.prox_by_torch(v, tau)

    def prox_by_torch(self, v: torch.Tensor, tau: float) -> torch.Tensor:
        """The same in plain tensor operations: for other devices, and to check the fused kernels against."""
        x = self._primal(v, tau)
        for _ in range(self.inner):
            p = self._kept(v) + self._gradient(x) / (4 * self.dimensions * tau)
            self._dual = p / p.square().sum(0).sqrt().clamp(min=1)
            x = self._primal(v, tau)
        return x

    def _kept(self, v: torch.Tensor) -> torch.Tensor:
        """The dual as the last call left it; zero for data of another shape."""
        if self._dual is None or self._dual.shape[1:] != v.shape:
            self._dual = v.new_zeros(self.dimensions, *v.shape)
        return self._dual

    def _primal(self, v: torch.Tensor, tau: float) -> torch.Tensor:
        x = v - tau * self._gradient_adjoint(self._kept(v))
        return x.clamp_(min=0) if self.non_negative else x

    def _gradient(self, x: torch.Tensor) -> torch.Tensor:
        """Forward differences along the last axes, (axis, z, y, x), zero at the far edge."""
        axes = range(-1, -1 - self.dimensions, -1)
        return torch.stack([torch.diff(x, dim=axis, append=x.narrow(axis, -1, 1)) for axis in axes])

    def _gradient_adjoint(self, p: torch.Tensor) -> torch.Tensor:
        out = torch.zeros_like(p[0])
        for component, axis in zip(p, range(-1, -1 - self.dimensions, -1), strict=True):
            n = out.shape[axis]
            inner = component.narrow(axis, 0, n - 1)
            out.narrow(axis, 1, n - 1).add_(inner)
            out.narrow(axis, 0, n - 1).sub_(inner)
        return out


def _fused() -> ModuleType:
    """The kernels, on as many threads as torch: where both run on OpenMP, numba's start makes its number torch's."""
    import numba

    from . import tv_kernels

    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return tv_kernels
