"""Scans that no training saw: every class of the twin's objects, four sets of angles, aligned or not.

Seeds lie in the range that trainings never draw from, and beyond those that they are watched with
(`training/checks.py`). Pictures are the exception: scikit-image brings nineteen, and trainings see all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ..errors import OptionError
from ..twin import SimulateOptions

__all__ = ["CIRCUITS", "CLASSES", "GEOMETRIES", "Case", "cases"]

FIRST_SEED = 2**31 - 900
NOISE = 0.01  #: of the largest line integral
JITTER = 1.0  #: pixels, along rows and columns, of which the scan says nothing
TURN = 37.0  #: degrees from one seed's wedge to the next: every direction has its turn, the hardest first

CIRCUITS = "circuits"
#: class → the twin's objects that take turns in it
CLASSES: dict[str, tuple[Any, ...]] = {
    CIRCUITS: ("circuit", "cuboid", "lamella"),
    "micrograph": ("micrograph",),
    "grains": ("grains",),
    "foam": ("foam",),
    "ellipsoids": ("ellipsoids",),
    "picture": ("picture",),
    "pattern": ("pattern",),
    "shepp-logan": ("shepp-logan",),  # not among the objects of a training, nor are the blocks
    "blocks": ("blocks",),
}


class Geometry(NamedTuple):
    angles: int
    missing: float  #: degrees


#: a projection a degree, as at a beamline; and few of them all around
GEOMETRIES: dict[str, Geometry] = {
    "60°": Geometry(121, 60.0),
    "96°": Geometry(85, 96.0),
    "110°": Geometry(71, 110.0),
    "30 of 180°": Geometry(30, 0.0),
}


@dataclass(frozen=True)
class Case:
    """One scan."""

    kind: str  #: of `CLASSES`
    geometry: str  #: of `GEOMETRIES`
    jitter: float  #: pixels
    index: int  #: counts the objects of a class from 0
    size: int
    slices: int

    @property
    def options(self) -> SimulateOptions:
        objects, geometry = CLASSES[self.kind], GEOMETRIES[self.geometry]
        return SimulateOptions(
            phantom=objects[self.index % len(objects)], process="any", size=self.size, slices=self.slices,
            angles=geometry.angles, missing=geometry.missing, wedge_centre=90.0 - TURN * (self.index % 8),
            noise=NOISE, jitter=self.jitter, shifts_known=False, seed=FIRST_SEED + self.index,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.kind} {self.index + 1}, {self.geometry}" + (", jitter" if self.jitter else "")


def cases(size: int, slices: int, seeds: int, only: tuple[str, ...] = (), displaced: bool = True) -> Iterator[Case]:
    """All of them, aligned circuits first: `seeds` objects of a class, and of each of the circuits' three cuts.

    Raises
    ------
    OptionError
        When `only` names a class that there is not.
    """
    if unknown := sorted(set(only) - set(CLASSES)):
        raise OptionError(f"there is no class {', '.join(unknown)}; choose among {', '.join(CLASSES)}")
    kinds = only or tuple(CLASSES)
    for jitter in (0.0, JITTER) if displaced else (0.0,):
        for kind in sorted(kinds, key=list(CLASSES).index):
            for index in range(seeds * len(CLASSES[kind])):
                yield from (Case(kind, geometry, jitter, index, size, slices) for geometry in GEOMETRIES)
