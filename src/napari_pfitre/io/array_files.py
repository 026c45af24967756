"""Projections as arrays of MATLAB (.mat, version 5) and NumPy (.npz): the array of three axes, and its angles."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import FormatError, QuestionError, first_line
from .angles import Angles, angle_unit
from .hints import ReadHints
from .numpy_files import keys_of
from .parts import Parts
from .stacks import InFile

__all__ = ["NAME", "detect", "read"]

NAME = "arrays with angles (.mat, .npz)"
_ANGLES = re.compile(r"^(ang(le)?s?|thetas?|tilts?|rot(ation)?s?)(_|$|deg|rad)|theta|angles", re.IGNORECASE)
_MOST = 20_000_000_000  #: bytes; these files are read as a whole


class _Array(InFile):
    """Read when first asked for: what asks for a shape alone shall not wait for gigabytes to be unpacked."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype, load: Callable[[], np.ndarray]):
        super().__init__(path)
        self.shape, self.dtype, self._load = (shape[0], shape[1], shape[2]), np.dtype(dtype), load
        self._array: np.ndarray | None = None

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        if self._array is None:
            self._check_unchanged()
            self._array = self._load()
        return np.array(self._array[frames, rows, columns], dtype=self.dtype)


def detect(path: Path) -> bool:
    """A file of MATLAB's, or one of NumPy's that brings angles; a bare array may be anything."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(8)
    return head == b"MATLAB 5" or any(_ANGLES.search(key) for key in keys_of(path))


def read(path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The one array of three axes, or the one ``dataset=`` names, with the row of numbers called angles or theta.

    Raises
    ------
    FormatError
        When the file is damaged, holds no such array, or claims one that does not fit into any memory.
    QuestionError
        When there are several.
    """
    shapes = _npz_shapes(path) if keys_of(path) else _mat_shapes(path)
    stacks = {name: kind for name, kind in shapes.items() if len(kind[0]) == 3 and 1 not in kind[0][1:2]}
    name = None if hints.dataset is None else hints.dataset.strip("/")
    if name is None:
        if not stacks:
            listed = ", ".join(f"{key} {kind[0]}" for key, kind in list(shapes.items())[:8]) or "nothing"
            raise FormatError(
                f"{path.name} holds no array of three axes (it holds {listed}); save the projections as one"
            )
        if len(stacks) > 1:
            raise QuestionError(
                f"{path.name} holds {len(stacks)} arrays of three axes; pass dataset= as one of {', '.join(stacks)}",
                hint="dataset",
                choices=tuple(stacks),
            )
        (name,) = stacks
    if name not in shapes:
        raise FormatError(f"{path.name} has no array {name}; it has {', '.join(shapes)}")
    shape, dtype = shapes[name]
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > _MOST:
        raise FormatError(f"{name} in {path.name} claims the shape {shape}; such an array belongs into an HDF5 file")
    if len(shape) != 3 or dtype.kind not in "biuf":
        raise FormatError(f"{name} in {path.name} is {dtype} {shape}; projections are real numbers on three axes")
    stored = _Array(path, shape, dtype, lambda: _load(path, name))
    angles = _angles(path, shapes, shape)
    parts = Parts(NAME, path, name, stored, None, angles, notices=notices)
    parts.name = path.stem
    return parts


def _angles(path: Path, shapes: dict, shape: tuple[int, ...]) -> Angles | None:
    for name, (size, dtype) in shapes.items():
        count = int(np.prod(size, dtype=object))
        if _ANGLES.search(name) and dtype.kind in "iuf" and 2 < count <= 1_000_000 and max(size) == count:
            if not any(abs(count - n) <= 2 for n in shape):
                continue
            unit = next((unit for word in re.split(r"[_\W]+", name.lower()) if (unit := angle_unit(word))), None)
            return Angles(np.ravel(_load(path, name)).astype(float), unit, f"{name} in {path.name}")
    return None


def _npz_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types from the members' headers, without unpacking them."""
    import zipfile

    out: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist()[:1000]:
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read(file)
                    out[member.removesuffix(".npy")] = shape, dtype
    except Exception as error:  # zipfile, zlib, numpy: each complains in its own way
        raise FormatError(f"{path.name} is a damaged NumPy archive ({first_line(error)}); copy it again") from None
    return out


def _mat_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    from scipy.io import whosmat

    kinds = {"single": "f4", "double": "f8", "logical": "u1"} | {f"{s}int{n}": f"{s or 'i'}{n // 8}" for s in ("u", "")
                                                                   for n in (8, 16, 32, 64)}  # fmt: skip
    try:
        listed = whosmat(path)
    except Exception as error:  # scipy's reader of a damaged file: ValueError, struct.error, zlib.error, …
        raise FormatError(f"{path.name} is a damaged MATLAB file ({first_line(error)}); copy it again") from None
    return {name: (tuple(shape), np.dtype(kinds[kind])) for name, shape, kind in listed if kind in kinds}


def _load(path: Path, name: str) -> np.ndarray:
    try:
        if keys_of(path):
            with np.load(path, allow_pickle=False) as archive:
                return archive[name]
        from scipy.io import loadmat

        return loadmat(path, variable_names=[name])[name]
    except MemoryError:
        raise
    except Exception as error:
        raise FormatError(f"{name} in {path.name} cannot be read ({first_line(error)}); copy the file again") from None
