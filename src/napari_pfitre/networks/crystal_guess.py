"""What `CrystalNet` makes of a pattern of any size: several answers, and what they agree on.

A pattern turned over has its crystal turned over; the network, which is no function of that symmetry, answers a little
differently each time. The first tries use the oversampling that was given, the others that of the best shape found by
then. Their mean, those counting most that fit the pattern best, is nearer to the crystal than any of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional as F

from .crystal_frame import Frame, frame_of, oversampling_of
from .crystal_net import BOX, INNER, PIXELS, CrystalNet, as_object, transform, twin

__all__ = ["Guess", "best_guess", "guesses"]

#: Axes reversed, and whether the last two are exchanged: the first tries differ the most.
VIEWS: tuple[tuple[tuple[int, ...], bool], ...] = tuple(
    (flips, swap) for swap in (False, True) for flips in ((), (-3,), (-2,), (-1,), (-3, -2), (-3, -1), (-2, -1), PIXELS)
)
FIRST = 2  #: tries with the oversampling that was given
SPREAD = 0.01  #: of misfit: by so much more an answer counts 1/e as much


class Guess(NamedTuple):
    """An object at the voxels of its pattern."""

    psi: torch.Tensor  #: (z, y, x), complex64
    shape: torch.Tensor  #: (z, y, x), float32: how sure it is that the crystal is there, 0 to 1
    misfit: float  #: Σ (c |F psi| − a)² / Σ a² in the network's frame
    oversampling: tuple[float, float, float]  #: by the shape found


class Answer(NamedTuple):
    psi: torch.Tensor  #: (24, 24, 24), complex
    shape: torch.Tensor  #: (24, 24, 24)
    misfit: float
    frame: Frame


def best_guess(net: CrystalNet, intensity: torch.Tensor, mask: torch.Tensor | None,
               oversampling: tuple[float, float, float], tries: int = 8) -> Guess:  # fmt: skip
    """What several tries agree on; see `guesses`."""
    return guesses(net, intensity, mask, oversampling, tries, 1)[0]


@torch.no_grad()
def guesses(net: CrystalNet, intensity: torch.Tensor, mask: torch.Tensor | None,
            oversampling: tuple[float, float, float], tries: int = 8, keep: int = 1) -> list[Guess]:  # fmt: skip
    """What several tries agree on, and after it the best of them: `keep` in all.

    Parameters
    ----------
    intensity, mask
        (z, y, x), the peak near index n // 2; the mask is True where nothing was measured, or None.
    oversampling
        A first estimate along each axis, within a third or so.
    tries
        How often the network is asked; more cost time and are nearer to the crystal.
    """
    first = min(FIRST, tries)
    found = _answers(net, frame_of(intensity, mask, oversampling), range(first))
    together = found
    if tries > first:
        again = frame_of(intensity, mask, oversampling_of(found[0].shape, found[0].frame))
        second = _answers(net, again, range(tries - first))
        together = min(found, second, key=lambda answers: answers[0].misfit)
        found = sorted(found + second, key=lambda answer: answer.misfit)
    if len(together) > 1:
        found = [_agreed(together), *found]
    return [
        Guess(a.frame.back(a.psi), a.frame.back(a.shape), a.misfit, oversampling_of(a.shape, a.frame))
        for a in found[:keep]
    ]


def _agreed(answers: Sequence[Answer]) -> Answer:
    """The mean of answers in one frame, best first: each one's twin and phase as is nearest to the best."""
    best = answers[0]
    psi, shape, total = torch.zeros_like(best.psi), torch.zeros_like(best.shape), 0.0
    for answer in answers:
        weight = math.exp(-(answer.misfit - best.misfit) / SPREAD)
        pairs = (answer.psi, answer.shape), (twin(answer.psi), twin(answer.shape))
        likeness, near, solid = max(
            (((best.psi * one.conj()).sum(), one, solid) for one, solid in pairs), key=lambda pair: abs(pair[0])
        )
        psi += weight * near * torch.sgn(likeness)
        shape += weight * solid
        total += weight
    psi, shape = psi / total, shape / total
    return Answer(psi, shape, _misfit(psi, best.frame), best.frame)


def _answers(net: CrystalNet, frame: Frame, views: Sequence[int]) -> list[Answer]:
    """The network's answers to several views of a frame, turned back, best first."""
    from ..priors.network import half_precision

    chosen = [VIEWS[i % len(VIEWS)] for i in views]
    amplitude, known = (
        torch.stack([_turned(part, *view) for view in chosen]) for part in (frame.amplitude, frame.known)
    )
    with half_precision(amplitude.device):
        answer = net(amplitude, known)
    objects, shapes = as_object(answer), torch.sigmoid(answer[:, 0])
    found = []
    for psi, shape, view in zip(objects, shapes, chosen, strict=True):
        psi, shape = _turned_back(psi, *view), _turned_back(shape, *view)
        found.append(Answer(psi, shape, _misfit(psi, frame), frame))
    return sorted(found, key=lambda answer: answer.misfit)


def _misfit(psi: torch.Tensor, frame: Frame) -> float:
    edge = (BOX - INNER) // 2
    modulus = transform(F.pad(psi, (edge,) * 6)).abs() * frame.known
    fit, own = (modulus * frame.amplitude).sum(), modulus.square().sum().clamp(min=1e-12)
    return float(1 - fit.square() / (own * frame.amplitude.square().sum().clamp(min=1e-12)))


def _turned(x: torch.Tensor, flips: tuple[int, ...], swap: bool) -> torch.Tensor:
    """Axes reversed about index n // 2, then exchanged."""
    x = x.flip(flips).roll((1,) * len(flips), flips) if flips else x
    return x.transpose(-1, -2) if swap else x


def _turned_back(x: torch.Tensor, flips: tuple[int, ...], swap: bool) -> torch.Tensor:
    x = x.transpose(-1, -2) if swap else x
    return x.flip(flips).roll((1,) * len(flips), flips) if flips else x
