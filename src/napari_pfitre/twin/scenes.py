"""An endless stream of small random scans to learn from, each with its truth.

  >>> scenes = Scenes(seed=1, size=32, slices=3)
  >>> scene = scenes[17]                        # the same whoever asks, and in whatever order
  >>> scene.truth.shape, scene.sinograms.shape[::2]
  ((3, 32, 32), (3, 32))

Objects come from `objects.MIXTURE`; the angles lie anywhere, in one arc or several; what is spoilt, how often and
how much stands in `FLAWS`. Drawn twice as fine as the truth and projected by `sweep`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from ..errors import OptionError
from ..scans import TomoScan
from . import beyond
from . import imperfections as spoil
from .grid import Grid, Phantom
from .measured import Measured
from .objects import MIXTURE, specimen
from .plan import kept_projections, planned_arcs

__all__ = ["FLAWS", "Flaw", "Scene", "Scenes"]

FINER = 2


class Flaw(NamedTuple):
    """How often something is spoilt, and between which strengths, on a logarithmic scale."""

    often: float
    least: float
    most: float


FLAWS: Mapping[str, Flaw] = {
    "overfill": Flaw(0.15, 0.1, 0.5),  # how much larger than the field of view
    "surroundings": Flaw(0.15, 0.15, 1.0),  # density, relative to metal
    "hot spots": Flaw(0.15, 1.5, 12.0),  # density, relative to metal
    "lost": Flaw(0.1, 0.05, 0.3),  # part of the projections
    "jitter": Flaw(0.5, 0.1, 1.5),  # pixels
    "drift": Flaw(0.3, 0.2, 2.0),  # pixels
    "slips": Flaw(0.15, 1.5, 7.0),  # pixels, of one projection in twenty-five
    "centre error": Flaw(0.3, 0.1, 1.5),  # pixels, to either side
    "angle error": Flaw(0.2, 0.05, 0.5),  # degrees
    "background": Flaw(0.4, 0.005, 0.1),  # relative to the largest line integral
    "blur": Flaw(0.6, 1.0, 5.0),  # pixels, full width at half maximum
    "beam drift": Flaw(0.2, 0.003, 0.03),  # relative
    "rings": Flaw(0.2, 0.002, 0.02),  # relative
    "normal noise": Flaw(0.7, 0.002, 0.03),  # relative to the largest line integral
    "photon noise": Flaw(0.4, 0.005, 0.04),  # relative, of the open beam: 1 / √photons
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A scan of a known object."""

    truth: np.ndarray  #: (z, y, x), float32; 1 is metal
    image: np.ndarray  #: the truth as sharp as the scan shows it: the volume whose projections the data are
    sinograms: np.ndarray  #: (row, angle, column), float32, line integrals in pixels × truth
    angles: np.ndarray  #: (angle,), radians, as planned
    shifts: np.ndarray  #: (angle, 2): row, column in pixels; what jitter, drift and slips did
    axis: float  #: column of the rotation axis; the plan was the detector's middle
    kind: str  #: of object
    missing: float  #: degrees, all gaps together
    spoilt: Mapping[str, float]  #: every one of `FLAWS` with its strength; 0 is off

    def scan(self) -> TomoScan:
        """As a recipe takes it: planned angles and axis, displacements unknown."""
        return TomoScan(self.sinograms.transpose(1, 0, 2), self.angles, "line integrals", name=f"simulated {self.kind}")


@dataclass(frozen=True)
class Scenes:
    """Scenes by their index, without end. Equal seeds and settings give equal scenes, in any process and order.

    The object and the angles of a scene stay as they are when the rest is left clean.
    """

    seed: int
    size: int = 128  #: columns
    slices: int = 5
    missing: tuple[float, float] = (0.0, 120.0)  #: degrees
    angles: tuple[int, int] = (30, 180)  #: projections, before some are lost
    spoil: float = 1.0  #: times how often each flaw comes; 0 is never
    mixture: tuple[tuple[str, float], ...] = MIXTURE
    flaws: Mapping[str, Flaw] = field(default_factory=lambda: FLAWS)
    own: tuple[Measured, ...] = ()  #: what the kind "own" in the mixture is

    def __post_init__(self):
        for name, (low, high), bounds in (("missing", self.missing, (0, 179)), ("angles", self.angles, (1, 10000))):
            if not bounds[0] <= low <= high <= bounds[1]:
                raise OptionError(
                    f"{name} should be two numbers from {bounds[0]} to {bounds[1]}, the lower first, not {low}, {high}"
                )

        if not self.own and any(kind == "own" and share for kind, share in self.mixture):
            raise OptionError('the mixture has the kind "own", but no volume is given; name one, or leave the kind out')

    def __iter__(self) -> Iterator[Scene]:
        return self.every()

    def every(self, step: int = 1, start: int = 0) -> Iterator[Scene]:
        """Every `step`-th scene from `start` on: what one of `step` workers makes."""
        return (self[index] for index in count(start, step))

    def __getitem__(self, index: int) -> Scene:
        if index < 0:
            raise OptionError(f"scenes are counted from 0 and have no end; there is none with index {index}")
        from .sweep import sweep  # numba takes a second to load

        streams = np.random.SeedSequence((self.seed, index)).spawn(7)
        dice, plan, things, outside, motion, beam, noise = (np.random.default_rng(stream) for stream in streams)
        flaws = self._flaws(dice)
        count_ = round(float(np.exp(plan.uniform(*np.log(self.angles)))))
        missing = float(plan.uniform(*self.missing))
        arcs = 1 if plan.random() < 0.8 else int(plan.integers(2, 5))
        planned = planned_arcs(plan, count_, missing, float(plan.uniform(0, 180)), arcs)
        kept = kept_projections(plan, count_, flaws["lost"])
        actual = planned + np.deg2rad(spoil.angle_errors(motion, count_, flaws["angle error"]))
        axis = (self.size - 1) / 2 + flaws["centre error"] * float(plan.choice([-1, 1]))
        shifts = spoil.displacements(motion, count_, flaws["jitter"], flaws["drift"])
        shifts += spoil.slips(motion, count_, flaws["slips"])
        # Rows are aligned before anything else, by their mass; and the slab has one slice more at either end.
        shifts[:, 0] = np.clip(shifts[:, 0] / 4, -1, 1)

        planned, actual, shifts = planned[kept], actual[kept], shifts[kept]
        grid = Grid.cubic(self.size, self.slices)
        above = grid.slab(-1, self.slices + 1)
        thing = specimen(things, above.height, self.mixture, flaws["overfill"], self.own)
        fine, beside = self._drawn(thing, above, flaws["overfill"] / 2)
        truth = _mean(fine, beside, self.size)
        lines = sweep(fine, actual, self.size, centre=axis, shifts=shifts[:, 1], factor=FINER)
        largest = float(lines.max())
        extras = [
            draw(outside, above.height, flaws[name])
            for name, draw in (("surroundings", beyond.surroundings), ("hot spots", beyond.hot_spots))
            if flaws[name]
        ]
        for extra in extras:
            fine, beside = self._drawn(extra, above, (beyond.REACH - 1) / 2)
            truth += _mean(fine, beside, self.size)
            lines += sweep(fine, actual, self.size, centre=axis, shifts=shifts[:, 1], factor=FINER)
        data = _spoilt(_moved(lines, shifts[:, 0]), largest, flaws, beam, noise)
        truth = np.ascontiguousarray(truth[1:-1])
        return Scene(
            truth, spoil.blurred(truth, flaws["blur"], axes=(0, 1, 2)) if flaws["blur"] else truth,
            np.ascontiguousarray(data.transpose(1, 0, 2), dtype=np.float32),
            planned, shifts, axis, thing.kind, missing, flaws,
        )  # fmt: skip

    def _flaws(self, dice: np.random.Generator) -> dict[str, float]:
        """The strength of every flaw; the dice are thrown whether they count or not."""
        strengths = {}
        for name, flaw in self.flaws.items():
            on, at = dice.random() < self.spoil * flaw.often, dice.random()
            strengths[name] = float(flaw.least * (flaw.most / flaw.least) ** at) if on else 0.0
        return strengths

    def _drawn(self, thing: Phantom, grid: Grid, beside: float) -> tuple[np.ndarray, int]:
        """The fine raster, and by how many of the truth's pixels it is wider on each side."""
        pixels = int(np.ceil(self.size * beside))
        return thing.rasterise(grid.wider(pixels).finer(1, FINER)), pixels


def _mean(fine: np.ndarray, beside: int, size: int) -> np.ndarray:
    """The field of view in pixels of the truth."""
    seen = slice(beside * FINER, (beside + size) * FINER)
    inside = fine[:, seen, seen]
    return inside.reshape(len(fine), size, FINER, size, FINER).mean(axis=(2, 4))


def _moved(lines: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Projections displaced along the axis by up to one row; the outermost rows go."""
    down, up = (np.maximum(sign * rows, 0).astype(np.float32)[:, None, None] for sign in (1, -1))
    return (1 - down - up) * lines[:, 1:-1] + down * lines[:, :-2] + up * lines[:, 2:]


def _spoilt(
    lines: np.ndarray,
    largest: float,
    flaws: Mapping[str, float],
    beam: np.random.Generator,
    noise: np.random.Generator,
) -> np.ndarray:
    """What background, optics, beam and detector make of line integrals, (angle, row, column)."""
    # In units of absorption while photons are counted; a scene of nothing has no units.
    unit = float(noise.uniform(0.5, 3)) / largest if largest > 0 else 1.0
    data = lines * np.float32(unit)
    n_angles, n_rows, n_columns = data.shape
    if flaws["background"]:
        data += spoil.background(beam, data.shape, flaws["background"] * unit * largest)
    if flaws["blur"]:
        data = spoil.blurred(data, flaws["blur"])
    if flaws["beam drift"]:
        data -= np.log(spoil.beam_drift(beam, n_angles, flaws["beam drift"])).astype(np.float32)[:, None, None]
    if flaws["rings"]:
        data -= np.log(spoil.pixel_gains(beam, n_rows, n_columns, flaws["rings"])).astype(np.float32)
    if flaws["photon noise"]:
        photons = flaws["photon noise"] ** -2
        counts = noise.poisson(photons * np.exp(-data))
        data = -np.log(np.maximum(counts, 0.5) / photons).astype(np.float32)
    if flaws["normal noise"]:
        data = data + np.float32(flaws["normal noise"] * unit * largest) * noise.standard_normal(
            data.shape, dtype=np.float32
        )
    return data / np.float32(unit)
