"""`write_scan`, and the one table of formats that scans are written in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import FormatError
from ..results import Volume
from ..scans import TomoScan
from . import scan_exchange, scan_nxtomo
from .atomic import target

__all__ = ["SCAN_FORMATS", "ScanFormat", "scan_format", "write_scan"]


class ScanFormat(NamedTuple):
    """A format that scans are written in."""

    layout: str  #: as ``layout=`` names it
    title: str
    suffixes: tuple[str, ...]  #: those it stands for; ``layout=`` chooses it for any of HDF5
    write: Callable[[TomoScan, Path, Volume | None], None]  #: block by block, atomic
    told: Callable[
        [TomoScan], str
    ]  #: what other programs will take wrongly of a scan, as a sentence; empty when nothing
    opened_by: str = ""


SCAN_FORMATS: tuple[ScanFormat, ...] = (
    ScanFormat("exchange", "Data Exchange", (".h5", ".hdf5", ".hdf"), scan_exchange.write, scan_exchange.told,
               "TomoPy (dxchange), tomopy-cli, tomocupy, tomviz"),
    ScanFormat("nxtomo", "NeXus NXtomo", (".nxs", ".nx"), scan_nxtomo.write, scan_nxtomo.told,
               "nabu, tomwer (nxtomo), Mantid Imaging, CIL, httomo"),
)  # fmt: skip


def scan_format(path: Path, layout: str | None = None) -> ScanFormat:
    """The format that a name stands for, or the one that `layout` names.

    Raises
    ------
    FormatError
        When there is none.
    """
    suffix = path.suffix.lower()
    known = tuple(suffix for row in SCAN_FORMATS for suffix in row.suffixes)
    if layout is not None and layout not in (layouts := [row.layout for row in SCAN_FORMATS]):
        raise FormatError(f"a scan is not written as {layout!r}; choose one of {', '.join(layouts)}")
    if suffix not in known:
        raise FormatError(
            f"a scan is written as HDF5, but {path.name} ends in {suffix or 'nothing'}; use one of {' '.join(known)}"
        )
    return next(row for row in SCAN_FORMATS if (row.layout == layout if layout else suffix in row.suffixes))


def write_scan(
    scan: TomoScan,
    path: str | Path,
    truth: Volume | None = None,
    *,
    overwrite: bool = False,
    layout: str | None = None,
) -> Path:
    """Write a scan, block by block; what lies at `path` is replaced when all is written.

    Parameters
    ----------
    truth
        The object that a simulated scan shows; kept in a group of its own, which no reader takes for data.
    layout
        ``"exchange"`` (Data Exchange) or ``"nxtomo"``; by the suffix when it is not given: NXtomo for .nxs and .nx.

    Raises
    ------
    FormatError
        When the path is the scan's own file, exists (unless `overwrite`), is in use, or has another suffix.
    """
    form = scan_format(Path(path), layout)
    source = scan.source.path if scan.source is not None else None
    path = target(path, overwrite=overwrite, sources=(source,))
    form.write(scan, path, truth)
    return path
