"""The training of CDI-NN's network: batches of simulated crystals, AdamW, an average of the weights.

A generator like a run: it yields `Progress` and returns the weights' path. Send it True and it writes what it has. All
that is random comes from the seed and a counter, so a training goes on from a checkpoint as it would have, but for the
earlier crystals it plays again, which fill up anew.
"""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from ...device import device_name, resolve_device
from ...errors import WeightsError
from ...networks import Card, save_network
from ...networks.crystal_net import CrystalNet, as_object
from ...options import as_dict
from ...priors.network import half_precision
from ...results import Progress
from ..keeping import log_line, read_checkpoint, write_checkpoint
from ..session import open_folder, seconds_of, threads
from .checks import CdiResult, HeldOutCrystals
from .data import Batch, CrystalStream
from .losses import crystal_loss, modulus_misfit
from .settings import CdiTrainOptions

__all__ = ["train_cdi"]

WEIGHTS = "cdi-nn.safetensors"
AVERAGE = 0.998  #: of the weights, kept each step; less in the beginning
WARM_UP = 200  #: steps until the full learning rate
SHOW_EVERY = 1.0  #: seconds
LOG_EVERY = 100  #: steps
FAILURES = (
    "strong strain: above about 3 rad peak to peak the phase is right in part of the crystal only",
    "dislocations and faults are smoothed over",
    "crystals that nearly have a centre of symmetry: parts of both twins may be mixed",
    "oversampling below 1.6, or estimated more than a quarter wrong",
)
COLUMNS = ("step", "minutes", "loss", "rate", "shape_loss", "phase_loss", "modulus_loss", *CdiResult._fields)


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


class CdiTraining:
    """Network, average, optimiser and how far they have come."""

    columns: Sequence[str] = COLUMNS
    resume_hint = "go on with the version that started it, or take another folder"

    def __init__(self, options: CdiTrainOptions, device: torch.device, net: CrystalNet | None = None):
        torch.manual_seed(options.seed)
        self.options, self.device = options, device
        self.net = (CrystalNet() if net is None else net).to(device)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=options.rate, betas=(0.9, 0.99), weight_decay=1e-3)
        self.stream: Stream = CrystalStream(options)
        self.step = 0
        self.seconds = 0.0
        self.losses: deque[tuple[float, ...]] = deque(maxlen=LOG_EVERY)
        self.held_out: HeldOutCrystals | None = None
        self.result: CdiResult | None = None

    def work(self, folder: Path, resume: bool) -> Generator[Progress, bool | None, Path]:
        """From the first step, or the last that was saved, to the weights."""
        if resume:
            self.take_up(read_checkpoint(folder), folder)
        yield from self.run(folder)
        return self.export(folder)

    def take_up(self, state: dict[str, Any], folder: Path) -> None:
        """Go on from a checkpoint."""
        if state.get("config") != self.net.config:
            raise WeightsError(
                f"the training in {folder} has a network of {state.get('config')}, the options ask for "
                f"{self.net.config}; {self.resume_hint}"
            )
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.stream.index = state["step"], state["seconds"], state["crystals"]

    def state(self) -> dict[str, Any]:
        return {
            "config": self.net.config, "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "crystals": self.stream.index,
            "seconds": self.seconds, "options": as_dict(self.options),
        }  # fmt: skip

    def run(self, folder: Path) -> Generator[Progress, bool | None, None]:
        """Steps until the time is over or someone asks to stop; a checkpoint at the end in any case."""
        total = seconds_of(self.options.minutes)
        last = shown = saved = checked = time.monotonic()
        stop: bool | None = False
        while self.seconds < total and not stop:
            self.learn()
            now = time.monotonic()
            self.seconds += now - last
            last = now
            if now - checked > 60 * self.options.check_every:
                self.check(folder)
                checked = time.monotonic()
            if self.step % LOG_EVERY == 0:
                log_line(folder, self.columns, **self.figures())
            if now - saved > 60 * self.options.save_every:
                write_checkpoint(folder, self.state())
                saved = time.monotonic()
            if now - shown > SHOW_EVERY:
                shown = now
                stop = yield Progress(min(total, int(self.seconds)), total, self.text(), self.loss)
        write_checkpoint(folder, self.state())

    def learn(self) -> None:
        """One step."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.net.train()
        loss, *figures = self.loss_of(self.stream.batch(self.step))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(AVERAGE, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        self.losses.append(tuple(float(figure.detach()) for figure in figures))

    def loss_of(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """What is minimised; then shape, phase and modulus, for the log."""
        amplitude, known, psi, support = (part.to(self.device) for part in batch)
        with half_precision(self.device):
            answer = self.net(amplitude, known)
        shape, phase = (part.mean() for part in crystal_loss(answer, psi, support))
        misfit = modulus_misfit(as_object(answer), amplitude, known).mean()
        return shape + phase + self.options.modulus * misfit, shape, phase, misfit

    @property
    def rate(self) -> float:
        """The learning rate: up over the first steps, then down a cosine over the time given."""
        share = min(1.0, self.seconds / seconds_of(self.options.minutes))
        return self.options.rate * min(1, (self.step + 1) / WARM_UP) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * share))

    @property
    def loss(self) -> float:
        """Of shape and phase, over the last steps."""
        return sum(values[0] + values[1] for values in self.losses) / max(len(self.losses), 1)

    def text(self) -> str:
        quality = "" if self.result is None else f", IoU {self.result.iou:.3f}, phase {self.result.phase:.2f} rad"
        return f"step {self.step}{quality}"

    def check(self, folder: Path) -> None:
        self.held_out = self.held_out or HeldOutCrystals(self.device)
        self.result = self.held_out(self.average)
        found = {name: value for name, value in self.result._asdict().items() if name != "loss"}
        log_line(folder, self.columns, **self.figures(), **found)

    def figures(self) -> dict[str, float]:
        """For the log."""
        kinds = zip(*self.losses, strict=True) if self.losses else ((0.0,),) * 3
        shape, phase, modulus = (sum(kind) / len(kind) for kind in kinds)
        return {
            "step": self.step, "minutes": self.seconds / 60, "loss": shape + phase, "rate": self.rate,
            "shape_loss": shape, "phase_loss": phase, "modulus_loss": modulus,
        }  # fmt: skip

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

    def history(self) -> dict[str, Any]:
        """How the weights came to be."""
        return {
            "steps": self.step, "hours": round(self.seconds / 3600, 3), "device": device_name(self.device),
            **as_dict(self.options),
        }  # fmt: skip
