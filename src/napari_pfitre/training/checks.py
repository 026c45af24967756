"""How good a network is on circuits that no training sees: one pass, the loop, and FISTA-TV at its best beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..metrics import disc_mask, psnr
from ..operators import ParallelBeam
from ..priors import NetworkPrior, TotalVariation
from ..recipes.engine import BLEND, engine
from ..recipes.noise import noise_of, relative_noise
from ..recipes.pfitre import PfitreOptions
from ..solvers import fista, last
from ..twin import SimulateOptions, simulate
from ..twin.scenes import Scenes

__all__ = ["Check", "HeldOut", "Result"]

HELD_OUT = 2**31 - 1000  #: seeds from here on are for checks alone
WEDGES = (60.0, 96.0, 110.0)  #: degrees missing
TV_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)  #: times the automatic one; the best is chosen with the truth in hand
USUAL = PfitreOptions()  #: the loop as it is run


class Result(NamedTuple):
    """Mean PSNR over the circuits, dB."""

    one_pass: float
    loop_x: float  #: the iterate that fits the data
    loop_z: float  #: the network's
    loop: float  #: their mean, which is PFITRE's result
    fista_tv: float  #: with the best of some weights


class Check(NamedTuple):
    """A scan with its truth, ready for the engine."""

    A: ParallelBeam
    y: torch.Tensor
    truth: np.ndarray
    noise: float
    missing: float

    def quality(self, x: torch.Tensor) -> float:
        mask = disc_mask(self.truth.shape[-1])
        return psnr(self.truth, x.cpu().numpy(), data_range=float(np.ptp(self.truth)), mask=mask)


class HeldOut:
    """Circuits at three wedges, 1 % noise, processes that rotate with the seed.

    Parameters
    ----------
    folder
        Where the figures of FISTA-TV are kept: they never change.
    """

    def __init__(self, folder: Path, size: int, device: torch.device, count: int = 6, slices: int = 5):
        self.checks = [_circuit(i, size, slices, device) for i in range(count)]
        self._path = folder / f"fista-tv-{size}-{count}-{slices}.json"
        self.fista_tv = self._oracle()

    def __call__(self, net: torch.nn.Module) -> Result:
        figures = np.mean([self._engine(net, check) for check in self.checks], axis=0)
        return Result._make([*(float(figure) for figure in figures), float(np.mean(self.fista_tv))])

    def by_wedge(self, net: torch.nn.Module) -> dict[str, dict[str, float]]:
        """The same for each wedge."""
        found: dict[str, dict[str, float]] = {}
        rows = [(*self._engine(net, check), tv) for check, tv in zip(self.checks, self.fista_tv, strict=True)]
        for wedge in WEDGES:
            mine = [row for row, check in zip(rows, self.checks, strict=True) if check.missing == wedge]
            if mine:
                values = np.mean(mine, axis=0)
                found[f"{wedge:g}°"] = {k: round(float(v), 2) for k, v in zip(Result._fields, values, strict=True)}
        return found

    @staticmethod
    def _engine(net: torch.nn.Module, check: Check) -> tuple[float, ...]:
        prior = NetworkPrior(net, check.A.angles, check.noise)
        noise = noise_of(check.y.cpu().numpy())
        rounds = [i for i in engine(check.A, check.y, prior, noise, rounds=USUAL.rounds, rho=USUAL.rho) if i.k]
        x, z = rounds[-1].x, rounds[-1].z
        return tuple(check.quality(image) for image in (rounds[0].z, x, z, torch.lerp(x, z, BLEND)))

    def _oracle(self) -> list[float]:
        if self._path.exists():
            return json.loads(self._path.read_text(encoding="utf-8"))
        found = [max(_fista_tv(check, weight) for weight in TV_WEIGHTS) for check in self.checks]
        self._path.write_text(json.dumps(found), encoding="utf-8")
        return found


def usual_figures(
    net: torch.nn.Module, size: int, slices: int, device: torch.device, count: int = 12
) -> dict[str, float]:
    """What the engine's own figures come to on random scenes: above the 95th percentile, data are unlike these.

    `apart` is ‖x − z‖ / ‖x‖ in the last round, `residual` ‖A x − y‖ / ‖y‖.
    """
    scenes = Scenes(HELD_OUT, size=size, slices=slices)
    apart, residual = [], []
    for index in range(count):
        scene = scenes[index]
        A = ParallelBeam(scene.angles, size, device=device)
        y = torch.from_numpy(scene.sinograms).to(device)
        prior = NetworkPrior(net, scene.angles, relative_noise(scene.sinograms))
        end = last(engine(A, y, prior, noise_of(scene.sinograms), rounds=USUAL.rounds, rho=USUAL.rho))
        apart.append(end.apart)
        residual.append(end.residual)
    return {"apart": float(np.quantile(apart, 0.95)), "residual": float(np.quantile(residual, 0.95))}


def _circuit(index: int, size: int, slices: int, device: torch.device) -> Check:
    missing = WEDGES[index % len(WEDGES)]
    made = simulate(
        SimulateOptions(
            process="any", size=size, slices=slices, angles=121, missing=missing, wedge_centre=90.0 - 37 * index,
            noise=0.01, seed=HELD_OUT + index,
        )
    )  # fmt: skip
    y = torch.from_numpy(made.scan.sinograms(slice(0, slices)))
    A = ParallelBeam(made.scan.angles, size, centre=made.scan.middle, device=device)
    return Check(A, y.to(device), made.truth.data, relative_noise(y.numpy()), missing)


def _fista_tv(check: Check, weight: float) -> float:
    strength = weight * noise_of(check.y.cpu().numpy()) * check.A.diagonal() ** 0.5
    prior = TotalVariation(strength, dimensions=3, non_negative=True)
    return check.quality(last(fista(check.A, check.y, prior, iterations=150)).x)
