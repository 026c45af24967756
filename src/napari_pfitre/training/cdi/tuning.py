"""Tuning of CDI-NN's network on measured patterns, without knowing any object: only the modulus counts.

What the network learnt from simulated crystals is where it starts; what its answers' Fourier moduli leave of the
patterns is what it then reduces, slowly. The patterns are shown turned over and at oversamplings a little off, or it
would learn them by heart in a single place. A lower misfit is no proof of a better object: the card says what it was
before and after on the patterns, and on simulated crystals, where objects are known.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...device import resolve_device
from ...errors import OptionError
from ...networks import Card, CrystalNet, load_network, save_network
from ...networks.crystal_frame import frame_of
from ...networks.crystal_net import as_object
from ...preprocess import prepare_pattern
from ...preprocess.cdi_oversampling import oversampling
from ...priors.network import half_precision
from ...results import Progress
from ...scans import CdiScan
from ..keeping import log_line
from ..session import open_folder, seconds_of, threads
from .checks import HeldOutCrystals
from .loop import WEIGHTS, CdiTraining
from .losses import modulus_misfit
from .settings import CdiTrainOptions

__all__ = ["TUNING", "CdiTuning", "tune_cdi"]

TUNING = CdiTrainOptions(minutes=3.0, rate=1e-4)  #: as `train cdi-nn --fine-tune` has it
WIDER = 1.15  #: by how much the estimate from the autocorrelation is too large, in the mean of simulated crystals
JITTER = 0.06  #: of the logarithm of the oversampling


def tune_cdi(
    options: CdiTrainOptions, scans: Sequence[CdiScan], folder: Path, *, weights: Path | None = None,
    resume: bool = False, device: str = "auto",
) -> Generator[Progress, bool | None, Path]:  # fmt: skip
    """Tune on these scans in `folder` and return the path of the weights written there.

    Parameters
    ----------
    weights
        To start from; those that come with the package when not given.

    Raises
    ------
    OptionError, WeightsError, ScanError
        When there are no scans, one of them holds no pattern, the weights are of another network, or the folder holds
        another training.
    """
    where = resolve_device(device)
    if not scans:
        raise OptionError("tuning needs at least one diffraction pattern; name one with --fine-tune")
    with threads(options.threads):
        open_folder(folder, resume)
        net, card = load_network("cdi-nn" if weights is None else weights)
        if not isinstance(net, CrystalNet):
            raise OptionError(f"tuning starts from weights of cdi-nn; {weights} are of {card.architecture}")
        yield Progress(0, seconds_of(options.minutes), "patterns")
        patterns = MeasuredPatterns(options, scans)
        return (yield from CdiTuning(options, where, net, card, patterns).work(folder, resume))


class MeasuredPatterns:
    """Batches of measured patterns in the network's frame."""

    index = 0  #: of simulated crystals: none are used

    def __init__(self, options: CdiTrainOptions, scans: Sequence[CdiScan]):
        self.options = options
        self.names = [scan.name for scan in scans]
        ready = [
            scan if any(step.name == "prepare" for step in scan.history) else prepare_pattern(scan) for scan in scans
        ]
        self.data = [torch.from_numpy(np.ascontiguousarray(scan.intensity, dtype=np.float32)) for scan in ready]
        self.masks = [None if scan.mask is None else torch.from_numpy(np.array(scan.mask)) for scan in ready]
        self.masks = [
            None if mask is None else mask.expand(data.shape) for mask, data in zip(self.masks, self.data, strict=True)
        ]
        self.sampling = [np.array(oversampling(data.numpy())) / WIDER for data in self.data]

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Amplitudes and what is known of them, (b, 32, 32, 32)."""
        rng = np.random.default_rng((self.options.seed, 3, step))
        frames = []
        for at in rng.integers(len(self.data), size=self.options.batch):
            off = self.sampling[at] * np.exp(rng.normal(0, JITTER, 3))
            frame = frame_of(self.data[at], self.masks[at], (float(off[0]), float(off[1]), float(off[2])))
            flips = tuple(int(axis) for axis in np.flatnonzero(rng.random(3) < 0.5))
            parts = [
                part.flip(flips).roll((1,) * len(flips), flips) if flips else part
                for part in (frame.amplitude, frame.known)
            ]
            frames.append(parts)
        amplitude, known = (torch.stack(list(kind)) for kind in zip(*frames, strict=True))
        return amplitude, known


class CdiTuning(CdiTraining):
    """A training whose loss is the modulus' misfit alone."""

    columns = ("step", "minutes", "loss", "rate")
    parts = ()
    resume_hint = "name the weights it started from, or another folder"

    def __init__(self, options: CdiTrainOptions, device: torch.device, net: CrystalNet, card: Card,
                 patterns: MeasuredPatterns):  # fmt: skip
        super().__init__(options, device, net)
        self.stream = self.patterns = patterns
        self.card = card
        self.before = self._misfit(self.average)
        self.after = self.before

    def loss_of(self, batch: Any) -> tuple[torch.Tensor, ...]:
        """The misfit, to be minimised and for the log."""
        amplitude, known = (part.to(self.device) for part in batch)
        with half_precision(self.device):
            answer = self.net(amplitude, known)
        misfit = modulus_misfit(as_object(answer), amplitude, known).mean()
        return misfit, misfit

    def text(self) -> str:
        return f"step {self.step}, misfit {self.loss or self.before:.4f} (before {self.before:.4f})"

    def check(self, folder: Path) -> None:
        self.after = self._misfit(self.average)
        log_line(folder, self.columns, **self.figures())

    def export(self, folder: Path) -> Path:
        self.check(folder)
        simulated = HeldOutCrystals(self.device, count=32)(self.average)
        card = Card(
            "cdi-nn", "crystal-net", self.average.config,
            training={"data": f"tuned on {', '.join(self.patterns.names)}", "from": self.card.sha256, **self.history()},
            metrics={
                "modulus misfit on the patterns": {"before": round(self.before, 5), "after": round(self.after, 5)},
                "32 held-out crystals, 1e6 photons": {k: round(v, 4) for k, v in simulated._asdict().items()},
            },
            failures=self.card.failures,
        )  # fmt: skip
        path = folder / WEIGHTS
        save_network(self.average, path, card)
        return path

    @torch.no_grad()
    def _misfit(self, net: torch.nn.Module) -> float:
        """Mean over all patterns as they stand."""
        found = []
        for data, mask, sampling in zip(self.patterns.data, self.patterns.masks, self.patterns.sampling, strict=True):
            frame = frame_of(data, mask, (float(sampling[0]), float(sampling[1]), float(sampling[2])))
            amplitude, known = frame.amplitude[None].to(self.device), frame.known[None].to(self.device)
            with half_precision(self.device):
                answer = net(amplitude, known)
            found.append(float(modulus_misfit(as_object(answer), amplitude, known)))
        return float(np.mean(found))
