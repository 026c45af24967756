"""How well a method foretells projections that it was not given.

An image may fit its data and be wrong; noise fits them best. Projections that were left out judge it instead: some rows
are reconstructed again without every eighth of them, by each method, and the images are projected to those angles. The
missing wedge itself stays untold: nobody measured it.
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

__all__ = ["FEWEST", "compare", "fista_tv", "left_out", "rows_to_check", "verdict"]

EVERY = 8  #: one projection of so many is left out
FEWEST = 16  #: projections, below which none can be spared
ROWS = 12  #: in the middle, reconstructed again
ITERATIONS = 100  #: of FISTA-TV
CLEARLY = 1.05  #: times another's residual: what is more counts as worse

Engine = Callable[["ParallelBeam", "torch.Tensor"], Iterator[Any]]
Method = tuple[Engine, Callable[[Any], "torch.Tensor"]]


def rows_to_check(n_rows: int) -> slice:
    """Neighbours, since methods couple them, in the middle of the stack."""
    start = max(0, (n_rows - ROWS) // 2)
    return slice(start, min(n_rows, start + ROWS))


def left_out(n_angles: int) -> np.ndarray:
    """Indices of the projections to leave out, none of them the first or the last."""
    return np.arange(EVERY // 2, n_angles - 1, EVERY)


def compare(
    A: ParallelBeam, y: torch.Tensor, methods: Mapping[str, Method], at: int
) -> Generator[Progress, bool | None, dict[str, float]]:
    """‖A x − y‖ / ‖y‖ over the projections that were left out, for each method that was not stopped.

    Parameters
    ----------
    A, y
        Projector and data (row, angle, column), aligned.
    methods
        A solver (A, y) → iterates and what takes the image from an iterate, by name.
    at
        The step at which the run's progress stands meanwhile.
    """
    out = left_out(len(A.angles))
    kept = np.setdiff1d(np.arange(len(A.angles)), out)
    given, asked = _part(A, kept), _part(A, out)
    wanted = y[:, out]
    size = float(wanted.norm()) or 1.0
    missed: dict[str, float] = {}
    for name, (solve, image_of) in methods.items():
        for iterate in solve(given, y[:, kept]):
            stop = yield Progress(at, at, f"checking {name} on projections left out", None, iterate.residual)
            if stop:
                return missed
        missed[name] = float((asked(image_of(iterate)) - wanted).norm()) / size
    return missed


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


def _part(A: ParallelBeam, which: np.ndarray) -> ParallelBeam:
    from ..operators import ParallelBeam

    return ParallelBeam(A.angles[which], A.n_columns, centre=A.centre, shifts=A.shifts[which], device=A.device)
