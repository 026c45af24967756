"""What is no HDF5 file and yet a diffraction pattern: folders of frames, and arrays whose name or place says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..scans import CdiScan
from . import aps34idc
from .hints import ReadHints

__all__ = ["PLACES", "Place", "place_of"]


class Place(NamedTuple):
    """One such layout."""

    name: str
    detect: Callable[[Path], bool]  #: from names and first bytes alone
    read: Callable[[Path, ReadHints, list[str]], CdiScan]


PLACES: tuple[Place, ...] = (Place(aps34idc.NAME, aps34idc.detect, aps34idc.read),)


def place_of(path: Path, hints: ReadHints) -> Place | None:
    """The layout of a path that holds a diffraction pattern; None for everything else."""
    if hints.technique == "tomography":
        return None
    return next((place for place in PLACES if place.detect(path)), None)
