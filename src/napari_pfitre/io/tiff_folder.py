"""A folder of TIFF frames: one file a projection, flats and darks by their names, angles in a table among them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import FormatError, PfitreError
from .angles import parse_angles, read_table
from .gathered import Gathered, in_natural_order
from .hints import ReadHints
from .parts import Parts
from .tiff_frames import TiffFrames

__all__ = ["NAME", "detect", "has_angles", "read"]

NAME = "a folder of TIFF frames"
_TABLES = (".csv", ".txt", ".tsv", ".rawtlt", ".tlt", ".ang")
_MOST = 200_000
#: names as beamlines give them; the rest are projections
_FLAT = re.compile(r"(^|[^a-z])(flats?|flatfield|ff|white|bkg|bak|refs?|open|ob|beam)([^a-z]|$)", re.IGNORECASE)
_DARK = re.compile(r"(^|[^a-z])(darks?|darkfield|df|drk)([^a-z]|$)", re.IGNORECASE)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in (".tif", ".tiff"))
    return in_natural_order([path for path, _ in zip(found, range(_MOST), strict=False)])


def detect(path: Path) -> bool:
    """A folder with TIFF files, in itself or sorted into folders called projections, flats, darks."""
    try:
        return path.is_dir() and sum(map(len, _sorted(path).values())) >= 2
    except OSError:
        return False


def _sorted(folder: Path) -> dict[str, list[Path]]:
    """Projections, flats and darks, by the names of files or of the folders they lie in."""
    found: dict[str, list[Path]] = {"projections": [], "flats": [], "darks": []}
    for path in _files(folder):
        kind = "darks" if _DARK.search(path.stem) else "flats" if _FLAT.search(path.stem) else "projections"
        found[kind].append(path)
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        name = inner.name
        if _DARK.search(name):
            found["darks"] += _files(inner)
        elif _FLAT.search(name):
            found["flats"] += _files(inner)
        elif re.search(r"proj|tomo|sample|radios?", name, re.IGNORECASE) and not found["projections"]:
            found["projections"] += _files(inner)
    return found


def _stack(paths: list[Path]) -> Gathered:
    """Frames of one file each; the first and the last are looked at, the others when they are read."""
    first, last = TiffFrames(paths[0]), TiffFrames(paths[-1])
    for frames in (first, last):
        if frames.shape[0] != 1:
            raise FormatError(
                f"{frames.path.name} holds {frames.shape[0]} frames where one was expected; open the stack by itself"
            )
    if first.shape != last.shape or first.dtype != last.dtype:
        raise FormatError(
            f"{paths[0].name} is {first.shape[1:]} {first.dtype} and {paths[-1].name} {last.shape[1:]} {last.dtype}: "
            "they are no frames of one scan; sort the folder"
        )

    def load(path: Path, rows: slice, columns: slice) -> np.ndarray:
        return TiffFrames(path)[0, rows, columns]

    return Gathered(paths, [first.shape[1:]], first.dtype, load)


def read(path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """Projections in the order of the numbers in their names.

    Raises
    ------
    FormatError
        When the files are stacks, or frames of different sizes.
    """
    found = _sorted(path)
    if len(found["projections"]) < 2:
        raise FormatError(f"{path.name} holds no projections, only frames called flat or dark; rename them")
    stored = _stack(found["projections"])
    angles = None
    if hints.angles:
        angles = parse_angles(hints.angles, path / found["projections"][0].name)
    else:
        angles = _table(path, len(found["projections"]), notices)
    parts = Parts(
        NAME, path, "", stored, ("angle", "row", "column"), angles, "deg" if angles else None, notices=notices
    )
    if found["flats"]:
        parts.flats = _stack(found["flats"])
    if found["darks"]:
        parts.darks = _stack(found["darks"])
    if found["flats"] or found["darks"]:
        notices.append(
            f"{len(found['flats'])} frames were taken for flats and {len(found['darks'])} for darks, by their names"
        )
    parts.name = path.name
    return parts


def has_angles(path: Path) -> bool:
    """Whether a table among the frames has an angle for each."""
    return _table(path, len(_sorted(path)["projections"]), []) is not None


def _table(folder: Path, count: int, notices: list[str]):
    """The one table of as many numbers as there are projections."""
    for table in sorted(path for path in folder.iterdir() if path.suffix.lower() in _TABLES):
        try:
            angles = read_table(table)
        except PfitreError:
            continue
        if angles.count is not None and abs(angles.count - count) <= 2:
            notices.append(f"the angles are from {table.name}" + (", in degrees" if angles.unit is None else ""))
            return angles
    return None
