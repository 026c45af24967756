"""Arrays in numpy's files, .npy and .npz, without running what a pickle in them might want to run."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import FormatError, first_line
from .stacks import InFile, native

__all__ = ["NpyFrames", "arrays_of", "is_numpy", "keys_of"]

_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError:
        return b""


def is_numpy(path: Path) -> bool:
    """Whether a file is .npy, or a ZIP archive of such and nothing else."""
    head = _head(path)
    return head.startswith(_NPY) or (head.startswith(_ZIP) and bool(keys_of(path)))


def keys_of(path: Path) -> list[str]:
    """The names of the arrays in an .npz; none for another kind of archive."""
    if not _head(path).startswith(_ZIP):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return []
    return [name[:-4] for name in members] if members and all(name.endswith(".npy") for name in members) else []


class _Members(Mapping[str, np.ndarray]):
    """The arrays of an .npz, each read when it is asked for."""

    def __init__(self, path: Path):
        self.path, self.keys_ = path, keys_of(path)

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                return archive[name]
        except KeyError:
            raise
        except Exception as error:  # zlib, zipfile, numpy: each complains in its own way
            said = first_line(error)
            raise FormatError(f"{name} in {self.path.name} cannot be read ({said}); copy the file again") from None

    def __iter__(self):
        return iter(self.keys_)

    def __len__(self) -> int:
        return len(self.keys_)


class NpyFrames(InFile):
    """The array of three axes in an .npy file, mapped for each read and no longer.

    Of a file that is cut off while it is mapped, as one that is written anew is, the system ends who reads on.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        stored = _mapped(self.path)
        self.shape, self.dtype = stored.shape, native(stored.dtype)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        return np.array(_mapped(self.path)[frames, rows, columns], dtype=self.dtype)


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(f"{path.name} is a damaged NumPy file ({first_line(error)}); copy it again") from None


def arrays_of(path: Path) -> Mapping[str, np.ndarray] | None:
    """Name → array; one without a name is called ``""``, and is mapped: keep a copy (or `NpyFrames`), not the array.

    None when the file is not numpy's.

    Raises
    ------
    FormatError
        When it is damaged, or holds Python objects.
    """
    if not is_numpy(path):
        return None
    if not _head(path).startswith(_NPY):
        return _Members(path)
    return {"": _mapped(path)}
