"""The training: scenes through the engine, batches from the pool, AdamW, an average of the weights.

A generator like a run: it yields `Progress` and returns the weights' path. Send it True and it writes what it has. All
that is random comes from the seed and a counter, so a training goes on from a checkpoint nearly as it would have: the
pool fills again with the scenes that follow, the rate follows the clock, and so does what workers have ready.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..device import device_name, resolve_device
from ..errors import WeightsError
from ..networks import Card, SlabNet, load_network, save_network
from ..options import as_dict
from ..priors.network import half_precision
from ..results import Progress
from ..twin.measured import as_object
from .checks import HeldOut, Result, usual_figures
from .iterates import stream
from .keeping import WEIGHTS, log_line, read_checkpoint, write_checkpoint
from .losses import image_loss
from .pool import Pool
from .session import open_folder, seconds_of, threads
from .settings import TrainOptions

__all__ = ["train"]

AVERAGE = 0.999  #: of the weights, kept each step; less in the beginning
WARM_UP = 200  #: steps until the full learning rate
SHOW_EVERY = 1.0  #: seconds
LOG_EVERY = 200  #: steps


def train(
    options: TrainOptions, folder: Path, *, resume: bool = False, device: str = "auto",
    weights: str | Path | None = None, own: Sequence[np.ndarray] = (),
) -> Generator[Progress, bool | None, Path]:  # fmt: skip
    """Train in `folder` and return the path of the weights written there.

    Parameters
    ----------
    weights
        To start from, rather than from nothing: a file, or "pfitre" for those that come with the package.
    own
        Volumes (z, y, x) to learn from as well: reconstructions of full turns of what is to be scanned.

    Raises
    ------
    OptionError, WeightsError
        When the folder holds another training and `resume` does not say to go on with it, or none to go on with.
    """
    where = resolve_device(device)
    with threads(options.threads):
        open_folder(folder, resume)
        training = Training(options, where)
        measured = tuple(as_object(volume) for volume in own)
        if weights is not None:
            training.start_from(weights)
        if resume:
            training.take_up(read_checkpoint(folder), folder)
        yield Progress(0, seconds_of(options.minutes), "held-out circuits: FISTA-TV as the mark to beat")
        held_out = HeldOut(folder, options.size, where)
        write_checkpoint(folder, training.state(training.scenes))
        with stream(options, training.scenes, training.average, where, folder, measured) as source:
            pool = Pool(options, source, training.scenes, where)
            yield from training.run(pool, held_out, folder)
        return training.export(folder, held_out)


class Training:
    """Network, average, optimiser and how far they have come."""

    def __init__(self, options: TrainOptions, device: torch.device):
        torch.manual_seed(options.seed)
        self.options, self.device = options, device
        self.net = SlabNet(width=options.width, blocks=options.blocks).to(device)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        # The second moment follows within a hundred steps: an unusual batch then moves the weights by one rate at most.
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=options.rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.step = self.scenes = 0
        self.seconds = 0.0
        self.losses: deque[float] = deque(maxlen=LOG_EVERY)
        self.result: Result | None = None
        self.origin = ""  #: sha256 of the weights it started from

    def start_from(self, weights: str | Path) -> None:
        """Begin with the weights of another training."""
        net, card = load_network(weights)
        if card.config != self.net.config:
            raise WeightsError(
                f"the weights {weights} are of a network of {card.config}, the options ask for {self.net.config}; give "
                "the same width and blocks, or other weights"
            )
        self.net.load_state_dict(net.state_dict())
        self.average.load_state_dict(net.state_dict())
        self.origin = card.sha256

    def take_up(self, state: dict[str, Any], folder: Path) -> None:
        """Go on from a checkpoint."""
        if state.get("config") != self.net.config:
            raise WeightsError(
                f"the training in {folder} has a network of {state.get('config')}, the options ask for "
                f"{self.net.config}; give the same width and blocks, or another folder"
            )
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.scenes, self.seconds = state["step"], state["scenes"], state["seconds"]

    def state(self, scenes: int) -> dict[str, Any]:
        """All that a training goes on from, the next scene's number included."""
        return {
            "config": self.net.config, "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "scenes": scenes,
            "seconds": self.seconds, "options": as_dict(self.options),
        }  # fmt: skip

    def run(self, pool: Pool, held_out: HeldOut, folder: Path) -> Generator[Progress, bool | None, None]:
        """Steps until the time is over or someone asks to stop; a checkpoint at the end in any case."""
        total = seconds_of(self.options.minutes)
        last = shown = saved = checked = time.monotonic()
        stop: bool | None = False
        while self.seconds < total and not stop:
            self.learn(pool)
            now = time.monotonic()
            self.seconds += now - last
            last = now
            if now - checked > 60 * self.options.check_every:
                self.check(held_out, folder)
                checked = time.monotonic()
            if self.step % LOG_EVERY == 0:
                log_line(folder, step=self.step, minutes=self.seconds / 60, loss=self.loss, rate=self.rate)
            if now - saved > 60 * self.options.save_every:
                write_checkpoint(folder, self.state(pool.index))
                saved = time.monotonic()
            if now - shown > SHOW_EVERY:
                shown = now
                stop = yield Progress(min(total, int(self.seconds)), total, self.text(), self.loss)
        self.scenes = pool.index
        write_checkpoint(folder, self.state(pool.index))

    def learn(self, pool: Pool) -> None:
        """One step."""
        if self.step % self.options.refresh == 0 or not pool.cases:
            pool.refresh()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        batch = pool.batch(self.step, self.net.slices)
        self.net.train()
        with half_precision(self.device):
            image = self.net(batch.slab, batch.hidden, batch.told)
        loss = image_loss(image.float(), batch.truth, batch.given)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        self.losses.append(loss.item())

    @property
    def rate(self) -> float:
        """The learning rate: up over the first steps, then down a cosine over the time given."""
        share = min(1.0, self.seconds / seconds_of(self.options.minutes))
        return self.options.rate * min(1, (self.step + 1) / WARM_UP) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * share))

    @property
    def loss(self) -> float:
        return sum(self.losses) / max(len(self.losses), 1)

    def text(self) -> str:
        quality = "" if self.result is None else f", loop {self.result.loop:.1f} dB (TV {self.result.fista_tv:.1f})"
        return f"step {self.step}{quality}"

    def check(self, held_out: HeldOut, folder: Path) -> None:
        self.result = held_out(self.average)
        log_line(folder, step=self.step, minutes=self.seconds / 60, loss=self.loss, rate=self.rate,
                 **self.result._asdict())  # fmt: skip

    def export(self, folder: Path, held_out: HeldOut) -> Path:
        """The averaged network with its card."""
        self.check(held_out, folder)
        card = Card(
            "pfitre", "slab-net", self.average.config,
            training={
                "data": "napari_pfitre.twin.scenes.Scenes, through the engine's own loop", "steps": self.step,
                "started from": self.origin or "nothing",
                "scenes": self.scenes, "hours": round(self.seconds / 3600, 3), "device": device_name(self.device),
                **as_dict(dataclasses.replace(self.options)),
            },
            metrics={"circuits held out, PSNR in dB": held_out.by_wedge(self.average)},
            usual=usual_figures(self.average, self.options.size, self.options.slices, self.device),
        )  # fmt: skip
        path = folder / WEIGHTS
        save_network(self.average, path, card)
        return path
