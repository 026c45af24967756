"""FISTA: minimise ½‖A x − y‖²_W + g(x) for a prior g with a proximal step.

    x_k = prox(z_k − s AᵀW(A z_k − y), s)
    t_{k+1} = (1 + √(1 + 4 t_k²)) / 2
    z_{k+1} = x_k + (t_k − 1) / t_{k+1} · (x_k − x_{k−1})

Beck & Teboulle, SIAM J. Imaging Sci. 2 (2009) 183. Converges for s ≤ 1/‖A‖².

AᵀWA is applied once a step, to x_k; at z_{k+1} it follows by linearity. So the objective of every x_k comes for free,
and the data are never projected again: ‖A x − y‖² = ⟨x, AᵀA x − 2 Aᵀy⟩ + ‖y‖².
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

__all__ = ["Iterate", "accelerated", "fista"]


class Iterate(NamedTuple):
    """One step of a solver."""

    k: int  #: steps done
    x: torch.Tensor  #: the solution so far; do not write into it
    objective: float  #: ½‖A x − y‖²_W + g(x)
    residual: float  #: ‖A x − y‖_W / ‖y‖_W


def fista(A, y: torch.Tensor, prior, *, iterations: int, step: float | None = None,
          x0: torch.Tensor | None = None) -> Iterator[Iterate]:  # fmt: skip
    """Iterates of FISTA for data y (z, angle, column).

    Parameters
    ----------
    step
        s; by default 1/‖A‖².
    x0
        Where to start, (z, n_y, n_x); by default zero.
    """
    y = y.to(A.device)
    b, y_squared = A.adjoint(A.weigh(y)), _dot(y, A.weigh(y))
    step = 1 / A.norm() ** 2 if step is None else step
    for k, (x, normal_x) in enumerate(accelerated(A.normal, b, prior, iterations=iterations, step=step, x0=x0), 1):
        misfit = max(_dot(x, torch.sub(normal_x, b, alpha=2)) + y_squared, 0.0)
        yield Iterate(k, x, misfit / 2 + prior(x), math.sqrt(misfit / y_squared) if y_squared else 0.0)


def accelerated(
    normal: Callable[[torch.Tensor], torch.Tensor], b: torch.Tensor, prior, *, iterations: int, step: float,
    x0: torch.Tensor | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # fmt: skip
    """The steps for ½⟨x, N x⟩ − ⟨b, x⟩ + g(x): x and N x of each; N x is written over when the next but one is made."""
    x = x_before = torch.zeros_like(b) if x0 is None else x0.to(b)
    normal_x = normal(x)
    normal_before = normal_x.clone()
    momentum, t = 0.0, 1.0
    for _ in range(iterations):
        z = torch.lerp(x_before, x, 1 + momentum)
        gradient = normal_before.lerp_(normal_x, 1 + momentum).sub_(b)
        x_before, x = x, prior.prox(z.sub_(gradient, alpha=step), step)
        normal_before, normal_x = normal_x, normal(x)
        t_next = (1 + math.sqrt(1 + 4 * t**2)) / 2
        momentum, t = (t - 1) / t_next, t_next
        yield x, normal_x


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    """⟨a, b⟩: rows in float32, their sum in float64, since the misfit is a small difference of large numbers."""
    return torch.linalg.vecdot(a, b).sum(dtype=torch.float64).item()
