"""What counts as good, for a crystal and its twin alike.

A pattern is that of psi(r), of exp(iα) psi(r) and of the twin conj(psi(−r)). The phase α is chosen best, and the better
of the two twins counts: which one the network gives is its own choice. A crystal fills a twentieth of the box; the
shape is judged by cross-entropy and by overlap, under which an empty box is no good answer.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ...networks.crystal_net import BOX, INNER, PIXELS, transform, twin

__all__ = ["crystal_loss", "inner", "modulus_misfit"]

EDGE = (BOX - INNER) // 2


def inner(box: torch.Tensor) -> torch.Tensor:
    """The part of the box where a crystal can be."""
    return box[..., EDGE:-EDGE, EDGE:-EDGE, EDGE:-EDGE]


def crystal_loss(answer: torch.Tensor, psi: torch.Tensor, support: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shape and phase of an answer (b, 3, 24, 24, 24) for known objects, one value each for each crystal.

    Parameters
    ----------
    psi, support
        (b, 24, 24, 24): the object, complex, and how much of each voxel is crystal.
    """
    pairs = []
    for truth, solid in ((psi, support), (twin(psi), twin(support))):
        pairs.append((_shape_loss(answer[:, 0], solid), _phase_loss(answer[:, 1:], truth)))
    (shape, phase), (shape_t, phase_t) = pairs
    other = shape_t + phase_t < shape + phase
    return torch.where(other, shape_t, shape), torch.where(other, phase_t, phase)


def modulus_misfit(psi: torch.Tensor, amplitude: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Σ (c |F psi| − a)² / Σ a² where measured, with the best c, for each pattern (b,); psi is (b, 24, 24, 24)."""
    modulus = transform(F.pad(psi, (EDGE,) * 6)).abs() * known
    amplitude = amplitude * known
    fit, own = (modulus * amplitude).sum(PIXELS), modulus.square().sum(PIXELS).clamp(min=1e-9)
    return 1 - fit.square() / (own * amplitude.square().sum(PIXELS).clamp(min=1e-9))


def _shape_loss(logit: torch.Tensor, solid: torch.Tensor) -> torch.Tensor:
    entropy = F.binary_cross_entropy_with_logits(logit, solid, reduction="none").sum(PIXELS)
    shape = torch.sigmoid(logit)
    both, either = (shape * solid).sum(PIXELS), (shape + solid - shape * solid).sum(PIXELS)
    return entropy / solid.sum(PIXELS).clamp(min=1) + (1 - both / either.clamp(min=1))


def _phase_loss(direction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean |exp(−iα) u − exp(iφ)|² over the crystal, u no longer than 1: short where the phase is not known."""
    u = torch.complex(direction[:, 0], direction[:, 1]) / (1 + direction.square().sum(1)).sqrt()
    weight = truth.abs()
    # Σ w |u|² + w − 2 |Σ w u exp(−iφ)|: the best α makes the sum real
    product = (u * truth.conj()).sum(PIXELS).abs()
    mass = weight.sum(PIXELS).clamp(min=1e-6)
    return ((weight * (u.real.square() + u.imag.square())).sum(PIXELS) - 2 * product) / mass + 1
