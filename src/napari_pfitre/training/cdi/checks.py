"""How good a network is on crystals that no training sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ...networks.crystal_net import PIXELS, as_object, twin
from ...priors.network import half_precision
from ...twin.crystals import Crystals
from .data import IN_FRAME, _arrays, stacked
from .losses import crystal_loss, modulus_misfit

__all__ = ["CdiResult", "HeldOutCrystals"]

HELD_OUT = 2**31 - 1000  #: seeds from here on are for checks alone
PHOTONS = 1e6
WEAK = 3.0  #: radians, peak to peak; below is weakly strained


class CdiResult(NamedTuple):
    """Means over the crystals, modulo twin and global phase."""

    iou: float  #: of the supports
    phase: float  #: root mean square error in the true support, radians
    phase_weak: float  #: of the weakly strained ones
    misfit: float  #: of the modulus
    loss: float


class HeldOutCrystals:
    """Crystals with a million photons and a clean detector.

    Parameters
    ----------
    device
        Where to compute.
    """

    def __init__(self, device: torch.device, count: int = 64, batch: int = 16):
        crystals = Crystals(HELD_OUT, **IN_FRAME, photons=(PHOTONS, PHOTONS), spoil=0.0)
        made = [crystals[i] for i in range(count)]
        self.weak = np.array([crystal.strain < WEAK for crystal in made])
        parts = [_arrays(crystal) for crystal in made]
        self.device = device
        self.batches = [stacked(parts[i : i + batch]) for i in range(0, count, batch)]

    @torch.no_grad()
    def __call__(self, net: torch.nn.Module) -> CdiResult:
        rows = []
        for batch in self.batches:
            amplitude, known, psi, support = (part.to(self.device) for part in batch)
            with half_precision(self.device):
                answer = net(amplitude, known)
            shape, phase = crystal_loss(answer, psi, support)
            rows.append(
                torch.stack([
                    *errors(answer, psi, support), modulus_misfit(as_object(answer), amplitude, known), shape + phase,
                ]).cpu().numpy()
            )  # fmt: skip
        iou, phase, misfit, loss = np.concatenate(rows, axis=1)
        columns = (iou, phase, phase[self.weak], misfit, loss)
        return CdiResult(*(float(column.mean()) if column.size else float("nan") for column in columns))


def errors(answer: torch.Tensor, psi: torch.Tensor, support: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Overlap of the supports, and phase error in the true one, of the twin that agrees better; for each crystal."""
    found = []
    given, predicted = as_object(answer), torch.sigmoid(answer[:, 0]) > 0.5
    for truth, solid in ((psi, support > 0.5), (twin(psi), twin(support) > 0.5)):
        overlap = (predicted & solid).sum(PIXELS) / (predicted | solid).sum(PIXELS).clamp(min=1)
        product = torch.where(solid, given * truth.conj(), 0)
        likeness = product.sum(PIXELS, keepdim=True)
        turned = torch.angle(product * likeness.conj())
        count = solid.sum(PIXELS).clamp(min=1)
        error = (turned.square().sum(PIXELS) / count).sqrt()
        found.append((likeness.abs().flatten(), overlap, error))
    other = found[1][0] > found[0][0]
    return torch.where(other, found[1][1], found[0][1]), torch.where(other, found[1][2], found[0][2])
