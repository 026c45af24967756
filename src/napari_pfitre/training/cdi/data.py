"""What the network learns from: simulated crystals as it will see them, new ones and earlier ones turned over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from ...networks.crystal_net import BOX
from ...twin.crystals import Crystal, Crystals
from .losses import inner
from .settings import CdiTrainOptions

__all__ = ["IN_FRAME", "Batch", "CrystalStream", "stacked"]

#: How crystals look in the network's frame: about twofold oversampling, for its estimate is some per cent off, and
#: centred to a part of a voxel.
IN_FRAME: Mapping[str, Any] = {"size": BOX, "oversampling": (1.6, 2.6), "anisotropy": 1.45, "off_centre": 0.25}


class Batch(NamedTuple):
    """Patterns and their objects."""

    amplitude: torch.Tensor  #: (b, 32, 32, 32)
    known: torch.Tensor  #: (b, 32, 32, 32)
    psi: torch.Tensor  #: (b, 24, 24, 24), complex
    support: torch.Tensor  #: (b, 24, 24, 24)


class CrystalStream:
    """Batches by their step; the same for the same step and seed, but for the earlier crystals after a resumption."""

    def __init__(self, options: CdiTrainOptions, first: int = 0):
        self.options, self.index = options, first  #: of the crystal that comes next
        self.crystals = Crystals(options.seed, **IN_FRAME)
        self._memory: list[Crystal] = []

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self.options.seed, 2, step))
        earlier = round(self.options.batch * self.options.replayed) if len(self._memory) >= self.options.batch else 0
        chosen = [self._memory[i] for i in rng.integers(0, max(1, len(self._memory)), earlier)]
        for _ in range(self.options.batch - earlier):
            crystal = self.crystals[self.index]
            if len(self._memory) < self.options.memory:
                self._memory.append(crystal)
            else:
                self._memory[self.index % self.options.memory] = crystal
            self.index += 1
            chosen.append(crystal)
        return stacked([_turned_over(rng, *_arrays(crystal)) for crystal in chosen])


def stacked(parts: list[tuple[np.ndarray, ...]]) -> Batch:
    """Amplitude, known, object and support of several crystals."""
    amplitude, known, psi, support = (torch.from_numpy(np.stack(kind)) for kind in zip(*parts, strict=True))
    return Batch(amplitude, known, inner(psi), inner(support))


def _arrays(crystal: Crystal) -> tuple[np.ndarray, ...]:
    return np.sqrt(crystal.intensity), (~crystal.mask).astype(np.float32), crystal.object, crystal.support


def _turned_over(rng: np.random.Generator, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same crystal with axes exchanged and reversed, in the pattern and in the object alike."""
    order, flips = rng.permutation(3), tuple(int(axis) for axis in np.flatnonzero(rng.random(3) < 0.5))
    turned = (part.transpose(order) for part in arrays)
    # reversed about index n // 2, where both the pattern and the object have their zero
    return tuple(np.ascontiguousarray(np.roll(np.flip(part, flips), (1,) * len(flips), flips)) for part in turned)
