"""How well a method foretells projections that it was not given.

An image may fit its data and be wrong; noise fits them best. Projections that were left out judge it instead: some rows
are reconstructed again without every eighth of them, by each method, and the images are projected to those angles. They
also tell how much of a network's image foretells data best. The missing wedge itself stays untold: nobody measured it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results import Progress

if TYPE_CHECKING:
    import torch

    from ..operators import ParallelBeam

__all__ = ["EVERY", "FEWEST", "Trial", "fista_tv", "left_out", "rows_to_check", "verdict"]

EVERY = 8  #: one projection of so many is left out
FEWEST = 16  #: projections, below which none can be spared
ROWS = 12  #: in the middle, reconstructed again
ITERATIONS = 100  #: of FISTA-TV
CLEARLY = 1.05  #: times another's residual: what is more counts as worse

Engine = Callable[["ParallelBeam", "torch.Tensor"], Iterator[Any]]
Part = tuple["ParallelBeam", "torch.Tensor"]  #: a projector for some angles, and what was measured there


def rows_to_check(n_rows: int) -> slice:
    """Neighbours, since methods couple them, in the middle of the stack."""
    start = max(0, (n_rows - ROWS) // 2)
    return slice(start, min(n_rows, start + ROWS))


def left_out(n_angles: int, first: int = EVERY // 2) -> np.ndarray:
    """Indices of the projections to leave out, from `first` on; the last one is not among them."""
    return np.arange(first, n_angles - 1, EVERY)


class Trial:
    """Some rows without some projections, and these, in two halves, to ask for.

    Parameters
    ----------
    A, y
        Projector and data (row, angle, column), aligned.
    first
        The first projection to leave out.
    """

    def __init__(self, A: ParallelBeam, y: torch.Tensor, first: int = EVERY // 2):
        out = left_out(len(A.angles), first)
        self.given = _part(A, y, np.setdiff1d(np.arange(len(A.angles)), out))
        self.halves = _part(A, y, out[::2]), _part(A, y, out[1::2])

    def of(self, name: str, solve: Engine, at: int) -> Generator[Progress, bool | None, Any]:
        """The last iterate of a solver that was given the rest; None when it was stopped.

        `at` is the step at which the run's progress stands meanwhile.
        """
        for iterate in solve(*self.given):
            if (yield Progress(at, at, f"checking {name} on projections left out", None, iterate.residual)):
                return None
        return iterate

    def missed(self, x: torch.Tensor) -> float:
        """‖A x − y‖ / ‖y‖ over the projections left out."""
        return self._relative(float((A(x) - y).square().sum()) for A, y in self.halves)

    def share(self, x: torch.Tensor, z: torch.Tensor) -> float:
        """argmin ‖A (x + s (z − x)) − y‖ over the projections left out, 0 ≤ s ≤ 1."""
        return _nearest(_along(half, x, z) for half in self.halves)

    def missed_between(self, x: torch.Tensor, z: torch.Tensor) -> float:
        """`missed` by x + s (z − x), each half with the s that the other half tells: none judges what it chose."""
        first, second = (_along(half, x, z) for half in self.halves)
        return self._relative(_at(one, _nearest([other])) for one, other in ((first, second), (second, first)))

    def _relative(self, squares: Iterable[float]) -> float:
        size = sum(float(y.square().sum()) for _, y in self.halves)
        return math.sqrt(sum(squares) / size) if size else 0.0


def _along(half: Part, x: torch.Tensor, z: torch.Tensor) -> tuple[float, float, float]:
    """‖r‖², ⟨r, d⟩, ‖d‖² with r = y − A x and d = A (z − x)."""
    A, y = half
    r, d = y - A(x), A(z - x)
    return float(r.square().sum()), float((r * d).sum()), float(d.square().sum())


def _nearest(found: Iterable[tuple[float, float, float]]) -> float:
    """argmin ‖r − s d‖, 0 ≤ s ≤ 1."""
    _, across, length = (sum(parts) for parts in zip(*found, strict=True))
    return min(max(across / length, 0.0), 1.0) if length else 0.0


def _at(found: tuple[float, float, float], s: float) -> float:
    """‖r − s d‖²."""
    size, across, length = found
    return max(size - 2 * s * across + s**2 * length, 0.0)


def fista_tv(noise: float) -> Engine:
    """FISTA-TV as its recipe runs it by default, for data with this noise in a bin."""

    def solve(A: ParallelBeam, y: torch.Tensor) -> Iterator[Any]:
        from ..solvers import fista
        from .engine import smoothness

        return fista(A, y, smoothness(A, noise), iterations=ITERATIONS)

    return solve


def verdict(missed: Mapping[str, float], method: str) -> tuple[str, ...]:
    """A notice when another method foretells the projections clearly better than this one."""
    mine = missed.get(method)
    others = {name: value for name, value in missed.items() if name != method}
    if mine is None or not others:
        return ()
    best = min(others, key=lambda name: others[name])
    if mine <= CLEARLY * others[best]:
        return ()
    return (
        f"projections that were left out of a trial are missed by {mine:.1%} with {method} and by {others[best]:.1%} "
        f"with {best}: trust {best} more here, and look at where the two differ",
    )


def _part(A: ParallelBeam, y: torch.Tensor, which: np.ndarray) -> Part:
    from ..operators import ParallelBeam

    part = ParallelBeam(A.angles[which], A.n_columns, centre=A.centre, shifts=A.shifts[which], device=A.device)
    return part, y[:, which]
