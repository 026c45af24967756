"""FISTA-TV at its best: weight and kind of total variation chosen with the truth in hand, and run until it has settled.

No experiment can do this; it is what another method has to beat. The weight is climbed to in steps of an octave, a half
and a quarter of one (a quarter changes the PSNR by a few hundredths of a dB) on the middle slices, each try started
from the nearest one, in 3-D and, where it is better, in 2-D. The volume is then reconstructed from scratch, in twice
the iterations that the recipe allows itself: where that would stop, it can lie 1 dB below its own limit.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
import torch

from ..metrics import disc_mask, psnr
from ..priors import TotalVariation
from ..recipes.geometry import projector, sinograms
from ..recipes.noise import noise_level
from ..results import Progress
from ..scans import TomoScan
from ..solvers import fista

__all__ = ["SETTINGS", "Best", "best_fista_tv"]

MIDDLE = 6  #: slices that the choice is made on
STEPS = (4, 2, 1)  #: quarters of an octave
REACH = 20  #: quarters of an octave, to either side of the automatic weight
ITERATIONS = 400
LEAST, TOLERANCE, OVER = 50, 1e-5, 10  #: a try is settled when `OVER` iterations lower its objective by less than this
SETTINGS: dict[str, Any] = {
    "middle": MIDDLE, "steps": STEPS, "iterations": ITERATIONS, "least": LEAST, "tolerance": TOLERANCE,
}  # fmt: skip


class Best(NamedTuple):
    """The reconstruction and how it was chosen."""

    data: np.ndarray  #: (z, y, x)
    weight: float  #: times the automatic one
    dimensions: int  #: of the total variation, 2 or 3


class Search:
    """Tries of FISTA-TV on some slices, each made once."""

    def __init__(self, scan: TomoScan, truth: np.ndarray, rows: slice):
        self.A = projector(scan, torch.device("cpu"))
        self.y, self.truth = sinograms(scan, rows), truth[rows]
        self.unit = noise_level(scan) * math.sqrt(self.A.diagonal())
        self.range, self.mask = float(np.ptp(truth)), disc_mask(truth.shape[-1])
        self.tries: dict[tuple[int, int], tuple[float, torch.Tensor]] = {}

    def climb(self, dimensions: int, at: int) -> Generator[Progress, bool | None, int | None]:
        """The best weight in quarters of an octave above the automatic one; None when stopped."""
        for step in STEPS:
            while True:
                around = [p for p in (at, at - step, at + step) if abs(p) <= REACH]
                for power in around:
                    if (dimensions, power) not in self.tries and not (yield from self.attempt(dimensions, power)):
                        return None
                best = max(around, key=lambda power: self.quality(dimensions, power))
                if best == at:
                    break
                at = best
        return at

    def quality(self, dimensions: int, power: int) -> float:
        return self.tries[dimensions, power][0]

    def attempt(self, dimensions: int, power: int) -> Generator[Progress, bool | None, bool]:
        """Make a try; False when stopped."""
        near = min(self.tries, key=lambda k: (k[0] != dimensions, abs(k[1] - power)), default=None)
        x = yield from solve(self, dimensions, power, None if near is None else self.tries[near][1])
        if x is None:
            return False
        found = psnr(self.truth, x.numpy(), data_range=self.range, mask=self.mask)
        self.tries[dimensions, power] = found, x
        return True


def solve(
    search: Search, dimensions: int, power: int, x0: torch.Tensor | None = None, *, tolerance: float = TOLERANCE
) -> Generator[Progress, bool | None, torch.Tensor | None]:
    """FISTA-TV until it has settled; None when stopped."""
    prior = TotalVariation(search.unit * weight(power), dimensions=dimensions, non_negative=True)
    objectives: list[float] = []
    for iterate in fista(search.A, search.y, prior, iterations=ITERATIONS, x0=x0):
        objectives.append(iterate.objective)
        text = f"TV weight {weight(power):.3g} in {dimensions}-D, iteration {iterate.k}"
        if (yield Progress(iterate.k, ITERATIONS, text, iterate.objective, iterate.residual)):
            return None
        if (
            tolerance
            and iterate.k >= LEAST
            and objectives[-1 - OVER] - iterate.objective < tolerance * iterate.objective
        ):
            break
    return iterate.x


def weight(power: int) -> float:
    return 2 ** (power / 4)


def best_fista_tv(scan: TomoScan, truth: np.ndarray) -> Generator[Progress, bool | None, Best | None]:
    """The best FISTA-TV of a scan of line integrals whose truth (z, y, x) is known; None when stopped."""
    n = len(truth)
    middle = slice(max(0, (n - MIDDLE) // 2), max(0, (n - MIDDLE) // 2) + min(n, MIDDLE))
    search = Search(scan, truth, middle)
    power = yield from search.climb(3, 0)
    if power is None:
        return None
    dimensions = 3
    if (2, power) not in search.tries and not (yield from search.attempt(2, power)):
        return None
    if search.quality(2, power) > search.quality(3, power):
        dimensions, power = 2, (yield from search.climb(2, power))
        if power is None:
            return None
    x = yield from solve(Search(scan, truth, slice(0, n)), dimensions, power, tolerance=0)
    return None if x is None else Best(x.numpy(), weight(power), dimensions)
