"""Counts to transmission to line integrals: T = (I − D) / (F − D), p = −ln T.

F is interpolated linearly between the groups of flats taken before, during and after the scan.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import OptionError, QuestionError, ScanError
from ..frames import Selected
from ..scans import Frames, Step, TomoScan
from .dead import Repaired, mark_dead, no_measurement
from .layers import Layer, Pointwise, blocks, require, sample

__all__ = ["flat_field", "looks_normalised", "minus_log"]

Reduce = Literal["median", "mean"]
BRIGHTEST = 99.0  # percentile taken as the open beam when there are no flats: above most noise, below zingers


def flat_field(
    scan: TomoScan, reduce: Reduce = "median", without_flats: Literal["ask", "brightest"] = "ask"
) -> TomoScan:
    """Divide counts by the beam: counts → transmission.

    Flats and darks are read here, once, a block of rows at a time; projections when they are asked for. Where the
    flat is no brighter than the dark, where a count is not finite or stands at the end of its type's range, the
    value is filled from its row. Missing darks count as zero.

    Parameters
    ----------
    reduce
        How several flats, or darks, become one: the median forgives zingers, the mean is less noisy.
    without_flats
        "brightest" takes the brightest counts of the scan as the open beam when there are no flats; "ask" raises.

    Raises
    ------
    ScanError
        When the values are not counts, or the flats are no brighter than the darks on most of the detector.
    QuestionError
        When there are no flats and the values do not look normalised.
    """
    require(scan, "flat_field", "counts", advice="it has been normalised already")
    if reduce not in ("median", "mean"):
        raise OptionError(f"flat_field reduces by median or mean, not {reduce!r}")
    notices = list(scan.notices)
    seen = mark_dead(sample(scan.projections))
    if share := float(np.isnan(seen).mean()):
        notices.append(no_measurement(share))
    dark = np.zeros(scan.shape[1:], np.float32)
    if scan.darks is not None and len(scan.darks):
        dark = _reduced(scan.darks, reduce)
        dark[np.isnan(dark)] = 0
    elif scan.flats is not None:
        notices.append("there are no darks; they are taken as zero")

    if scan.flats is None or len(scan.flats) == 0:
        flats, positions = _open_beam(scan, seen, dark, without_flats, notices), np.zeros(1)
    else:
        flats, positions = _groups(scan.flats, scan.flat_positions, reduce)
    dead = ~np.all(flats > dark, axis=0)
    if dead.mean() > 0.5:
        raise QuestionError(
            f"the flats of {scan.name} are no brighter than its darks on {100 * dead.mean():.3g} % of the detector, "
            "so they cannot be flats; pass flats= and darks=, or quantity= if the data are normalised",
            hint="flats",
        )
    if dead.any():
        notices.append(
            f"{dead.sum()} of {dead.size} pixels have flats no brighter than darks; they are filled from their row"
        )
    if rows := int(dead.all(axis=1).sum()):
        notices.append(f"{rows} rows have no working pixel; they are filled with full transmission")
    flats = np.where(dead, np.float32(np.nan), flats - dark)
    stack = Repaired(FlatFielded(scan.projections, flats, dark, positions), nothing=1.0)
    step = Step("flat_field", {"reduce": reduce, "without_flats": without_flats})
    return scan.replace(
        step, projections=stack, quantity="transmission", flats=None, darks=None, flat_positions=None,
        notices=tuple(notices),
    )  # fmt: skip


class FlatFielded(Layer):
    """Transmission; NaN where there is none to be had."""

    def __init__(self, parent: Frames, beams: np.ndarray, dark: np.ndarray, positions: np.ndarray):
        """`beams` (group, row, column): F − D of each group; `positions` (group,): the projection it stands before."""
        super().__init__(parent)
        self.beams, self.dark = beams, dark
        # a group taken before projection k stands between projections k − 1 and k
        place = np.interp(np.arange(self.shape[0]), positions - 0.5, np.arange(len(positions)))
        self.group = np.minimum(place.astype(int), max(len(positions) - 2, 0))
        self.share = (place - self.group).astype(np.float32)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        block = mark_dead(np.asarray(self.parent[frames, rows, columns]))  # float32 before subtracting: uint16 wraps
        block -= self.dark[rows, columns]
        beams = self.beams[:, rows, columns]
        if len(beams) == 1:
            block /= beams[0]
            return block
        for image, group, share in zip(block, self.group[frames], self.share[frames], strict=True):
            image /= (1 - share) * beams[group] + share * beams[group + 1]
        return block


def _reduced(stack: Frames, how: Reduce) -> np.ndarray:
    """(row, column), float32; NaN where no frame holds a measurement."""
    n, height, width = stack.shape
    result = np.empty((height, width), np.float32)
    for rows in blocks(slice(0, height), n * width):
        block = mark_dead(np.asarray(stack[:, rows, :]))
        if np.isnan(block).any():
            masked = np.ma.masked_invalid(block)
            one = np.ma.median(masked, axis=0) if how == "median" else masked.mean(axis=0)
            result[rows] = one.filled(np.nan)
        else:
            result[rows] = np.median(block, axis=0) if how == "median" else block.mean(axis=0)
    return result


def _groups(flats: Frames, taken: np.ndarray | None, how: Reduce) -> tuple[np.ndarray, np.ndarray]:
    """Flats reduced by the moment they were taken: (group, row, column) and the projection each stands before."""
    if taken is None:
        return _reduced(flats, how)[None], np.zeros(1)
    at = np.asarray(taken, dtype=float)
    positions = np.unique(at)
    return np.stack([_reduced(Selected(flats, np.flatnonzero(at == p)), how) for p in positions]), positions


def _open_beam(scan: TomoScan, seen: np.ndarray, dark: np.ndarray, without_flats: str, notices: list) -> np.ndarray:
    """The same for every pixel: 1 when the values look normalised, or the brightest counts when that was allowed."""
    finite = seen[np.isfinite(seen)]
    if finite.size == 0:
        raise ScanError(f"none of the counts looked at in {scan.name} is a finite number; check the dataset")
    if looks_normalised(seen) and np.dtype(scan.projections.dtype).kind == "f":
        dark[:] = 0  # they were subtracted when the data were normalised
        notices.append("there are no flats, and the values lie about 0…1; they are taken as transmission")
        return np.ones((1, *dark.shape), np.float32)
    if without_flats == "brightest":
        beam = float(np.percentile(finite, BRIGHTEST))
        notices.append(
            f"there are no flats; {beam:.6g} counts, nearly the brightest in the scan, are taken as the beam"
        )
        return np.full((1, *dark.shape), beam, np.float32)
    raise QuestionError(
        f"{scan.name} holds counts ({finite.min():.4g}…{finite.max():.4g}) but no flats; pass flats=, or quantity= "
        "if it is normalised, or take the brightest counts as the beam",
        hint="flats",
    )


def looks_normalised(values: np.ndarray) -> bool:
    """Whether values could be transmission: from about 0 to about 1, give or take noise."""
    low, high = np.nanpercentile(values, (0.1, 99.9))
    return bool(low > -0.2 and 0.2 < high < 2 and high > low)


def minus_log(scan: TomoScan, floor: float = 1e-4) -> TomoScan:
    """−ln of transmission, which gives line integrals; values below `floor` are raised to it.

    The notices say what share of the values looked at is not positive.
    """
    require(scan, "minus_log", "transmission", advice=_NO_LOG[scan.quantity])
    if not 0 < floor < 1:
        raise OptionError(f"the floor of minus_log should lie between 0 and 1, not {floor!r}")

    def line_integrals(block: np.ndarray) -> np.ndarray:
        np.maximum(block, floor, out=block)
        np.log(block, out=block)
        return np.negative(block, out=block)

    changes: dict = {}
    if share := float((sample(scan.projections) <= 0).mean()):
        changes["notices"] = (
            *scan.notices,
            f"{100 * share:.2g} % of the transmissions looked at are not positive; before −log raised to {floor:g}",
        )
    return scan.replace(
        Step("minus_log", {"floor": floor}),
        projections=Pointwise(scan.projections, line_integrals), quantity="line integrals", **changes,
    )  # fmt: skip


_NO_LOG = {
    "counts": "apply flat_field first",
    "transmission": "",
    "line integrals": "−log has been taken already",
    "emission": "fluorescence adds up along the ray as it is, without −log",
}
