"""An endless stream of simulated diffraction patterns of single crystals, each with its truth.

  >>> crystals = Crystals(seed=1, size=32)
  >>> crystal = crystals[17]                     # the same whoever asks, and in whatever order
  >>> crystal.intensity.shape, crystal.object.dtype
  ((32, 32, 32), dtype('complex64'))

Shapes come from `crystal_shapes`, phases from `crystal_phases`. The crystal is drawn twice as fine as the voxels a
reconstruction has, with edges smoothed over a voxel of that raster, and its Fourier transform is summed directly at the
detector's voxels, wherever they lie: no FFT, no periodic box, and no grid in common with a reconstruction.
What is spoilt, how often and how much stands in `FLAWS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from ..errors import OptionError
from ..results import Volume
from ..scans import CdiScan
from .crystal_phases import FIELDS, random_phase
from .crystal_shapes import SHAPES, random_shape
from .diffraction import blurred, fourier_sum, gaps, measured
from .scenes import Flaw

__all__ = ["FLAWS", "Crystal", "Crystals"]

FINER = 2  #: points of the drawing per voxel and axis

FLAWS: Mapping[str, Flaw] = {
    "background": Flaw(0.4, 0.0005, 0.05),  # of the crystal's photons, spread evenly
    "blur": Flaw(0.4, 0.2, 1.0),  # voxels, full width at half maximum: partial coherence and the voxels' own size
    "gaps": Flaw(0.12, 1.0, 3.0),  # voxels, of the dead strips between a detector's modules
    "beamstop": Flaw(0.04, 1.0, 2.5),  # voxels, radius
    "hot pixels": Flaw(0.05, 1e-5, 3e-4),  # part of the voxels
}


@dataclass(frozen=True, eq=False)
class Crystal:
    """A pattern of a known object."""

    intensity: np.ndarray  #: (frame, row, column), float32, photons; 0 where masked
    mask: np.ndarray  #: same shape, bool; True where nothing was measured
    object: np.ndarray  #: same shape, complex64, at the voxels' scale; centre of mass on index n // 2
    support: np.ndarray  #: same shape, float32, part of each voxel that is crystal
    oversampling: tuple[float, float, float]  #: array over bounding box, for each axis
    strain: float  #: peak to peak of the smooth part of the phase, radians
    photons: float  #: of the crystal, expected
    kind: str  #: of shape and field
    spoilt: Mapping[str, float]  #: every one of `FLAWS` with its strength; 0 is off

    def scan(self) -> CdiScan:
        """As a recipe takes it: the peak's place unknown."""
        return CdiScan(self.intensity, self.mask if self.mask.any() else None, name=f"simulated {self.kind}")

    def truth(self) -> Volume:
        """As a recipe would return it."""
        solid = self.support > 0.5
        layers = {
            "phase": np.where(solid, np.angle(self.object), 0).astype(np.float32),
            "support": solid.astype(np.float32),
        }
        return Volume(np.abs(self.object), name=f"true {self.kind}", unit="amplitude", layers=layers)


@dataclass(frozen=True)
class Crystals:
    """Crystals by their index, without end. Equal seeds and settings give equal ones, in any process and order.

    The object stays as it is when photons, centring or flaws are changed.
    """

    seed: int
    size: int | tuple[int, int, int] = 64  #: voxels along each axis
    oversampling: tuple[float, float] = (1.5, 5.0)  #: least and most along any axis
    anisotropy: float = 1.6  #: at most, of one axis' oversampling to another's
    strain: tuple[float, float] = (0.0, 7.0)  #: peak to peak, radians
    flat: float = 0.08  #: part of the crystals without any strain
    photons: tuple[float, float] = (1e4, 1e8)
    off_centre: float = 1.0  #: voxels, standard deviation along each axis; at most twice as much
    spoil: float = 1.0  #: times how often each flaw comes; 0 is never
    shapes: Mapping[str, float] = field(default_factory=lambda: SHAPES)
    fields: Mapping[str, float] = field(default_factory=lambda: FIELDS)
    flaws: Mapping[str, Flaw] = field(default_factory=lambda: FLAWS)

    def __post_init__(self):
        for name, (low, high), bounds in (
            ("oversampling", self.oversampling, (1, 20)), ("photons", self.photons, (1, 1e15)),
            ("strain", self.strain, (0, 100)),
        ):  # fmt: skip
            if not bounds[0] <= low <= high <= bounds[1]:
                raise OptionError(
                    f"{name} should be two numbers from {bounds[0]:g} to {bounds[1]:g}, the lower first, not "
                    f"{low:g}, {high:g}"
                )
        if min(self.shape) < 8:
            raise OptionError(f"a pattern should have at least 8 voxels along each axis, not {min(self.shape)}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns)"""
        return (self.size,) * 3 if isinstance(self.size, int) else self.size

    def __iter__(self) -> Iterator[Crystal]:
        return (self[index] for index in count())

    def __getitem__(self, index: int) -> Crystal:
        if index < 0:
            raise OptionError(f"crystals are counted from 0 and have no end; there is none with index {index}")
        streams = np.random.SeedSequence((self.seed, index)).spawn(5)
        body, strained, frame, dice, beam = (np.random.default_rng(stream) for stream in streams)
        n = np.array(self.shape)
        shape = random_shape(body, self.shapes)
        sampling = self._sampling(frame)
        peak_to_peak = float(strained.uniform(*self.strain)) * (strained.random() >= self.flat)

        # Coordinates are in bounding boxes; voxel i of a reconstruction lies at (i − n // 2) · sampling / n from the
        # centre of mass, and the drawing has FINER points within each voxel.
        centre = _centre_of_mass(shape)
        step = sampling / (FINER * n)
        reach = [
            (int(np.floor((-0.5 - c) * size / s - 0.5)), int(np.ceil((0.5 - c) * size / s + 0.5)))
            for c, size, s in zip(centre, n, sampling, strict=True)
        ]
        points = [
            (np.arange(FINER * low, FINER * (high + 1)) - (FINER - 1) / 2) * h
            for (low, high), h in zip(reach, step, strict=True)
        ]
        axes = tuple(at + c for at, c in zip(points, centre, strict=True))
        depth = shape.depth(axes, step)
        solid = np.clip(depth + 0.5, 0, 1)
        kinds = self.fields if peak_to_peak > 0 else {}  # a crystal without strain has no dislocation either
        phase, core, fields = random_phase(strained, axes, depth * np.float32(step.mean()), peak_to_peak, kinds)
        psi = np.empty(solid.shape, np.complex64)
        amplitude = solid * core
        np.multiply(amplitude, np.cos(phase), out=psi.real)
        np.multiply(amplitude, np.sin(phase), out=psi.imag)
        offset = np.clip(frame.normal(0, 1, 3), -2, 2) * self.off_centre
        psi = _moved(psi, [2 * np.pi * delta * h / s for delta, h, s in zip(offset, step, sampling, strict=True)])

        flaws = self._flaws(dice)
        intensity = fourier_sum(psi, [at / s for at, s in zip(points, sampling, strict=True)], self.shape)
        intensity = blurred(intensity, flaws["blur"])
        expected = float(np.exp(beam.uniform(*np.log(self.photons))))
        mask = gaps(beam, self.shape, flaws["gaps"], flaws["beamstop"])
        counts = measured(beam, intensity * (expected / intensity.sum()), flaws["background"], flaws["hot pixels"])
        counts[mask] = 0
        return Crystal(
            counts, mask, self._placed(_blocks(psi), reach), self._placed(_blocks(solid), reach),
            (float(sampling[0]), float(sampling[1]), float(sampling[2])), peak_to_peak, expected,
            ", ".join([shape.kind, *(fields or ("flat",))]), flaws,
        )  # fmt: skip

    def _sampling(self, rng: np.random.Generator) -> np.ndarray:
        """Oversampling along each axis."""
        low, high = np.log(self.oversampling)
        spread = min(np.log(self.anisotropy), high - low)
        middle = rng.uniform(low + spread / 2, high - spread / 2)
        return np.exp(middle + rng.uniform(-spread / 2, spread / 2, 3))

    def _flaws(self, dice: np.random.Generator) -> dict[str, float]:
        """The strength of every flaw; the dice are thrown whether they count or not."""
        strengths = {}
        for name, flaw in self.flaws.items():
            on, at = dice.random() < self.spoil * flaw.often, dice.random()
            strengths[name] = float(flaw.least * (flaw.most / flaw.least) ** at) if on else 0.0
        return strengths

    def _placed(self, part: np.ndarray, reach: list[tuple[int, int]]) -> np.ndarray:
        """A part of the array in its place; what would lie outside is cut off."""
        whole = np.zeros(self.shape, part.dtype)
        into, out_of = [], []
        for (low, high), size in zip(reach, self.shape, strict=True):
            start, stop = max(0, low + size // 2), min(size, high + 1 + size // 2)
            into.append(slice(start, stop))
            out_of.append(slice(start - low - size // 2, stop - low - size // 2))
        whole[tuple(into)] = part[tuple(out_of)]
        return whole


def _centre_of_mass(shape) -> np.ndarray:
    """Of a homogeneous crystal, in bounding boxes."""
    points = (np.arange(20) + 0.5) / 20 - 0.5
    solid = np.clip(shape.depth((points, points, points), np.full(3, 0.05)) + 0.5, 0, 1)
    mass = float(solid.sum())
    return np.array([(solid.sum(axis=tuple({0, 1, 2} - {axis})) @ points) / mass for axis in range(3)])


def _moved(psi: np.ndarray, turns: Sequence[float]) -> np.ndarray:
    """The object with another phase ramp: one that puts the pattern's centre of mass in the middle, and then this.

    Parameters
    ----------
    turns
        Radians from one point to the next, along each axis.
    """
    ramps = []
    for axis, turn in enumerate(turns):
        rest: tuple[slice, ...] = (slice(None),) * axis
        own = float(np.angle((psi[(*rest, slice(1, None))] * psi[(*rest, slice(None, -1))].conj()).sum()))
        ramps.append(
            np.exp(1j * (turn - own) * (np.arange(psi.shape[axis]) - psi.shape[axis] / 2)).astype(np.complex64)
        )
    mean = psi.sum()
    ramps[0] *= np.complex64(np.conj(mean) / max(abs(mean), 1e-12))
    return psi * ramps[0][:, None, None] * (ramps[1][:, None] * ramps[2])


def _blocks(fine: np.ndarray) -> np.ndarray:
    """Means over the points in each voxel."""
    a, b, c = (n // FINER for n in fine.shape)
    return fine.reshape(a, FINER, b, FINER, c, FINER).mean(axis=(1, 3, 5), dtype=fine.dtype)
