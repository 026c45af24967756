"""Conjugate gradients for M x = b with M symmetric and positive, a stack of slices at once.

    x += α p,   r −= α M p,   α = ⟨r, P r⟩ / ⟨p, M p⟩,   p ← P r + β p,   β = ⟨r, P r⟩ₙₑₓₜ / ⟨r, P r⟩

Hestenes & Stiefel, J. Res. Natl. Bur. Stand. 49 (1952) 409. Every slice is a system of its own, with its own α and β:
they share calls of M and P, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

__all__ = ["Solution", "conjugate_gradients"]

Apply = Callable[[torch.Tensor], torch.Tensor]


class Solution(NamedTuple):
    """What M x = b came to."""

    x: torch.Tensor  #: (z, n_y, n_x)
    remainder: torch.Tensor  #: b − M x, as the recursion has it
    iterations: int  #: of the slice that took longest


def conjugate_gradients(M: Apply, b: torch.Tensor, *, x0: torch.Tensor | None = None, precondition: Apply | None = None,
                        tolerance: float = 1e-3, iterations: int = 100) -> Solution:  # fmt: skip
    """Solve M x = b for every slice.

    Parameters
    ----------
    M
        (z, n_y, n_x) → (z, n_y, n_x), slice by slice symmetric and positive.
    b
        (z, n_y, n_x).
    x0
        Where to start; by default zero.
    precondition
        P, about the inverse of M, symmetric and positive; by default nothing.
    tolerance
        A slice is done when ‖b − M x‖ ≤ tolerance · ‖b‖; then it rests while others go on.
    """
    P: Apply = torch.clone if precondition is None else precondition
    x = torch.zeros_like(b) if x0 is None else x0.clone()
    r = b.clone() if x0 is None else b - M(x)
    enough = tolerance * _norms(b)
    busy = _norms(r) > enough
    p = q = P(r)
    rq = _dots(r, q)
    k = 0
    while k < iterations and bool(busy.any()):
        Mp = M(p)
        alpha = torch.where(busy, rq / _dots(p, Mp).clamp(min=_TINY), 0)
        x += alpha * p
        r -= alpha * Mp
        busy = busy & (_norms(r) > enough)
        k += 1
        if k < iterations and bool(busy.any()):
            q = P(r)
            rq, before = _dots(r, q), rq
            p = q + rq / before.clamp(min=_TINY) * p
    return Solution(x, r, k)


_TINY = torch.finfo(torch.float32).tiny


def _dots(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """⟨a, b⟩ of every slice, (z, 1, 1)."""
    return torch.linalg.vecdot(a, b).sum(-1)[:, None, None]


def _norms(a: torch.Tensor) -> torch.Tensor:
    return _dots(a, a).sqrt()
