"""All of it in the right order: a scan as it was read becomes what a reconstruction wants.

crop → flat field → outliers → air → −log → bin → rings → equalise → centre → row shifts
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import ScanError
from ..options import as_dict, check
from ..scans import Step, TomoScan
from .centre import estimate_centre, find_centre, with_centre
from .dead import repair
from .flat_field import flat_field, minus_log
from .geometry import bin, crop, shift
from .outliers import remove_outliers
from .rings import RING_METHODS, remove_rings
from .scaling import equalise, normalise_air, view_notice

__all__ = ["PrepareOptions", "prepare"]


@dataclass(frozen=True)
class PrepareOptions:
    """What happens to a scan before reconstruction. Rows, columns and the centre are those of the file."""

    rows: Annotated[str | None, {"tooltip": "detector rows to keep, first:end; all when empty"}] = None
    columns: Annotated[str | None, {"tooltip": "detector columns to keep, first:end; all when empty"}] = None
    bin: Annotated[
        int, {"min": 1, "max": 64, "tooltip": "average blocks of this many pixels squared", "unit": "px"}
    ] = 1
    centre: Annotated[
        float | None, {"label": "rotation axis", "unit": "column", "tooltip": "column of the rotation axis in the file"}
    ] = None
    find_centre: Annotated[
        Literal["auto", "search", "vo", "pairs", "mass", "file"],
        {
            "label": "find axis",
            "tooltip": "auto: the file's axis, else a search, else the middle; search: always, and stop when it is not "
            "reliable; vo, pairs, mass: by this search; file: the file's axis, else the middle",
        },
    ] = "auto"
    outliers: Annotated[bool, {"label": "remove outliers", "tooltip": "replace zingers in counts and transmission"}] = (
        True
    )
    outlier_threshold: Annotated[
        float, {"min": 1.0, "max": 1000.0, "unit": "σ", "advanced": True, "tooltip": "lower removes more"}
    ] = 10.0
    rings: Annotated[
        str,
        {
            "choices": RING_METHODS,
            "label": "ring removal",
            "tooltip": "only when rings are seen: every method blurs clean data, most of all at limited angles",
        },
    ] = "none"
    ring_width: Annotated[
        int,
        {
            "min": 3,
            "max": 501,
            "unit": "px",
            "advanced": True,
            "tooltip": "window along columns; rings half as wide go",
        },
    ] = 9
    air_columns: Annotated[
        str | None,
        {"advanced": True, "tooltip": "columns without sample, such as 0:20,620:640: steadies the beam by them"},
    ] = None
    equalise: Annotated[bool, {"advanced": True, "tooltip": "scale all projections to the same total"}] = False
    reduce_flats: Annotated[
        Literal["median", "mean"],
        {"label": "reduce flats by", "advanced": True, "tooltip": "how many flats become one"},
    ] = "median"
    without_flats: Annotated[
        Literal["ask", "brightest"],
        {"advanced": True, "tooltip": "when flats are missing: ask for them, or take the brightest counts as the beam"},
    ] = "ask"
    shifts: Annotated[
        Literal["rows", "both", "none"],
        {
            "label": "undo shifts",
            "advanced": True,
            "tooltip": "known shifts undone in the data; those along columns are best left to the operator",
        },
    ] = "rows"

    def __post_init__(self):
        check(self)


def prepare(scan: TomoScan, options: PrepareOptions | None = None) -> TomoScan:
    """A scan as read → line integrals, or emission, with a rotation axis.

    Lazy but for flats and darks, a sample of the values, and a band of rows in which the axis is searched.

    What has been done already is not done again: line integrals and emission are neither divided by flats nor
    put through −log, and a scan prepared with the same options is returned as it is.

    Raises
    ------
    ScanError, OptionError
        One sentence each, from the step that could not be done.
    """
    options = PrepareOptions() if options is None else options
    done = Step("prepare", as_dict(options))
    if done in scan.history:
        return scan
    if options.centre is not None:
        scan = scan.replace(Step("centre", {"centre": options.centre}), centre=options.centre)
    wide = options.air_columns is not None and scan.quantity in ("counts", "transmission")
    scan = crop(scan, options.rows, None if wide else options.columns)
    scan = _normalised(scan, options)
    scan = crop(scan, None, options.columns if wide else None)
    scan = bin(scan, options.bin)
    if scan.quantity == "transmission":
        scan = minus_log(scan)
        if notice := view_notice(scan):
            scan = scan.replace(notices=(*scan.notices, notice))
    if options.rings != "none":
        scan = remove_rings(scan, options.rings, options.ring_width)
    if options.equalise:
        scan = equalise(scan)
    scan = _with_axis(scan, options)
    if options.shifts != "none" and scan.shifts is not None:
        scan = shift(scan, axes=options.shifts)
    return scan.replace(done)


def _normalised(scan: TomoScan, options: PrepareOptions) -> TomoScan:
    """Finite values of one kind: counts → transmission, the others repaired where they are no numbers."""
    if scan.quantity == "counts":
        scan = flat_field(scan, options.reduce_flats, options.without_flats)
    elif not any(step.name in ("repair", "flat_field") for step in scan.history):
        scan = repair(scan)
    if scan.quantity == "transmission":
        if options.outliers:
            scan = remove_outliers(scan, options.outlier_threshold)
        if options.air_columns is not None:
            scan = normalise_air(scan, options.air_columns)
    return scan


def _with_axis(scan: TomoScan, options: PrepareOptions) -> TomoScan:
    known = scan.centre is not None
    if options.centre is not None or (known and options.find_centre in ("auto", "file")):
        return scan
    if options.find_centre in ("vo", "pairs", "mass"):
        return find_centre(scan, options.find_centre)
    if options.find_centre == "search":
        return find_centre(scan)
    why = "the file names no rotation axis"
    if options.find_centre == "auto":
        try:
            estimate = estimate_centre(scan)
        except ScanError as reason:
            why = str(reason)
        else:
            if estimate.reliable:
                return with_centre(scan, estimate)
            why = estimate.text
    middle = (scan.shape[2] - 1) / 2
    notice = f"{why}; the middle of the detector, column {middle:g}, is taken as the axis"
    return scan.replace(Step("centre", {"centre": middle}), centre=middle, notices=(*scan.notices, notice))
