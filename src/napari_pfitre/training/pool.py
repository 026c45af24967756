"""What a training learns from at a moment: a pool of iterates, and the batches drawn from it."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

import numpy as np
import torch

from ..operators.coverage import unmeasured, unmeasured_part
from ..priors.network import condition, slabs
from ..priors.orientation import orientation
from .iterates import Iterate, Stream
from .settings import TrainOptions

__all__ = ["Batch", "Case", "Pool"]

TRUE_INPUTS = 1 / 16  #: of a batch
PATIENCE = 0.05  #: seconds between two looks whether a worker has something


class Batch(NamedTuple):
    """Inputs and targets in units of their volumes' scales."""

    slab: torch.Tensor  #: (b, slices, y, x)
    hidden: torch.Tensor  #: (b, 1, y, x)
    told: torch.Tensor  #: (b, conditions)
    truth: torch.Tensor  #: (b, 1, y, x)

    @property
    def given(self) -> torch.Tensor:
        """The slabs' middle slices, which the network is to mend, (b, 1, y, x)."""
        return self.slab[:, self.slab.shape[1] // 2, None]


class Case:
    """An iterate with all that goes with it into a batch."""

    def __init__(self, iterate: Iterate, device: torch.device):
        self.given, self.truth = (torch.from_numpy(part).to(device) for part in (iterate.given, iterate.truth))
        self.scale = iterate.scale
        self.turned = orientation(iterate.angles)
        self.told = condition(iterate.angles, iterate.given.shape[-1], iterate.noise, self.turned).to(device)
        self.mask = torch.as_tensor(unmeasured(iterate.angles, iterate.given.shape[1:]), device=device)

    @property
    def width(self) -> int:
        """Of its slices, pixels."""
        return self.given.shape[-1]

    def example(self, rng: np.random.Generator, slices: int) -> Batch:
        """A slice in its slab, as the network sees it: all of it, since a wedge smears things across all of it."""
        source = self.truth if rng.random() < TRUE_INPUTS else self.given
        row = torch.tensor([int(rng.integers(len(source)))])
        hidden = unmeasured_part(source[row], self.mask)[:, None]
        factor = float(np.exp(rng.uniform(-0.2, 0.2))) / self.scale
        turned = self.turned.half_turned if rng.random() < 0.5 else self.turned  # as the prior does in turns
        parts = (slabs(source, row, slices), hidden, self.truth[row][:, None])
        slab, hidden, truth = (turned.of(part * factor) for part in parts)
        return Batch(slab, hidden, self.told[None], truth)


class Pool:
    """The latest iterates; each `refresh` lets those of one more scene in, if they are ready."""

    def __init__(self, options: TrainOptions, source: Stream, first: int, device: torch.device):
        self.options, self.device = options, device
        self.cases: deque[Case] = deque(maxlen=options.pool)
        self._source, self._index = source, first

    @property
    def index(self) -> int:
        """Of the scene that comes next: with the seed it says where a training stands in the stream."""
        return self._index

    def refresh(self) -> None:
        while (found := next(self._source)) is None and not self.cases:
            time.sleep(PATIENCE)
        if found is not None:
            self.cases.extend(Case(iterate, self.device) for iterate in found)
            self._index += 1

    def batch(self, step: int, slices: int) -> Batch:
        """Slices of one width, the same for the same step, seed and pool; fewer of wide ones."""
        rng = np.random.default_rng((self.options.seed, 2, step))
        width = self.cases[int(rng.integers(len(self.cases)))].width
        alike = [case for case in self.cases if case.width == width]
        drawn = rng.integers(len(alike), size=max(1, round(self.options.batch * (self.options.size / width) ** 2)))
        parts = [alike[at].example(rng, slices) for at in drawn]
        return Batch(*(torch.cat(kind) for kind in zip(*parts, strict=True)))
