"""Writing a file so that it is either whole or not there, and never over something that is needed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from ..errors import FormatError

__all__ = ["replacing", "replacing_folder", "target"]


def target(path: str | Path, *, overwrite: bool, sources: tuple[Path | None, ...] = (), folder: bool = False) -> Path:
    """The path to write to; of a `folder`, one that exists already and may be replaced.

    Raises
    ------
    FormatError
        When it is a source of what is written, exists and may not be overwritten, or is in use.
    """
    path = Path(path).expanduser().absolute()
    if not path.parent.is_dir():
        raise FormatError(f"the folder {path.parent} does not exist; make it first or write elsewhere")
    for source in sources:
        if source is not None and _same(path, source):
            raise FormatError(
                f"{path.name} is the file that the data came from; sources are never overwritten, write elsewhere"
            )
        if source is not None and source.is_dir() and path.exists() and source.resolve() in path.resolve().parents:
            raise FormatError(
                f"{path.name} lies in the folder that the data came from, where nothing is overwritten; write elsewhere"
            )
    if path.is_dir() and not folder:
        raise FormatError(f"{path} is a folder; name a file in it")
    if folder and path.is_file():
        raise FormatError(f"{path.name} is a file where a folder is to be written; choose another name")
    if folder and path.exists() and overwrite and not _ours(path):
        raise FormatError(f"the folder {path.name} holds other things than a volume; choose another name")
    if path.exists():
        if not overwrite:
            raise FormatError(f"{path.name} exists already; ask for it to be overwritten or choose another name")
        _refuse_if_used(path)
    return path


def _ours(folder: Path) -> bool:
    """Whether a folder holds a volume, or nothing: no other is ever replaced."""
    names = {item.name for item in folder.iterdir()}
    return not names or bool(names & {".zgroup", "zarr.json", "volume.json"})


def _same(path: Path, source: Path) -> bool:
    try:
        return os.path.samefile(path, source)
    except OSError:
        return os.path.normpath(path) == os.path.normpath(Path(source).absolute())


def _refuse_if_used(path: Path) -> None:
    """A file that another program holds open for writing would be pulled from under it."""
    if not h5py.is_hdf5(path):
        return
    try:
        with h5py.File(path, "r+"):
            pass
    except (OSError, RuntimeError) as error:
        said = str(error)
        if isinstance(error, BlockingIOError) or "unable to lock" in said or "already open" in said:
            raise FormatError(f"{path.name} is in use by another program; close it there or write elsewhere") from None
        # a damaged or read-only file is nobody's; whether it may be replaced, the folder's permissions decide


def _full(path: Path, error: OSError) -> Exception:
    """The error in a sentence when the disk is full; itself when it is another."""
    if error.errno != errno.ENOSPC:
        return error
    return FormatError(f"there is no space left for {path.name} in {path.parent}; free some or write elsewhere")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it takes `path`'s place if all went well, else vanishes."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part" + path.suffix, dir=path.parent)
    except OSError as error:
        raise FormatError(
            f"the folder {path.parent} cannot be written to ({os.strerror(error.errno or 0)}); write elsewhere"
        ) from None
    os.close(handle)
    temporary = Path(name)
    mask = os.umask(0)
    os.umask(mask)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp's files are private
        os.replace(temporary, path)
    except OSError as error:
        raise _full(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """`replacing`, of a folder: a temporary one beside `path` takes its place when all is written.

    The old one is moved aside, and removed last: a program that dies in between leaves it under its temporary name.
    """
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise FormatError(
            f"the folder {path.parent} cannot be written to ({os.strerror(error.errno or 0)}); write elsewhere"
        ) from None
    mask = os.umask(0)
    os.umask(mask)
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~mask)
        if path.exists():
            os.replace(path, aside)
        os.replace(temporary, path)
    except OSError as error:
        raise _full(path, error) from error
    finally:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        for rest in (temporary, aside):
            shutil.rmtree(rest, ignore_errors=True)


def tree(group: h5py.Group, values: dict[str, Any]) -> None:
    """A nested dictionary as groups and datasets, for people who look into the file (JSON beside it is read back)."""
    for name, value in values.items():
        name = str(name).replace("/", "_") or "_"
        if isinstance(value, dict):
            inner = group.create_group(name)
            inner.attrs["NX_class"] = "NXcollection"
            tree(inner, value)
        elif isinstance(value, list | tuple):
            if value and all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
                group[name] = list(value)
            else:
                group.create_dataset(name, data=[str(item) for item in value], dtype=h5py.string_dtype())
        elif value is not None:
            group[name] = value if isinstance(value, bool | int | float | str) else str(value)
