"""How well a method foretells projections that it was not given.

An image may fit its data and be wrong; noise fits them best. Projections that were left out judge it instead: some rows
are reconstructed again without every eighth of them, by each method, and the images are projected to those angles. They
also tell how much of a network's image foretells data best. The missing wedge itself stays untold: nobody measured it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results import Progress

if TYPE_CHECKING:
    import torch

    from ..operators import ParallelBeam

__all__ = ["FEWEST", "Trial", "fista_tv", "left_out", "rows_to_check", "verdict"]

EVERY = 8  #: one projection of so many is left out
FEWEST = 16  #: projections, below which none can be spared
ROWS = 12  #: in the middle, reconstructed again
ITERATIONS = 100  #: of FISTA-TV
CLEARLY = 1.05  #: times another's residual: what is more counts as worse

Engine = Callable[["ParallelBeam", "torch.Tensor"], Iterator[Any]]


def rows_to_check(n_rows: int) -> slice:
    """Neighbours, since methods couple them, in the middle of the stack."""
    start = max(0, (n_rows - ROWS) // 2)
    return slice(start, min(n_rows, start + ROWS))


def left_out(n_angles: int) -> np.ndarray:
    """Indices of the projections to leave out, none of them the first or the last."""
    return np.arange(EVERY // 2, n_angles - 1, EVERY)


class Trial:
    """Some rows without some projections, and these to ask for.

    Of those left out every other one is there to choose by, the rest to judge by: what was chosen to foretell one half
    is judged by the other.

    Parameters
    ----------
    A, y
        Projector and data (row, angle, column), aligned.
    """

    def __init__(self, A: ParallelBeam, y: torch.Tensor):
        out = left_out(len(A.angles))
        kept = np.setdiff1d(np.arange(len(A.angles)), out)
        self.given = _part(A, y, kept)
        self.chosen_by, self.judged_by = _part(A, y, out[::2]), _part(A, y, out[1::2])

    def of(self, name: str, solve: Engine, at: int) -> Generator[Progress, bool | None, Any]:
        """The last iterate of a solver that was given the rest; None when it was stopped.

        `at` is the step at which the run's progress stands meanwhile.
        """
        for iterate in solve(*self.given):
            if (yield Progress(at, at, f"checking {name} on projections left out", None, iterate.residual)):
                return None
        return iterate

    def missed(self, x: torch.Tensor) -> float:
        """‖A x − y‖ / ‖y‖ over the projections to judge by."""
        A, y = self.judged_by
        return float((A(x) - y).norm()) / (float(y.norm()) or 1.0)

    def share(self, x: torch.Tensor, z: torch.Tensor) -> float:
        """argmin ‖A (x + s (z − x)) − y‖ over the projections to choose by, 0 ≤ s ≤ 1."""
        A, y = self.chosen_by
        towards = A(z - x)
        length = float(towards.square().sum())
        return min(max(float(((y - A(x)) * towards).sum()) / length, 0.0), 1.0) if length else 0.0


def fista_tv(noise: float) -> Engine:
    """FISTA-TV as its recipe runs it by default, for data with this noise in a bin."""

    def solve(A: ParallelBeam, y: torch.Tensor) -> Iterator[Any]:
        from ..priors import TotalVariation
        from ..solvers import fista

        prior = TotalVariation(noise * math.sqrt(A.diagonal()), dimensions=3, non_negative=True)
        return fista(A, y, prior, iterations=ITERATIONS)

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


def _part(A: ParallelBeam, y: torch.Tensor, which: np.ndarray) -> tuple[ParallelBeam, torch.Tensor]:
    from ..operators import ParallelBeam

    part = ParallelBeam(A.angles[which], A.n_columns, centre=A.centre, shifts=A.shifts[which], device=A.device)
    return part, y[:, which]
