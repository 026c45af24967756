"""A walk through an HDF5 file, run as a program of its own by guard.py: a path a line in, a word a line out.

It touches what readers touch: headers, attributes, small values, lists of chunks, the corners of each array, and
nothing outside of the file: links to others are none of its business.
Whether anything makes sense is not its business; only whether HDF5 comes back. It imports nothing of this package.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from itertools import islice

import h5py
import hdf5plugin  # noqa: F401  registers its filters

#: what readers ask for by name
_KNOWN = (
    "exchange", "data", "data_white", "data_dark", "theta", "measurement", "instrument", "process", "entry", "entry1",
    "entry0000", "entry_1", "tomo_entry", "detector", "image_key", "sample", "rotation_angle", "reconstruction",
    "fitting", "elements", "img_tomo", "img_bkg", "img_dark", "angle", "diffamp", "points", "Experiments", "Data",
    "Image", "xrfmap", "MAPS", "scan_data", "results", "definition", "napari_pfitre", "image_1", "data_1",
)  # fmt: skip
#: seconds of work after which the rest of a large file is believed
PATIENCE = 0.4
#: bytes: values up to this are read whole, chunks up to this are unpacked
SMALL, CHUNK = 1 << 20, 1 << 24
MEMORY = 2 << 30
_FAILURES = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError, UnicodeError)


class Slow(Exception):
    """A few bytes took as long as megabytes do: what HDF5 was told of their size is wrong."""


#: seconds of work for a value that should take microseconds
LONG = 0.25


def walk(path: str) -> None:
    """Visit every object breadth first until there is none left or time is up."""
    end = time.process_time() + PATIENCE
    with _open(path) as file:
        seen = set()
        queue = deque([file["/"]])
        while queue and time.process_time() < end:
            thing = queue.popleft()
            identity = _identity(thing)
            if identity in seen:
                continue
            seen.add(identity)
            _attributes(thing)
            if isinstance(thing, h5py.Group):
                for name in _names(thing):
                    try:
                        hard = isinstance(thing.get(name, getlink=True), h5py.HardLink)
                        inner = thing.get(name) if hard else None
                    except _FAILURES:
                        continue
                    if isinstance(inner, h5py.Dataset | h5py.Group):
                        queue.append(inner)
            else:
                _values(thing)


def _open(path: str) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError):
        try:
            return h5py.File(path, "r", swmr=True)
        except (OSError, RuntimeError, ValueError):
            return h5py.File(path, "r", locking=False)


def _identity(thing: h5py.HLObject) -> object:
    """What an object is known again by; one that HDF5 knows nothing of is like no other, and time ends the walk."""
    try:
        info = h5py.h5o.get_info(thing.id)
    except _FAILURES:
        return object()
    return info.fileno, info.addr


def _names(group: h5py.Group) -> list[str]:
    try:
        return list(islice(group, 100_000))
    except _FAILURES:
        return list(_KNOWN)  # readers ask for members by name, which may work where a list does not


def _attributes(thing: h5py.HLObject) -> None:
    try:
        names = list(islice(thing.attrs, 1000))
    except _FAILURES:
        return
    for name in names:
        start = time.process_time()
        try:
            if thing.attrs.get_id(name).get_storage_size() <= SMALL:
                thing.attrs[name]
        except _FAILURES as error:
            _no_memory(error)
        if time.process_time() - start > LONG:
            raise Slow


def _values(stored: h5py.Dataset) -> None:
    try:
        if stored.shape is None or 0 in stored.shape:
            return
        if stored.external:
            return
        if stored.is_virtual:
            stored.virtual_sources()
            return
        if stored.chunks is not None:
            stored.id.get_num_chunks()
        if stored.nbytes <= SMALL:
            _read(stored)
        elif stored.chunks is None or _bytes(stored.chunks, stored.dtype.itemsize) <= CHUNK:
            stored[(0,) * stored.ndim]
            stored[tuple(n - 1 for n in stored.shape)]
    except _FAILURES:
        return


def _read(stored: h5py.Dataset) -> None:
    start = time.process_time()
    try:
        stored[()]
    except _FAILURES as error:
        _no_memory(error)
    if time.process_time() - start > LONG:
        raise Slow


def _no_memory(error: Exception) -> None:
    """A small value whose text claims gigabytes fails here, where memory is limited; a reader would be given them."""
    if "memory allocation failed" in str(error):
        raise MemoryError from error


def _bytes(shape: tuple[int, ...], itemsize: int) -> int:
    total = itemsize
    for n in shape:
        total *= n
    return total


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> None:
    _limit_memory()
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            walk(line.rstrip("\n"))
        except (MemoryError, Slow) as error:
            print("slow" if isinstance(error, Slow) else "memory", flush=True)
            continue
        except Exception:  # the reader will meet it again, and has the words for it
            pass
        print("done", flush=True)


if __name__ == "__main__":
    main()
