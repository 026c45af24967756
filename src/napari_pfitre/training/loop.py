"""The training: scenes through the engine, batches from the pool, AdamW, an average of the weights.

A generator like a run: it yields `Progress` and returns the weights' path. Send it True and it writes what it has. All
that is random comes from the seed and a counter, so a training goes on from a checkpoint nearly as it would have: the
pool fills again with the scenes that follow, the rate follows the clock, and so does what workers have ready.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch

from ..device import resolve_device
from ..errors import WeightsError
from ..networks import Card, SlabNet, load_network, save_network
from ..priors.network import half_precision
from ..results import Progress
from ..twin.measured import as_object
from .checks import HeldOut, Result, usual_figures
from .iterates import stream
from .keeping import WEIGHTS, log_line, read_checkpoint, write_checkpoint
from .learner import Learner
from .losses import image_loss
from .pool import Pool
from .session import open_folder, seconds_of, threads
from .settings import TrainOptions

__all__ = ["train"]

COLUMNS = ("step", "minutes", "loss", "rate", *Result._fields)


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
        training.held_out = HeldOut(folder, options.size, where)
        write_checkpoint(folder, training.state())
        with stream(options, training.index, training.average, where, folder, measured) as source:
            training.pool = Pool(options, source, training.index, where)
            yield from training.run(folder)
        return training.export(folder)


class Training(Learner):
    """Of a network that learns from the pool's iterates."""

    columns = COLUMNS
    log_every = 200
    average_over = 1000
    weight_decay = 1e-4
    counted = "scenes"
    resume_hint = "give the same width and blocks, or another folder"

    options: TrainOptions

    def __init__(self, options: TrainOptions, device: torch.device):
        torch.manual_seed(options.seed)
        super().__init__(SlabNet(width=options.width, blocks=options.blocks), options, device)
        self.scenes = 0
        self.pool: Pool | None = None
        self.held_out: HeldOut | None = None
        self.result: Result | None = None
        self.origin = ""  #: sha256 of the weights it started from

    @property
    def index(self) -> int:
        return self.scenes if self.pool is None else self.pool.index

    @index.setter
    def index(self, value: int) -> None:
        self.scenes = value

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

    def next_loss(self) -> tuple[torch.Tensor, ...]:
        """The share of the images' errors that is left, to be minimised and for the log."""
        assert self.pool is not None
        if self.step % self.options.refresh == 0 or not self.pool.cases:
            self.pool.refresh()
        batch = self.pool.batch(self.step, self.net.slices)
        with half_precision(self.device):
            image = self.net(batch.slab, batch.hidden, batch.told)
        loss = image_loss(image.float(), batch.truth, batch.given)
        return loss, loss

    def text(self) -> str:
        quality = "" if self.result is None else f", loop {self.result.loop:.1f} dB (TV {self.result.fista_tv:.1f})"
        return f"step {self.step}{quality}"

    def check(self, folder: Path) -> None:
        assert self.held_out is not None
        self.result = self.held_out(self.average)
        log_line(folder, self.columns, **self.figures(), **self.result._asdict())

    def export(self, folder: Path) -> Path:
        """The averaged network with its card."""
        self.check(folder)
        assert self.held_out is not None
        card = Card(
            "pfitre", "slab-net", self.average.config,
            training={
                "data": "napari_pfitre.twin.scenes.Scenes, through the engine's own loop",
                "started from": self.origin or "nothing", "scenes": self.index, **self.history(),
            },
            metrics={"circuits held out, PSNR in dB": self.held_out.by_wedge(self.average)},
            usual=usual_figures(self.average, self.options.size, self.options.slices, self.device),
        )  # fmt: skip
        path = folder / WEIGHTS
        save_network(self.average, path, card)
        return path
