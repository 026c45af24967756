"""The training of CDI-NN's network: batches of simulated crystals, AdamW, an average of the weights.

A generator like a run: it yields `Progress` and returns the weights' path. Send it True and it writes what it has. All
that is random comes from the seed and a counter, so a training goes on from a checkpoint as it would have, but for the
earlier crystals it plays again, which fill up anew.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from ...device import resolve_device
from ...networks import Card, save_network
from ...networks.crystal_net import CrystalNet, as_object
from ...priors.network import half_precision
from ...results import Progress
from ..keeping import log_line, read_checkpoint
from ..learner import Learner
from ..session import open_folder, seconds_of, threads
from .checks import CdiResult, HeldOutCrystals
from .data import Batch, CrystalStream
from .losses import crystal_loss, modulus_misfit
from .settings import CdiTrainOptions

__all__ = ["train_cdi"]

WEIGHTS = "cdi-nn.safetensors"
FAILURES = (
    "strong strain: above about 3 rad peak to peak the phase is right in part of the crystal only",
    "dislocations and faults are smoothed over",
    "crystals that nearly have a centre of symmetry: parts of both twins may be mixed",
    "oversampling below 1.6, or estimated more than a quarter wrong",
)
PARTS = ("shape_loss", "phase_loss", "modulus_loss")
COLUMNS = ("step", "minutes", "loss", "rate", *PARTS, *CdiResult._fields)


def train_cdi(
    options: CdiTrainOptions, folder: Path, *, resume: bool = False, device: str = "auto"
) -> Generator[Progress, bool | None, Path]:
    """Train in `folder` and return the path of the weights written there.

    Raises
    ------
    OptionError, WeightsError
        When the folder holds another training and `resume` does not say to go on with it, or none to go on with.
    """
    where = resolve_device(device)
    with threads(options.threads):
        open_folder(folder, resume)
        yield Progress(0, seconds_of(options.minutes), "held-out crystals")
        return (yield from CdiTraining(options, where).work(folder, resume))


class Stream(Protocol):
    """What there is to learn from."""

    index: int  #: of the crystal that comes next

    def batch(self, step: int) -> Any: ...


class CdiTraining(Learner):
    """Of a network that learns from simulated crystals."""

    columns: Sequence[str] = COLUMNS
    parts: Sequence[str] = PARTS
    log_every = 100
    average_over = 500
    weight_decay = 1e-3
    counted = "crystals"
    resume_hint = "go on with the version that started it, or take another folder"

    options: CdiTrainOptions

    def __init__(self, options: CdiTrainOptions, device: torch.device, net: CrystalNet | None = None):
        torch.manual_seed(options.seed)
        super().__init__(CrystalNet() if net is None else net, options, device)
        self.stream: Stream = CrystalStream(options)
        self.held_out: HeldOutCrystals | None = None
        self.result: CdiResult | None = None

    @property
    def index(self) -> int:
        return self.stream.index

    @index.setter
    def index(self, value: int) -> None:
        self.stream.index = value

    def work(self, folder: Path, resume: bool) -> Generator[Progress, bool | None, Path]:
        """From the first step, or the last that was saved, to the weights."""
        if resume:
            self.take_up(read_checkpoint(folder), folder)
        yield from self.run(folder)
        return self.export(folder)

    def next_loss(self) -> tuple[torch.Tensor, ...]:
        return self.loss_of(self.stream.batch(self.step))

    def loss_of(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """What is minimised; then shape and phase together, and each part."""
        amplitude, known, psi, support = (part.to(self.device) for part in batch)
        with half_precision(self.device):
            answer = self.net(amplitude, known)
        shape, phase = (part.mean() for part in crystal_loss(answer, psi, support))
        misfit = modulus_misfit(as_object(answer), amplitude, known).mean()
        return shape + phase + self.options.modulus * misfit, shape + phase, shape, phase, misfit

    def text(self) -> str:
        quality = "" if self.result is None else f", IoU {self.result.iou:.3f}, phase {self.result.phase:.2f} rad"
        return f"step {self.step}{quality}"

    def check(self, folder: Path) -> None:
        self.held_out = self.held_out or HeldOutCrystals(self.device)
        self.result = self.held_out(self.average)
        found = {name: value for name, value in self.result._asdict().items() if name != "loss"}
        log_line(folder, self.columns, **self.figures(), **found)

    def export(self, folder: Path) -> Path:
        """The averaged network with its card."""
        self.check(folder)
        assert self.result is not None
        assert self.held_out is not None
        crystals = f"{len(self.held_out.weak)} held-out crystals, 1e6 photons"
        card = Card(
            "cdi-nn", "crystal-net", self.average.config,
            training={
                "data": "napari_pfitre.twin.crystals.Crystals in the network's frame",
                "crystals": self.stream.index, **self.history(),
            },
            metrics={crystals: {name: round(value, 4) for name, value in self.result._asdict().items()}},
            failures=FAILURES,
        )  # fmt: skip
        path = folder / WEIGHTS
        save_network(self.average, path, card)
        return path
