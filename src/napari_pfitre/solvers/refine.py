"""Refinement of an object against its diffraction pattern: maximum likelihood by L-BFGS, with a soft support.

    minimise over x    L(A x) + Σ_r μ (1 − w)/w |x|² + R(x),      w(r) from 1 (inside) to 0 (never)

L is a `Likelihood`, R a prior with a gradient such as `priors.Solid`, or nothing. Nocedal, Math. Comput. 35 (1980) 773,
for the direction; L along it is known without a transform, since A (x + αd) = A x + α A d: so an iteration costs two
Fourier transforms however often the line search looks. Vectors are those voxels alone in which the object may be, a few
per cent, so that the memory of L-BFGS costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from .likelihood import Likelihood
from .shrink_wrap import blurred

__all__ = ["Refined", "refine", "soft_support"]

MEMORY = 8  #: pairs of steps and gradient changes
OUTERMOST = 0.02  #: a soft w below this is 0
TRIES = 8  #: of a line search


class Refined(NamedTuple):
    """One iterate."""

    k: int  #: steps done
    x: torch.Tensor  #: the object, (z, y, x), complex64; written again by a later step that succeeds
    objective: float  #: likelihood, penalty and prior


def soft_support(support: torch.Tensor, sigma: float = 1.0) -> torch.Tensor:
    """Weights w of a support: 1 inside, falling to 0 outside over about σ voxels."""
    if sigma <= 0:
        return support.float()
    w = torch.where(support, 1.0, (2 * blurred(support.float(), sigma)).clamp_(0, 1))
    return w * (w > OUTERMOST)


def refine(
    A,
    amplitude: torch.Tensor,
    x0: torch.Tensor,
    weights: torch.Tensor,
    *,
    iterations: int,
    likelihood: Likelihood | None = None,
    prior: Callable[[torch.Tensor, torch.Tensor], float] | None = None,
    mu: float = 1.0,
    tolerance: float = 0.0,
) -> Iterator[Refined]:
    """Iterates from x0, scaled to fit the data best, until `iterations` or until one gains less than `tolerance`.

    Parameters
    ----------
    A, amplitude
        As for `phasing`: D negative where nothing was measured.
    weights
        w, (z, y, x); bool for a hard support. See `soft_support`.
    prior
        R: called with an object and with where to write its gradient, returns its value.
    mu
        Strength of the penalty; 1 is that of the data.
    tolerance
        Share of the objective that an iteration must gain.
    """
    likelihood = Likelihood() if likelihood is None else likelihood
    amplitude = amplitude.to(A.device, torch.float32).contiguous()
    w = weights.to(A.device, torch.float32).flatten()
    where = torch.nonzero(w).squeeze(1)
    penalty = (mu * (1 - w[where]) / w[where])[:, None]
    shown = torch.zeros(A.domain_shape, dtype=torch.complex64, device=A.device)
    field, change = torch.empty_like(shown), torch.empty_like(shown)
    there, pull = torch.empty_like(shown), torch.empty_like(shown)

    def spread(v: torch.Tensor, into: torch.Tensor) -> torch.Tensor:
        into.zero_().view(-1)[where] = torch.view_as_complex(v)
        return into

    def gradient(v: torch.Tensor) -> torch.Tensor:
        likelihood.pull(field, amplitude, change)
        g = torch.view_as_real(A.adjoint(change, out=change).view(-1)[where])
        return 2 * (g + penalty * v) + known(v)[1]

    def known(v: torch.Tensor) -> tuple[float, torch.Tensor]:
        if prior is None:
            return 0.0, v.new_zeros(())
        value = prior(spread(v, there), pull)
        return value, torch.view_as_real(pull.view(-1)[where])

    v = torch.view_as_real(x0.to(A.device, torch.complex64).reshape(-1)[where]).contiguous()
    A(spread(v, field), out=field)
    scale = best_scale(field, amplitude)
    v, field = v * scale, field.mul_(scale)
    g = gradient(v)
    value = likelihood.along(field, field, amplitude, 0.0)[0] + _dot(penalty * v, v) + known(v)[0]
    pairs: list[tuple[torch.Tensor, torch.Tensor, float]] = []
    for k in range(1, iterations + 1):
        d = direction(g, pairs)
        downhill = _dot(g, d)
        if downhill >= 0:  # the pairs mislead: start them again
            pairs.clear()
            d, downhill = g * -0.5, -0.5 * _dot(g, g)
        if downhill == 0:
            break
        A(spread(d, change), out=change)
        bend, tilt = _dot(penalty * d, d), _dot(penalty * d, v)
        rest = _dot(penalty * v, v)

        def look(step: float, v=v, d=d, bend=bend, tilt=tilt, rest=rest) -> tuple[float, float]:
            data, slope = likelihood.along(field, change, amplitude, step)
            data, slope = data + rest + step * (2 * tilt + step * bend), slope + 2 * (tilt + step * bend)
            if prior is None:
                return data, slope
            value, rise = known(v + step * d)
            return data + value, slope + _dot(rise, d)

        step, reached = line_search(look, value, downhill)
        if step == 0:
            break
        field.add_(change, alpha=step)
        s = d * step
        v = v + s
        g_next = gradient(v)
        y = g_next - g
        if (curvature := _dot(s, y)) > 1e-12 * _dot(y, y):
            pairs = [*pairs[-MEMORY + 1 :], (s, y, curvature)]
        gained, value, g = value - reached, reached, g_next
        yield Refined(k, spread(v, shown), value)
        if gained <= tolerance * abs(value):
            break


def best_scale(field: torch.Tensor, amplitude: torch.Tensor) -> float:
    """c that minimises Σ (c |F| − D)² over what was measured."""
    size = torch.view_as_real(field).square().sum(-1).sqrt_()
    measured = amplitude >= 0
    across = torch.where(measured, size * amplitude, 0).sum(dtype=torch.float64).item()
    own = torch.where(measured, size.square(), 0).sum(dtype=torch.float64).item()
    return across / own if own > 0 else 1.0


def direction(g: torch.Tensor, pairs: list[tuple[torch.Tensor, torch.Tensor, float]]) -> torch.Tensor:
    """−H g by the two loops over the last steps and gradient changes; without any, the projection's own step −g/2."""
    q = g.clone()
    shares = []
    for s, y, curvature in reversed(pairs):
        share = _dot(s, q) / curvature
        q.sub_(y, alpha=share)
        shares.append(share)
    if pairs:
        s, y, curvature = pairs[-1]
        q.mul_(curvature / _dot(y, y))
    else:
        q.mul_(0.5)
    for (s, y, curvature), share in zip(pairs, reversed(shares), strict=True):
        q.add_(s, alpha=share - _dot(y, q) / curvature)
    return q.neg_()


def line_search(look, value: float, slope: float) -> tuple[float, float]:
    """A step that lowers the value by a fair share of what its slope promised, and what is reached; or (0, value).

    The secant of the slopes proposes, sufficient decrease and curvature (Wolfe) accept.
    """
    best = (0.0, value)
    at, before, slope_before = 1.0, 0.0, slope
    for _ in range(TRIES):
        there, slope_there = look(at)
        if there < best[1]:
            best = (at, there)
        if there <= value + 1e-4 * at * slope and abs(slope_there) <= 0.9 * abs(slope):
            return at, there
        bent = slope_there - slope_before
        root = at - slope_there * (at - before) / bent if bent else 2 * at
        if not there < value:  # too far
            proposal = root if 0 < root < at else at / 2
            at = min(max(proposal, 0.1 * at), 0.7 * at)
        else:
            before, slope_before = at, slope_there
            at = min(max(root, 0.3 * at), 3 * at) if root > 0 else 2 * at
    return best


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    """⟨a, b⟩ of (n, 2), summed in float64."""
    return (a * b).sum(dtype=torch.float64).item()
