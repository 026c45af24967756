"""Scenes on their way through the engine: at any moment, what the network will meet when it is used.

Every scene starts as the engine does, or as another method's image, goes some rounds through the loop with the averaged
network of the moment, and then makes room for another. So the inputs are the loop's own iterates, from the first to the
last, and follow the network as it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import torch

from ..operators import ParallelBeam
from ..operators.coverage import unmeasured_part
from ..priors import NetworkPrior
from ..priors.network import condition, robust_scale, slabs
from ..priors.orientation import Orientation, orientation
from ..recipes.engine import smooth_start
from ..recipes.noise import noise_of, relative_noise
from ..solvers import data_step, fbp, first_step
from ..twin.measured import Measured
from ..twin.objects import MIXTURE
from ..twin.scenes import Scene, Scenes
from .settings import TrainOptions

__all__ = ["Batch", "Case", "Pool", "scenes_ahead"]

DATA_STEPS = 4  #: of conjugate gradients a round, as in the engine
TRUE_INPUTS = 1 / 16  #: of a batch
SPOILT = 0.4  #: times as often as in `Scenes`: from what nobody could mend there is little to learn
BACK_PROJECTED = 0.05  #: of the scenes start from a back-projection
PLAIN = 0.1  #: from least squares; the others from total variation


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
    """One scene in the engine."""

    def __init__(self, scene: Scene, rng: np.random.Generator, rounds: int, device: torch.device):
        n = scene.sinograms.shape[-1]
        self.A = ParallelBeam(scene.angles, n, device=device)
        y = torch.from_numpy(scene.sinograms).to(device)
        self.b = self.A.adjoint(y)
        diagonal = self.A.diagonal()
        self.rho = diagonal * float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
        start = first_step(self.A, self.b, diagonal * float(np.exp(rng.uniform(np.log(0.15), np.log(0.6)))))
        self.scale = robust_scale(start)
        self.x = self._begun(y, start, rng)
        self.truth = torch.from_numpy(scene.truth).to(device)
        self.noise = relative_noise(scene.sinograms)
        self.turned = orientation(scene.angles)
        self.told = condition(scene.angles, n, self.noise, self.turned).to(device)
        self.rounds_left = int(rng.integers(0, rounds))
        self._prior: NetworkPrior | None = None

    def _begun(self, y: torch.Tensor, start: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """What the network sees first: as in the engine, or, now and then, another method's image."""
        kind = rng.random()
        if kind < BACK_PROJECTED:
            return fbp(self.A, y).clamp_(min=0)
        if kind < BACK_PROJECTED + PLAIN:
            return start
        noise = noise_of(y.cpu().numpy()) * float(np.exp(rng.uniform(np.log(0.7), np.log(2))))
        *_, smooth = smooth_start(self.A, y, noise)
        return data_step(self.A, self.b, smooth.z, self.rho, steps=DATA_STEPS)

    def advance(self, net: torch.nn.Module) -> None:
        """One round of the loop."""
        if self._prior is None:
            self._prior = NetworkPrior(net, self.A.angles, self.noise, scale=self.scale)
        z = self._prior.prox(self.x, 1 / self.rho)
        self.x = data_step(self.A, self.b, z, self.rho, steps=DATA_STEPS)
        self.rounds_left -= 1

    def example(self, rng: np.random.Generator, slices: int, size: int, mask: torch.Tensor) -> Batch:
        """A part of a slice in its slab, as the network sees it."""
        source = self.truth if rng.random() < TRUE_INPUTS else self.x
        row = torch.tensor([int(rng.integers(len(source)))])
        hidden = unmeasured_part(source[row], mask)[:, None]
        i, j = (int(rng.integers(n - size + 1)) for n in source.shape[-2:])
        window = (..., slice(i, i + size), slice(j, j + size))
        factor = float(np.exp(rng.uniform(-0.2, 0.2))) / self.scale
        # As the prior turns it; half a turn more changes nothing of what was measured.
        turned = Orientation(self.turned.turns + 2 * int(rng.integers(2)), self.turned.flip)
        parts = (slabs(source, row, slices), hidden, self.truth[row][:, None])
        slab, hidden, truth = (turned.of(part[window] * factor) for part in parts)
        return Batch(slab, hidden, self.told[None], truth)

    def mask(self, net: torch.nn.Module) -> torch.Tensor:
        """The frequencies nobody measured, as the prior of this scan has them."""
        if self._prior is None:
            self._prior = NetworkPrior(net, self.A.angles, self.noise, scale=self.scale)
        return self._prior.mask(self.x)


class Pool:
    """So many cases; each `refresh` moves the next one on, or replaces it when it has gone far enough."""

    def __init__(self, options: TrainOptions, scenes: Iterator[Scene], first: int, device: torch.device):
        self.options, self.device = options, device
        self._scenes, self._index = scenes, first
        self.cases: list[Case] = []
        self._next = 0

    @property
    def index(self) -> int:
        """Of the scene that comes next: with the seed it says where a training stands in the stream."""
        return self._index

    def refresh(self, net: torch.nn.Module) -> None:
        if len(self.cases) < self.options.pool:
            self.cases.append(self._new())
            # Grown with cases of all ages, or the whole pool would be of one age.
            while len(self.cases) > 1 and self.cases[-1].rounds_left > self.options.rounds // 2:
                self.cases[-1].advance(net)
            return
        at = self._next % len(self.cases)
        self._next += 1
        if self.cases[at].rounds_left > 0:
            self.cases[at].advance(net)
        else:
            self.cases[at] = self._new()

    def batch(self, step: int, net: torch.nn.Module) -> Batch:
        """The same for the same step, seed and pool."""
        rng = np.random.default_rng((self.options.seed, 2, step))
        parts = []
        for at in rng.integers(len(self.cases), size=self.options.batch):
            case = self.cases[at]
            parts.append(case.example(rng, net.slices, self.options.size, case.mask(net)))
        return Batch(*(torch.cat(kind) for kind in zip(*parts, strict=True)))

    def _new(self) -> Case:
        scene = next(self._scenes)
        rng = np.random.default_rng((self.options.seed, 1, self._index))
        self._index += 1
        return Case(scene, rng, self.options.rounds, self.device)


def scenes_ahead(
    options: TrainOptions, first: int, own: tuple[Measured, ...] = ()
) -> tuple[Iterator[Scene], Callable[[], None]]:
    """Scenes from `first` on, made here or ahead by workers; and what ends the workers.

    With objects of one's own, they are half of what is shown: a network that saw nothing else would forget the rest.
    """
    mixture = (*((kind, share / 2) for kind, share in MIXTURE), ("own", 0.5)) if own else MIXTURE
    scene = partial(_scene, options, mixture, own)
    if not options.workers:
        return (scene(index) for index in _from(first)), lambda: None
    pool = ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"))

    def ahead() -> Iterator[Scene]:
        waiting: list[Future] = []
        for index in _from(first):
            waiting.append(pool.submit(scene, index))
            if len(waiting) > 3 * options.workers:
                yield waiting.pop(0).result()

    return ahead(), lambda: pool.shutdown(wait=False, cancel_futures=True)


def _from(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def _scene(options: TrainOptions, mixture: tuple, own: tuple[Measured, ...], index: int) -> Scene:
    """Scene `index`; its width is drawn too, in steps of 16 pixels."""
    rng = np.random.default_rng((options.seed, 0, index))
    size = int(rng.choice(np.arange(options.size, options.size * options.largest + 1, 16)))
    scenes = Scenes(options.seed, size=size, slices=options.slices, spoil=SPOILT, mixture=mixture, own=own)
    return scenes[index]
