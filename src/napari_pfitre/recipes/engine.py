"""PFITRE's engine: total variation first, then data and network in turns.

What total variation makes of a scan already fits the data and has edges; the network starts from there and adds what
total variation cannot know. From the network's image total variation starts again, thirty steps with less weight:
they bring back what was measured without its noise, and leave what was not measured nearly as the network had it. So
every round gives the network an image like the one before, and better. Recipe, training and checks all run this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..solvers import SplitIterate, first_step, fista, half_quadratic

if TYPE_CHECKING:
    import torch

    from ..operators import ParallelBeam
    from ..priors import TotalVariation

__all__ = ["BLEND", "STARTING", "engine", "first_scale", "smooth_start", "smoothness"]

STARTING = 300  #: iterations of FISTA-TV at most; wide images need most of them
SETTLED, OVER, FEWEST = 1e-5, 10, 50  #: it ends when `OVER` iterations lower its objective by less than this share
FIRST = 0.3  #: ρ of the least squares that the scale is taken from
BLEND = 0.25  #: of the network's last image in the result where nothing was left out to tell; the rest is the data's
SHARE = 0.7  #: of the start's total variation in the rounds


def engine(
    A: ParallelBeam, y: torch.Tensor, prior, noise: float, *, rounds: int, rho: float, align: int = 0
) -> Iterator[SplitIterate]:
    """Rounds for data y (z, angle, column), counted from 1; those of round 0 are total variation on its way.

    In round 1 the network sees total variation's image as it is: a data step before it would bring the noise back.

    Parameters
    ----------
    prior
        The network; see `napari_pfitre.priors.NetworkPrior`.
    noise
        Standard deviation of the noise in one bin of y.
    rho, align
        As in `napari_pfitre.solvers.half_quadratic`; displacements are looked for from round 2 on.
    """
    if prior.scale is None:
        prior.scale = first_scale(A, y)
    for start in smooth_start(A, y, noise):
        yield start
    z = prior.prox(start.z, 1 / (rho * A.diagonal()))
    apart = float((start.z - z).norm() / start.z.norm().clamp_min(1e-30))
    yield start._replace(k=1, z=z, apart=apart, last=rounds == 1)
    smooth = smoothness(A, noise, SHARE)
    for iterate in half_quadratic(A, y, prior, rounds=rounds - 1, rho=rho, align=align, z0=z, smooth=smooth):
        yield iterate._replace(k=iterate.k + 1)


def first_scale(A: ParallelBeam, y: torch.Tensor) -> float:
    """What counts as one in the volume behind y; see `napari_pfitre.priors.network.robust_scale`."""
    from ..priors.network import robust_scale

    return robust_scale(first_step(A, A.adjoint(y.to(A.device)), FIRST * A.diagonal()))


def smooth_start(A: ParallelBeam, y: torch.Tensor, noise: float) -> Iterator[SplitIterate]:
    """FISTA-TV with its automatic weight, as rounds numbered 0: data's and prior's image are one."""
    prior = smoothness(A, noise)
    objectives: list[float] = []
    for i in fista(A, y, prior, iterations=STARTING):
        yield SplitIterate(0, i.x, i.objective, i.residual, i.x, 0.0, math.inf)
        objectives.append(i.objective)
        if len(objectives) > max(OVER, FEWEST) and objectives[-1 - OVER] - i.objective < SETTLED * i.objective:
            return


def smoothness(A: ParallelBeam, noise: float, share: float = 1.0) -> TotalVariation:
    """FISTA-TV's prior with `share` of its automatic weight."""
    from ..priors import TotalVariation

    return TotalVariation(share * noise * math.sqrt(A.diagonal()), dimensions=3, non_negative=True)
