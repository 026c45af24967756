"""What every training is: a network and its average, AdamW, the time there is, and how far it has come.

Each kind says what the next batch's loss is, how good the network is meanwhile, and what stands in log and progress.
"""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..device import device_name
from ..errors import WeightsError
from ..options import as_dict
from ..results import Progress
from .keeping import log_line, write_checkpoint
from .session import seconds_of

__all__ = ["WARM_UP", "Learner"]

WARM_UP = 200  #: steps until the full learning rate
SHOW_EVERY = 1.0  #: seconds
LEAST = 0.01  #: of the full rate, at the end


class Schedule(Protocol):
    """Of the options of a training, those that every one has; minutes."""

    @property
    def minutes(self) -> float: ...

    @property
    def rate(self) -> float: ...

    @property
    def save_every(self) -> float: ...

    @property
    def check_every(self) -> float: ...


class Learner(ABC):
    """A training between two steps."""

    columns: Sequence[str]  #: of the log
    parts: Sequence[str] = ()  #: of them, what `next_loss` tells beside the loss
    log_every: int  #: steps
    average_over: int  #: steps: what the averaged weights remember; fewer in the beginning
    weight_decay: float
    counted: str  #: what `index` counts, by its name in a checkpoint
    resume_hint: str  #: what to do when a checkpoint is of another network

    def __init__(self, net: nn.Module, options: Schedule, device: torch.device):
        self.options, self.device = options, device
        self.net: Any = net.to(device)
        self.average: Any = copy.deepcopy(self.net).eval().requires_grad_(False)
        # The second moment follows within a hundred steps: an unusual batch then moves the weights by one rate at most.
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=options.rate, betas=(0.9, 0.99), weight_decay=self.weight_decay
        )
        self.step = 0
        self.seconds = 0.0
        self.losses: deque[tuple[float, ...]] = deque(maxlen=self.log_every)

    @property
    @abstractmethod
    def index(self) -> int:
        """Of what comes next to learn from; with the seed it says where the training stands in its stream."""

    @index.setter
    @abstractmethod
    def index(self, value: int) -> None: ...

    @abstractmethod
    def next_loss(self) -> tuple[torch.Tensor, ...]:
        """Of the next batch: what is minimised; then the loss as the log has it, and its `parts`."""

    @abstractmethod
    def check(self, folder: Path) -> None:
        """See how good the averaged network is, and write it into the log."""

    @abstractmethod
    def text(self) -> str:
        """For the progress."""

    @property
    def loss(self) -> float:
        """Mean of the last steps."""
        return self._mean(0)

    def figures(self) -> dict[str, float]:
        """For the log."""
        parts = {name: self._mean(i) for i, name in enumerate(self.parts, 1)}
        return {"step": self.step, "minutes": self.seconds / 60, "loss": self.loss, "rate": self.rate, **parts}

    def _mean(self, i: int) -> float:
        return sum(values[i] for values in self.losses) / max(len(self.losses), 1)

    @property
    def rate(self) -> float:
        """The learning rate: up over the first steps, then down a cosine over the time given."""
        share = min(1.0, self.seconds / seconds_of(self.options.minutes))
        return self.options.rate * min(1, (self.step + 1) / WARM_UP) * max(LEAST, 0.5 + 0.5 * math.cos(math.pi * share))

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
        self.step, self.seconds, self.index = state["step"], state["seconds"], state[self.counted]

    def state(self) -> dict[str, Any]:
        """All that it goes on from."""
        return {
            "config": self.net.config, "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, self.counted: self.index,
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
            if self.step % self.log_every == 0:
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
        loss, *told = self.next_loss()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(1 - 1 / self.average_over, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        self.losses.append(tuple(float(value.detach()) for value in told))

    def history(self) -> dict[str, Any]:
        """How the weights came to be, for their card."""
        return {
            "steps": self.step, "hours": round(self.seconds / 3600, 3), "device": device_name(self.device),
            **as_dict(self.options),
        }  # fmt: skip
