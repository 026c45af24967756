"""Random objects to learn from: which kinds, how often, how large and how turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from . import phantoms
from .circuits import CUTS, DIELECTRIC, PROCESSES, circuit
from .grid import Grid, Phantom
from .measured import Measured
from .patterns import pattern
from .pictures import pictures
from .placing import Placed
from .texture import micrograph

__all__ = ["MIXTURE", "Specimen", "specimen"]

#: How often each kind of object comes, circuits most.
MIXTURE: tuple[tuple[str, float], ...] = (
    ("pillar", 0.22),
    ("cuboid", 0.25),
    ("lamella", 0.14),
    ("micrograph", 0.09),
    ("ellipsoids", 0.1),
    ("grains", 0.04),
    ("foam", 0.04),
    ("picture", 0.07),
    ("pattern", 0.05),
)


class Specimen(NamedTuple):
    """An object as it is mounted."""

    kind: str
    phantom: Phantom
    z: float  #: height of the slices' middle within the object
    floor: float  #: what is taken off all values, as where only one element shines; 0 leaves them

    def rasterise(self, grid: Grid) -> np.ndarray:
        volume = self.phantom.rasterise(Grid(grid.shape, grid.steps, grid.middle + self.z))
        if self.floor:
            volume -= np.float32(self.floor)
            volume *= np.float32(1 / (1 - self.floor))
        return np.maximum(volume, 0, out=volume)


def specimen(
    rng: np.random.Generator, height: float, mixture: tuple[tuple[str, float], ...], overfill: float,
    own: Sequence[Measured] = (),
) -> Specimen:  # fmt: skip
    """Draw a kind from the mixture and an object of that kind, enlarged by `overfill` beyond the usual.

    The kind "own" takes one of `own`.
    """
    kinds, shares = zip(*mixture, strict=True)
    kind = str(rng.choice(kinds, p=np.array(shares) / sum(shares)))
    turn = float(rng.uniform(0, 2 * np.pi)) if rng.random() < 0.5 else 0.0
    scale = float(np.exp(rng.uniform(np.log(0.9), np.log(2.5))))  # of a circuit's tracks
    lift, dark = float(rng.uniform(-0.08, 0.08)), rng.random()
    whole = 1 + overfill
    if kind == "own":
        whole *= float(np.exp(rng.uniform(np.log(0.8), np.log(1.6))))
        return Specimen(kind, Placed(own[int(rng.integers(len(own)))].at(rng, height / whole), turn, whole), 0.0, 0.0)
    if kind in _OTHERS:
        inside = _OTHERS[kind](rng, height / whole)
        return Specimen(kind, Placed(inside, turn if kind == "picture" else 0.0, whole), 0.0, 0.0)
    process = str(rng.choice(list(PROCESSES)))
    if kind == "micrograph":
        cut = CUTS[rng.integers(len(CUTS))]
        return Specimen(
            kind,
            micrograph(rng, height, process=process, cut=cut, extent=1 / scale, turn=turn, zoom=whole * scale),
            0.0,
            0.0,
        )
    (cut,) = (cut for cut in CUTS if cut == kind)
    inside = circuit(rng, height / (whole * scale), process=process, cut=cut, extent=1 / scale)
    floor = DIELECTRIC if dark < 0.4 else (DIELECTRIC * (dark - 0.4) / 0.3 if dark < 0.7 else 0.0)
    return Specimen(kind, Placed(inside, turn, whole * scale, half=0.5 / scale), lift, floor)


_OTHERS: dict[str, Callable[[np.random.Generator, float], Phantom]] = {
    "ellipsoids": phantoms.ellipsoids,
    "grains": lambda rng, height: phantoms.grains(rng, height, crowd=int(rng.integers(450, 1500))),
    "foam": phantoms.foam,
    "picture": pictures,
    "pattern": pattern,
}
