"""HDF5 as beamlines leave it behind: locked, cut off, half written, compressed by plugins, linked to files elsewhere.

Whatever HDF5 says about that, a person gets one sentence. `opened` opens a file; links.py follows links, presence.py
tells why a dataset must not be read although HDF5 would (and would give zeros).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers its filters: bitshuffle, blosc, lz4, zfp, zstd and others become readable

from ..errors import FormatError
from .guard import vouch
from .links import beside, find, require, wanted
from .sniff import identify

__all__ = ["beside", "children", "compression", "find", "missing_filters", "names", "opened", "require", "wanted"]

_FILTERS = {
    1: "deflate",
    4: "szip",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "SZ",
    32018: "fcidecomp",
    32024: "SZ3",
    32026: "blosc2",
    32028: "sperr",
}
_NO_COMPRESSION = {2: "shuffle", 3: "fletcher32", 5: "nbit", 6: "scaleoffset"}


#: Nobody looks at more members of one group: the list of a million of them takes a second, and is no scan.
_MOST_MEMBERS = 200_000


@contextmanager
def opened(path: Path, notices: list[str] | None = None, *, again: bool = False) -> Iterator[h5py.File]:
    """The file for reading, whoever else has it open; what had to be done to open it is added to `notices`.

    Parameters
    ----------
    again
        It was opened before, so HDF5 is known to come to terms with it (see guard.py).

    Raises
    ------
    FormatError
        When it cannot be opened; the sentence says why and what to do.
    """
    path = Path(path)
    if not again:
        vouch(path)
    file, notice = _open(path)
    if notice and notices is not None:
        notices.append(notice)
    try:
        with file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, OverflowError, TypeError) as error:
        if not _from_h5py(error):
            raise
        raise FormatError(f"{path.name} is damaged ({_last_reason(str(error))}); copy it again") from error


def _from_h5py(error: BaseException) -> bool:
    """Whether HDF5 itself gave up, on metadata that make no sense; anything else is a mistake of ours and stays one."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def _open(path: Path) -> tuple[h5py.File, str]:
    try:
        return h5py.File(path, "r"), ""
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist any more; check the path (is the drive mounted?)") from None
    except (OSError, RuntimeError, ValueError) as error:
        first = error
    said = str(first)
    if found := re.search(r"truncated file: eof = (\d+).*?stored_eof = (\d+)", said):
        have, want = int(found[1]), int(found[2])
        raise FormatError(
            f"{path.name} is incomplete: {have} of {want} bytes ({100 * have / want:.0f} %); copy it again"
        ) from None
    if identify(path) != "hdf5":
        raise FormatError(f"{path.name} is a TIFF file, not HDF5; open it as it is or name another file") from None
    locked = isinstance(first, BlockingIOError) or "unable to lock" in said or "locking flag" in said
    if locked or "already open for write" in said or "consistency flags" in said:
        attempts = ({"swmr": True}, {"locking": False})
        for options in attempts[::-1] if locked else attempts:
            try:
                file = h5py.File(path, "r", **options)
            except (OSError, RuntimeError, ValueError):
                continue
            if locked:
                return (
                    file,
                    f"{path.name} is locked by another program and may still be written; it was opened without locking",
                )
            return (
                file,
                f"{path.name} is marked as being written (its writer runs or died); what it holds by now was read",
            )
        raise FormatError(
            f"{path.name} is being written by another program; close it there, or wait, and try again"
        ) from None
    raise FormatError(f"{path.name} is HDF5 but damaged ({_last_reason(said)}); copy it again or try h5clear") from None


def _last_reason(said: str) -> str:
    """The part of HDF5's message that says something: what stands in the last brackets."""
    inner = re.findall(r"\(([^()]*)\)", said)
    return inner[-1] if inner else said


def children(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset | h5py.Group | None]]:
    """Names and what they lead to; None for a link that leads nowhere. Loops and damage harm one name only."""
    for name in names(group):
        yield name, find(group, name)


def names(group: h5py.Group) -> list[str]:
    """The members of a group that have a readable name; none when the group is damaged."""
    try:
        return [name for name in islice(group, _MOST_MEMBERS) if isinstance(name, str)]
    except (RuntimeError, OSError, ValueError):
        return []


def filters(dataset: h5py.Dataset) -> list[tuple[int, str]]:
    """Id and name of the filters that a dataset's chunks pass through."""
    plist = dataset.id.get_create_plist()
    if plist.get_layout() != h5py.h5d.CHUNKED:
        return []
    known = _FILTERS | _NO_COMPRESSION
    codes = [(plist.get_filter(i)[0], plist.get_filter(i)[3]) for i in range(plist.get_nfilters())]
    return [
        (code, known.get(code) or (name or b"").decode("latin-1").split(";")[0] or "unnamed") for code, name in codes
    ]


def compression(dataset: h5py.Dataset) -> str:
    """How the values are compressed, as a person would say it; empty when they are not."""
    return " + ".join(name for code, name in filters(dataset) if code not in _NO_COMPRESSION)


def missing_filters(dataset: h5py.Dataset) -> str:
    """Why the values cannot be unpacked here, as a sentence; empty when they can."""
    for code, name in filters(dataset):
        if not h5py.h5z.filter_avail(code):
            return (
                f"{dataset.name} in {Path(dataset.file.filename).name} is compressed with {name} (filter {code}), "
                "which this installation cannot unpack; install or update hdf5plugin (pip install -U hdf5plugin)"
            )
    return ""
