"""MRC, the format of electron microscopes and of IMOD: tilt series with their angles beside, and volumes.

Header of 1024 bytes and an extended one, then the values, x fastest (Cheng et al., J. Struct. Biol. 192 (2015) 146).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import FormatError, first_line
from .angles import Angles, parse_angles, read_table
from .hints import ReadHints
from .parts import Parts
from .stacks import InFile, native

__all__ = ["NAME", "MrcFrames", "detect", "is_volume", "read"]

NAME = "MRC tilt series"
SUFFIXES = (".mrc", ".st", ".ali", ".rec", ".preali", ".map", ".mrcs")
_TABLES = (".tlt", ".rawtlt", ".csv", ".txt")
_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


class _Header(NamedTuple):
    shape: tuple[int, int, int]  #: (section, row, column)
    dtype: np.dtype
    offset: int
    voxel_size: tuple[float, float, float] | None  #: (z, y, x), metres
    volume: bool


def detect(path: Path) -> bool:
    """The word MAP at byte 208, as the format has it since 2000; older files by suffix and a sensible header."""
    if not path.is_file() or path.suffix.lower() not in (*SUFFIXES, ""):
        return False
    with open(path, "rb") as file:
        head = file.read(1024)
    return len(head) == 1024 and (head[208:211] == b"MAP" or path.suffix.lower() in SUFFIXES)


def header(path: Path) -> _Header:
    """What the first 1024 bytes say.

    Raises
    ------
    FormatError
        When they contradict themselves or the size of the file.
    """
    import mrcfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small liberties that many programs take
            with mrcfile.open(path, mode="r", permissive=True, header_only=True) as mrc:
                head = mrc.header
                order = ">" if head.dtype.fields["nx"][0] == np.dtype(">i4") else "<"
                columns, rows, sections = int(head.nx), int(head.ny), int(head.nz)
                mode, offset = int(head.mode), 1024 + int(head.nsymbt)
                cell = [float(head.cella[axis]) for axis in "zyx"]
                sampling = [int(head[name]) for name in ("mz", "my", "mx")]
                volume = int(head.ispg) == 1
    except (ValueError, OSError, AttributeError, TypeError) as error:
        raise FormatError(f"{path.name} is no MRC file or a damaged one ({first_line(error)}); copy it again") from None
    if mode not in _TYPES:
        what = "complex numbers (a transform)" if mode in (3, 4) else f"values of mode {mode}"
        raise FormatError(f"{path.name} holds {what}; only real images of modes 0, 1, 2, 6 and 12 are read")
    dtype = np.dtype((">" if order == ">" else "<") + _TYPES[mode])
    shape = (sections, rows, columns)
    if min(shape) < 1 or offset < 1024:
        raise FormatError(f"{path.name} claims {sections} sections of {rows} × {columns}; the MRC header is damaged")
    wanted, have = offset + sections * rows * columns * dtype.itemsize, path.stat().st_size
    if have < wanted:
        raise FormatError(f"{path.name} is incomplete: {have} of {wanted} bytes; copy it again")
    size = None
    if all(length > 0 for length in cell) and all(n > 0 for n in sampling):
        z, y, x = (length * 1e-10 / n for length, n in zip(cell, sampling, strict=True))  # ångström
        # one ångström, or none, is what programs write that know no size
        size = (z, y, x) if abs(x - 1e-10) > 1e-14 and 1e-11 < x < 1e-3 else None
    return _Header(shape, dtype, offset, size, volume)


class MrcFrames(InFile):
    """The sections of an MRC file, read region by region."""

    def __init__(self, path: Path):
        super().__init__(path)
        self.header = header(self.path)
        self.shape, self.dtype = self.header.shape, native(self.header.dtype)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        mapped = np.memmap(self.path, self.header.dtype, "r", self.header.offset, self.shape)
        return np.array(mapped[frames, rows, columns], dtype=self.dtype)


def _tilts(path: Path) -> Path | None:
    return next((table for suffix in _TABLES if (table := path.with_suffix(suffix)).is_file()), None)


def is_volume(path: Path) -> bool:
    """Whether the file is a reconstruction: it says so, or is called .rec, and no angles lie beside it."""
    if not detect(path) or _tilts(path) is not None:
        return False
    if path.suffix.lower() in (".st", ".ali", ".preali", ".mrcs"):
        return False  # a series by its name; many writers call every stack a volume
    return path.suffix.lower() in (".rec", ".map") or header(path).volume


def read(path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """A tilt series; its angles are in a table of the same name (.tlt, .rawtlt) or are asked for."""
    frames = MrcFrames(path)
    angles: Angles | None = None
    if hints.angles:
        angles = parse_angles(hints.angles, path)
    elif (table := _tilts(path)) is not None:
        angles = read_table(table)
        notices.append(f"the tilt angles are from {table.name}, which lies beside it")
    elif is_volume(path):
        raise FormatError(f"{path.name} is a reconstructed volume (MRC), not a tilt series; open it as a volume")
    parts = Parts(
        NAME, path, "", frames, ("angle", "row", "column"), angles, "deg" if angles else None, notices=notices
    )
    if frames.header.voxel_size is not None:
        parts.pixel_size = (frames.header.voxel_size[1], frames.header.voxel_size[2])
    parts.name = path.stem
    return parts
