"""Phase retrieval by alternating projections.

With p = P_M x the projection onto the measured modulus (F ← D F/|F| where D was measured) and S the support:

    inside of S      x ← p
    outside of S     x ← keep · x + put · p

    ER     keep = 0, put = 0           Fienup, Appl. Opt. 21 (1982) 2758
    HIO    keep = 1, put = −β          the same
    RAAR   keep = β, put = 1 − 2β      Luke, Inverse Problems 21 (2005) 37
    EVEN   RAAR, and then |x| within S brought to within a tenth of the object's own (`plateau`): a crystal is as dense
           everywhere, which an object whose phase is wrong somewhere is not
    TWIN   ER within a quarter of S, which lets go of one of object and twin

A step costs two Fourier transforms and two passes (`phasing_kernels.py`). Voxels that were not measured keep their
modulus: they are free. The support follows by `ShrinkWrap`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from .shrink_wrap import ShrinkWrap, magnitude, plateau

__all__ = ["PhasingIterate", "phasing", "random_start"]

EVENNESS = 0.1  #: how far the modulus may be from the object's own in steps of EVEN, relative


class PhasingIterate(NamedTuple):
    """One step."""

    k: int  #: steps done
    x: torch.Tensor  #: the iterate, (z, y, x); written again by the next step
    support: torch.Tensor  #: bool
    misfit: float  #: Σ(|F| − D)² / ΣD² of the iterate the step began with, its part inside of the support or not
    algorithm: str  #: of this step


def coefficients(algorithm: str, beta: float) -> tuple[float, float]:
    """(keep, put): what becomes of a voxel outside of the support."""
    raar = beta, 1 - 2 * beta
    return {"ER": (0.0, 0.0), "TWIN": (0.0, 0.0), "HIO": (1.0, -beta), "RAAR": raar, "EVEN": raar}[algorithm]


def phasing(
    A,
    amplitude: torch.Tensor,
    x0: torch.Tensor,
    support: torch.Tensor,
    schedule: Sequence[str],
    *,
    beta: float = 0.9,
    shrink: ShrinkWrap | None = None,
    average: int = 0,
) -> Iterator[PhasingIterate]:
    """Iterates of a schedule. The last one is inside of the support, whatever algorithm came last.

    Parameters
    ----------
    A
        `FarField`.
    amplitude
        D, (z, y, x), float32, √ of the photons; negative where nothing was measured, and there the field is free.
    x0
        Where to start, (z, y, x), complex; see `random_start`.
    support
        Where the object may be, bool.
    schedule
        The algorithm of every step; see `parse_schedule`.
    shrink
        How the support follows the object; without, it stays.
    average
        The last iterate is the mean of so many.

    Array order is that of `FarField`: zeros of object and field at index 0.
    """
    amplitude = amplitude.to(A.device, torch.float32).contiguous()
    x = x0.to(A.device, torch.complex64).clone(memory_format=torch.contiguous_format)
    support = support.to(A.device).contiguous()
    power = float(amplitude.clamp(min=0).square().sum(dtype=torch.float64)) or 1.0
    p = torch.empty_like(x)
    total = len(schedule)
    mean = torch.zeros_like(x) if average > 1 else None
    for k, algorithm in enumerate(schedule, 1):
        A(x, out=p)
        misfit = replace_modulus(p, amplitude) / power
        A.adjoint(p, out=p)
        inside = half_of(support) if algorithm == "TWIN" else support
        last = k == total
        support_step(x, p, inside, *((0.0, 0.0) if last else coefficients(algorithm, beta)))
        if algorithm == "EVEN":
            make_even(x, support)
        if mean is not None and k > total - average:
            mean += torch.where(support, p, 0)
            if last:
                x.copy_(mean).div_(min(average, total))
        if shrink is not None and shrink.due(k, total):
            support = shrink(torch.where(support, p, 0) if algorithm == "ER" else p, shrink.sigma_at(k, total))
        yield PhasingIterate(k, x, support, misfit, algorithm)


def replace_modulus(field: torch.Tensor, amplitude: torch.Tensor) -> float:
    """F ← D F/|F| in place where D ≥ 0; gives Σ(|F| − D)² over these."""
    if field.device.type == "cpu":
        from . import phasing_kernels

        return phasing_kernels.replace_modulus(_lines(field), amplitude.view(-1, amplitude.shape[-1]).numpy())
    size = torch.view_as_real(field).square().sum(-1).sqrt_()
    target = torch.where(amplitude < 0, size, amplitude)
    misfit = (size - target).square_().sum(dtype=torch.float64)
    field *= target.div_(size.clamp_(min=1e-30))
    return misfit.item()


def support_step(x: torch.Tensor, p: torch.Tensor, support: torch.Tensor, keep: float, put: float) -> None:
    """x ← p inside of the support, keep · x + put · p outside, in place."""
    if x.device.type == "cpu":
        import numpy as np

        from . import phasing_kernels

        lines = support.view(-1, support.shape[-1]).numpy()
        phasing_kernels.support_step(_lines(x), _lines(p), lines, np.float32(keep), np.float32(put))
        return
    x.mul_(keep).add_(p, alpha=put)
    x.copy_(torch.where(support, p, x))


def make_even(x: torch.Tensor, support: torch.Tensor) -> None:
    """Moduli inside of the support to within `EVENNESS` of the object's own, in place."""
    values = x[support]
    sizes = magnitude(values)
    own = plateau(sizes)
    x[support] = values * (sizes.clamp((1 - EVENNESS) * own, (1 + EVENNESS) * own) / sizes.clamp(min=1e-30))


def _lines(field: torch.Tensor):
    """A complex (z, y, x) tensor as the numpy array (z y, x, 2) that shares its memory."""
    return torch.view_as_real(field).view(-1, field.shape[-1], 2).numpy()


def half_of(support: torch.Tensor) -> torch.Tensor:
    """The quarter of a support below its middle along the last two axes; it has no counterpart under inversion."""
    quarter = support.clone()
    for axis in (1, 2):
        n = support.shape[axis]
        at = 2 * math.pi * torch.arange(n, device=support.device) / n
        weight = support.sum(dim=[a for a in range(3) if a != axis]).to(at)
        middle = torch.atan2((weight * at.sin()).sum(), (weight * at.cos()).sum())
        above = torch.sin(at - middle) > 0
        quarter &= ~above.view([-1 if a == axis else 1 for a in range(3)])
    return quarter


def random_start(amplitude: torch.Tensor, support: torch.Tensor, seed: int) -> torch.Tensor:
    """An object with random amplitude and phase inside of a support and the power of the data, complex64.

    The numbers are drawn on the CPU, so that a seed means the same start on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand((2, *support.shape), generator=generator)
    x = torch.polar(draw[0], 2 * math.pi * draw[1]).to(support.device) * support
    power = amplitude.to(support.device).clamp(min=0).square().sum()
    return x * (power / torch.view_as_real(x).square().sum().clamp(min=1e-30)).sqrt()
