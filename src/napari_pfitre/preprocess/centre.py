"""Where the rotation axis lies, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import OptionError, ScanError
from ..scans import Step, TomoScan
from .geometry import shift, span
from .searches import SEARCHES, DoesNotApply

__all__ = ["CentreEstimate", "centre_sweep", "estimate_centre", "find_centre"]

Method = Literal["auto", "vo", "pairs", "mass"]

BAND_VALUES = 1 << 26  # a band of rows is read once; this many float32 are 256 MB
FEWEST_ANGLES = 10


@dataclass(frozen=True)
class CentreEstimate:
    """A rotation axis and how far it is to be trusted."""

    column: float  #: rotation axis, columns
    spread: float  #: how far it differs between rows, or its standard error in the fit, columns; the larger of the two
    method: str
    reliable: bool
    found: Mapping[str, tuple[float, float]]  #: every search that applied: (column, spread)
    text: str  #: all this in a sentence


def estimate_centre(
    scan: TomoScan, method: Method = "auto", rows: int = 5, within: str | None = None
) -> CentreEstimate:
    """Search the rotation axis.

    One band of rows about the middle, as high as memory allows, is read once through all angles.

    Parameters
    ----------
    method
        "auto" takes every search that applies to the scan and asks whether they agree.
    rows
        How many rows are searched; those with little in them are passed over.
    within
        Columns "first:end" the axis is known to lie in.

    Raises
    ------
    ScanError
        When no search applies, or the one asked for does not.
    """
    if method not in SEARCHES and method != "auto":
        raise OptionError(f"a centre is searched by auto, {', '.join(SEARCHES)}, not {method!r}")
    if scan.quantity in ("counts", "transmission"):
        raise ScanError(
            f"a centre is searched in line integrals or emission; {scan.name} holds {scan.quantity}: prepare it first"
        )
    if len(scan.angles) < FEWEST_ANGLES:
        raise ScanError(f"{len(scan.angles)} projections of {scan.name} are too few to search a centre; pass centre=")
    if scan.shifts is not None:
        scan = shift(scan)
    window = span(within, scan.shape[2], f"columns of {scan.name}") if within else slice(0, scan.shape[2])
    band = _band(scan)
    picked = _rows_with_content(band, rows)

    found, refusals = {}, {}
    for name, search in SEARCHES.items():
        if method in ("auto", name):
            try:
                found[name] = search(band, picked, scan.angles, window)
            except DoesNotApply as reason:
                refusals[name] = str(reason)
    if not found:
        why = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
        raise ScanError(f"no centre search applies to {scan.name} ({why}); pass centre=, or compare a centre sweep")
    return _verdict(scan, found)


def find_centre(scan: TomoScan, method: Method = "auto", rows: int = 5, within: str | None = None) -> TomoScan:
    """The scan with its rotation axis found by `estimate_centre`.

    Raises
    ------
    ScanError
        Also when what the searches say cannot be relied on; `estimate_centre` gives it all the same.
    """
    estimate = estimate_centre(scan, method, rows, within)
    if not estimate.reliable:
        raise ScanError(f"{estimate.text}; pass centre=, or compare a centre sweep")
    return with_centre(scan, estimate)


def with_centre(scan: TomoScan, estimate: CentreEstimate) -> TomoScan:
    """The scan with an estimated axis, the search in its history and the verdict in its notices."""
    step = Step(
        "find_centre",
        {"method": estimate.method, "centre": round(estimate.column, 4), "spread": round(estimate.spread, 4)},
    )
    return scan.replace(step, centre=estimate.column, notices=(*scan.notices, estimate.text))


def centre_sweep(
    scan: TomoScan,
    row: int,
    centres: Sequence[float],
    reconstruct: Callable[[TomoScan], np.ndarray],
) -> np.ndarray:
    """One slice reconstructed about each of several axes, for the eye to choose: (centre, y, x).

    Parameters
    ----------
    reconstruct
        Makes a volume (1, y, x), or a slice (y, x), of a scan of one row.
    """
    sinogram = np.asarray(scan.projections[:, row : row + 1, :], dtype=np.float32)  # read once for all centres
    one = scan.replace(
        Step("crop", {"rows": f"{row}:{row + 1}", "columns": None}),
        projections=sinogram,
        flats=None,
        darks=None,
        flat_positions=None,
    )
    slices = []
    for centre in centres:
        image = np.asarray(reconstruct(one.replace(centre=float(centre))), dtype=np.float32)
        slices.append(image.reshape(image.shape[-2:]))
    return np.stack(slices)


def _band(scan: TomoScan) -> np.ndarray:
    """(row, angle, column), float32: rows about the middle."""
    n, height, width = scan.shape
    count = int(np.clip(BAND_VALUES // (n * width), 1, height))
    start = (height - count) // 2
    return scan.sinograms(slice(start, start + count))


def _rows_with_content(band: np.ndarray, count: int) -> np.ndarray:
    """Indices of rows spread evenly over those in which something is to be seen."""
    content = band.std(axis=(1, 2))
    rows = np.flatnonzero(content > 0.3 * content.max())
    if rows.size == 0:
        raise ScanError("the projections are the same everywhere, so there is no centre to be found; check the dataset")
    return rows[np.unique(np.linspace(0, rows.size - 1, count).round().astype(int))]


def _verdict(scan: TomoScan, found: dict[str, tuple[float, float]]) -> CentreEstimate:
    """Choose between searches: the most exact of those that most others agree with."""
    width = scan.shape[2]
    tolerance = max(2.0, 0.01 * width)
    friends = {
        name: sum(abs(column - other) <= tolerance + spread for other, spread in found.values())
        for name, (column, _) in found.items()
    }
    method = min(found, key=lambda name: (-friends[name], found[name][1]))
    column, spread = found[method]
    agree = friends[method] > len(found) / 2
    reliable = agree and spread <= (tolerance if len(found) > 1 else tolerance / 2)  # nothing else vouches for one
    said = ", ".join(f"{name} {c:.2f} ± {s:.2g}" for name, (c, s) in found.items())
    text = f"the rotation axis was searched: {said}; taken {column:.2f}"
    if wedges := scan.missing_wedges:
        text += f" ({wedges[0].width:.0f}° are missing, so it rests on fewer signs: check it by a centre sweep)"
    if not agree:
        text += ", but the searches disagree"
    elif not reliable:
        text += f", but it is uncertain by {spread:.1f} columns"
    return CentreEstimate(column, spread, method, reliable, found, text)
