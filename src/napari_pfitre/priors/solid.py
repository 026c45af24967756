"""What a crystal is like: as dense everywhere, with sharp faces, and a phase that is smooth but for faults.

    R(ψ) = λ Σ |∇ψ|_ε + μ Σ |∇²ψ|_ε + 2κδ Σ_core ||ψ| − p|_δ,      |v|_ε = √(|v|² + ε²) − ε

∇ψ are the differences to the next voxels, ∇²ψ the second differences along the three axes, core the voxels with nothing
but crystal about them, p the crystal's own modulus. |∇ψ| allows for faces and faults wherever they are and takes all
ripples away, but what a phase rises from voxel to voxel costs as well; |∇²ψ| lets a phase rise, and is less strict. A
modulus is even but where it is not: along a dislocation it dips, and beyond δ that costs no more than it must.
Rudin, Osher & Fatemi, Physica D 60 (1992) 259, of a complex image; ε and δ make it smooth (Charbonnier et al., IEEE
Trans. Image Process. 6 (1997) 298).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Solid"]

SMOOTH = 0.05  #: ε, of p
DIP = 0.02  #: δ, of p
_FAINT = 1e-3  #: of p; what a modulus of zero is taken for


@dataclass(frozen=True, eq=False)
class Solid:
    """R of an object (z, y, x), complex64 and periodic; in photons where ψ's transform is unitary and in √photons.

    Parameters
    ----------
    edges, bends, even
        λ, μ, κ. The noise of a voxel is about a half, whatever the object: weights of a few hold it down.
    level
        p.
    core
        (z, y, x), bool.
    where
        Flat indices of the voxels that may differ from zero, and of those about them; sums go over these.
    """

    edges: float
    bends: float
    even: float
    level: float
    core: torch.Tensor
    where: torch.Tensor

    @classmethod
    def about(cls, support: torch.Tensor, reach: torch.Tensor, level: float, edges: float, bends: float,
              even: float) -> Solid:  # fmt: skip
        """For an object that is in `support`, and in any case within `reach`; both (z, y, x), bool."""
        where = torch.nonzero(_widened(reach).flatten()).squeeze(1)
        return cls(edges, bends, even, level, ~_widened(~support), where)

    def __call__(self, x: torch.Tensor, gradient: torch.Tensor) -> float:
        """R of x; its gradient goes into `gradient`."""
        weights = (self.edges, self.bends, self.even, self.level)
        if x.device.type == "cpu":
            from . import solid_kernels

            return solid_kernels.value(
                torch.view_as_real(x).numpy(), torch.view_as_real(gradient).numpy(), self.core.numpy(),
                self.where.numpy(), *weights, SMOOTH, DIP, _FAINT,
            )  # fmt: skip
        return self.by_torch(x, gradient)

    def by_torch(self, x: torch.Tensor, gradient: torch.Tensor) -> float:
        """The same in plain tensor operations: for other devices, and to check the fused kernel against."""
        gradient.zero_()
        floor, total = SMOOTH * self.level, 0.0
        if self.edges:
            total += self.edges * _total(x, [lambda v, axis=axis: v.roll(-1, axis) - v for axis in range(3)],
                                         [lambda v, axis=axis: v.roll(1, axis) - v for axis in range(3)],
                                         floor, self.edges, gradient)  # fmt: skip
        if self.bends:
            second = [lambda v, axis=axis: v.roll(-1, axis) - 2 * v + v.roll(1, axis) for axis in range(3)]
            total += self.bends * _total(x, second, second, floor, self.bends, gradient)
        if self.even:
            size = (torch.view_as_real(x).square().sum(-1) + (_FAINT * self.level) ** 2).sqrt()
            dip = DIP * self.level
            off = torch.where(self.core, size - self.level, 0) / dip
            root = (1 + off.square()).sqrt()
            gradient.add_(2 * self.even * dip * off / (root * size) * x)
            total += 2 * self.even * dip**2 * (root - 1).sum(dtype=torch.float64).item()
        return total


def _total(x: torch.Tensor, differences, adjoints, floor: float, weight: float, gradient: torch.Tensor) -> float:
    """Σ |Dx|_ε, and weight · Dᵀ(Dx / |Dx|_ε) added to the gradient."""
    slopes = [difference(x) for difference in differences]
    size = torch.stack([torch.view_as_real(slope).square().sum(-1) for slope in slopes]).sum(0).add_(floor**2).sqrt_()
    for slope, adjoint in zip(slopes, adjoints, strict=True):
        gradient.add_(adjoint(slope / size), alpha=weight)
    return (size - floor).sum(dtype=torch.float64).item()


def _widened(region: torch.Tensor) -> torch.Tensor:
    """A region (z, y, x), bool, and the voxel about it along each axis, periodically."""
    for axis in range(3):
        region = region | region.roll(1, axis) | region.roll(-1, axis)
    return region
