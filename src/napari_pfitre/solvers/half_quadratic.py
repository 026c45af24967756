"""Half-quadratic splitting: minimise ½‖A x − y‖²_W + ρ/2‖x − z‖² + g(z) over x ≥ 0 and z, in turns.

    x = argmin ½‖A x − y‖²_W + ρ/2‖x − z‖²        (AᵀWA + ρ) x = AᵀWy + ρ z by conjugate gradients, clipped
      or argmin ½‖A x − y‖²_W + ρ/2‖x − z‖² + h(x)     with a prior on x as well: by FISTA from z
    z = prox(x, 1/ρ)
    δ = argmin ½‖A_δ z − y‖²                       when asked: by how much each projection was displaced

Geman & Yang, IEEE Trans. Image Process. 4 (1995) 932; with a network as the proximal step, Zhang et al., IEEE Trans.
Pattern Anal. 44 (2022) 6360. There is no dual variable: it would hand the prior images unlike any that it was made for
(`benchmarks/splitting.py` compares). ρ is in units of the diagonal of AᵀWA, so it transfers between scans. Displacing
projections leaves AᵀA as it is, so a δ costs two projections and no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from .alignment import displacements, moved_rows, noticeable, without_translation
from .cg import conjugate_gradients
from .fista import accelerated
from .last import last

__all__ = ["SplitIterate", "half_quadratic"]

FIRST_STEPS = 20  #: of conjugate gradients before there is anything to start from
SMOOTH_STEPS = 30  #: of FISTA in a data step with a prior


class SplitIterate(NamedTuple):
    """One round; the first four fields are those of every solver's `Iterate`."""

    k: int  #: rounds done
    x: torch.Tensor  #: the image that fits the data; do not write into it
    objective: float  #: ½‖A x − y‖²_W + ρ/2‖x − z‖² + g(z); nan where the prior has no value
    residual: float  #: ‖A x − y‖_W / ‖y‖_W
    z: torch.Tensor  #: the prior's image
    apart: float  #: ‖x − z‖ / ‖x‖: how far data and prior disagree
    moved: float  #: ‖z − z_before‖ / ‖z‖: what the round changed
    shifts: np.ndarray | None = None  #: δ, (angle, 2): rows, columns, beside those that A knows of
    last: bool = False  #: no round follows


def half_quadratic(A, y: torch.Tensor, prior, *, rounds: int, rho: float = 1.0, first: float = 0.3, steps: int = 4,
                   z0: torch.Tensor | None = None, smooth=None, align: int = 0) -> Iterator[SplitIterate]:  # fmt: skip
    """Rounds of data step and prior step for data y (z, angle, column).

    Parameters
    ----------
    rho
        ρ, in units of A.diagonal(): larger trusts the prior more.
    first
        ρ of the first data step, where z is still zero and would pull towards nothing; not used with a `z0`.
    steps
        Of conjugate gradients in a data step. They start from z, which has everything that the data do not decide;
        preconditioned, four of them leave 0.2 % of error at ρ = 1 (docs/decisions/data-step.md).
    z0
        The prior's image to start from, (z, n_y, n_x).
    smooth
        h, a prior on x that keeps the noise of the data out of it, such as total variation; needs a `z0`.
    align
        Rounds, from the first on, that look for displacements. The prior's image is what the data are compared with:
        it is of one piece, where the data's own image has taken up some of their disorder.
    """
    y = measured = y.to(A.device)
    still, shifts = A, None
    b, y_squared = A.adjoint(A.weigh(y)), _dot(y, A.weigh(y))
    diagonal = A.diagonal()
    z = torch.zeros_like(b) if z0 is None else z0.to(b)
    for k in range(1, rounds + 1):
        if k == 1 and z0 is None:
            step_rho = diagonal * first
            x = first_step(A, b, step_rho)
        else:
            step_rho = diagonal * rho
            x = data_step(A, b, z, step_rho, steps=steps) if smooth is None else smooth_step(A, b, z, step_rho, smooth)
        z_before, z = z, prior.prox(x, 1 / step_rho)
        if k <= align:
            found = displacements(y, A(z), A.angles)
            shifts = noticeable(found if shifts is None else without_translation(shifts + found, A.angles))
            A, y = still.displaced(still.shifts + shifts[:, 1]), moved_rows(measured, shifts[:, 0])
            b, y_squared = A.adjoint(A.weigh(y)), _dot(y, A.weigh(y))
        misfit = max(_dot(x, A.normal(x) - 2 * b) + y_squared, 0.0)
        gap = _dot(x - z, x - z)
        size, z_size = max(_dot(x, x), _TINY), max(_dot(z, z), _TINY)
        change = z - z_before
        yield SplitIterate(
            k, x, misfit / 2 + step_rho / 2 * gap + prior(z), math.sqrt(misfit / y_squared) if y_squared else 0.0,
            z, math.sqrt(gap / size), math.sqrt(_dot(change, change) / z_size), shifts, k == rounds,
        )  # fmt: skip


def first_step(A, b: torch.Tensor, rho: float) -> torch.Tensor:
    """argmin ½‖A x − y‖²_W + ρ/2‖x‖², negative values set to 0: what to start from. b is AᵀWy, ρ absolute.

    Without preconditioner: from zero the smooth part is missing, and plain steps find that first.
    """
    return conjugate_gradients(
        lambda x: A.normal(x).add_(x, alpha=rho), b, iterations=FIRST_STEPS, tolerance=1e-3
    ).x.clamp_(min=0)


def data_step(A, b: torch.Tensor, z: torch.Tensor, rho: float, *, steps: int) -> torch.Tensor:
    """argmin ½‖A x − y‖²_W + ρ/2‖x − z‖², negative values set to 0, in `steps` from z. b is AᵀWy, ρ absolute."""
    return conjugate_gradients(
        lambda x: A.normal(x).add_(x, alpha=rho), b + rho * z, x0=z, precondition=lambda r: A.precondition(r, rho),
        iterations=steps, tolerance=1e-6,
    ).x.clamp_(min=0)  # fmt: skip


def smooth_step(A, b: torch.Tensor, z: torch.Tensor, rho: float, prior) -> torch.Tensor:
    """argmin ½‖A x − y‖²_W + ρ/2‖x − z‖² + h(x) for the prior h, from z. b is AᵀWy, ρ absolute."""
    x, _ = last(
        accelerated(
            lambda x: A.normal(x).add_(x, alpha=rho), b + rho * z, prior, iterations=SMOOTH_STEPS,
            step=1 / (A.norm() ** 2 + rho), x0=z,
        )
    )  # fmt: skip
    return x


_TINY = 1e-30


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    """⟨a, b⟩: rows in float32, their sum in float64."""
    return torch.linalg.vecdot(a, b).sum(dtype=torch.float64).item()
