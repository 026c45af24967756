"""Which pixels, how large, and where they lie: crop, bin, and shifts of single projections.

The rotation axis, the pixel size, the shifts, flats and darks follow.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy

from ..errors import OptionError, ScanError
from ..frames import LazyFrames
from ..scans import Frames, Step, TomoScan
from .dead import mark_dead
from .layers import Layer

__all__ = ["bin", "crop", "shift", "span"]

SPLINE_REACH = 16  # pixels; a cubic spline's prefilter decays by 0.268 a pixel, so what lies further counts below 1e-9


def span(text: str, length: int, what: str) -> slice:
    """The rows or columns that "first:end" names, as in Python: ends may be missing, negative ones count backwards."""
    parts = [part.strip() for part in text.split(":")]
    try:
        numbers = [int(part) if part else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        first = numbers[0] % length if -length <= numbers[0] < length else numbers[0]
        numbers = [first, first + 1]
    if len(numbers) != 2:
        raise OptionError(f"{what} should be given as first:end, such as 100:200, not {text!r}")
    first, end = (
        default if n is None else n + length if n < 0 else n for n, default in zip(numbers, (0, length), strict=True)
    )
    if not 0 <= first < end <= length:
        raise OptionError(
            f"{what} are asked for as {text}, but there are {length}; choose first < end within 0:{length}"
        )
    return slice(first, end)


class Cropped(LazyFrames):
    """A window of every frame."""

    def __init__(self, parent: Frames, rows: slice, columns: slice):
        self.parent, self.rows, self.columns = parent, rows, columns
        self.shape = (int(parent.shape[0]), rows.stop - rows.start, columns.stop - columns.start)
        self.dtype = np.dtype(parent.dtype)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        top, left = self.rows.start, self.columns.start
        window = slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop)
        return np.asarray(self.parent[frames, *window])


def crop(scan: TomoScan, rows: str | None = None, columns: str | None = None) -> TomoScan:
    """Keep some rows and columns, "first:end" each; the rotation axis must stay inside the columns."""
    if rows is None and columns is None:
        return scan
    window = (
        span(rows or ":", scan.shape[1], f"rows of {scan.name}"),
        span(columns or ":", scan.shape[2], f"columns of {scan.name}"),
    )
    centre = None if scan.centre is None else scan.centre - window[1].start
    if centre is not None and not -0.5 <= centre <= window[1].stop - window[1].start - 0.5:
        raise OptionError(
            f"columns {columns} leave out the rotation axis of {scan.name}, column {scan.centre:g}; "
            "choose columns about it"
        )
    stacks = {name: _over(scan, name, Cropped, *window) for name in ("projections", "flats", "darks")}
    return scan.replace(Step("crop", {"rows": rows, "columns": columns}), centre=centre, **stacks)


class Binned(LazyFrames):
    """Means over blocks of (row, column) pixels, leaving out pixels without a measurement."""

    def __init__(self, parent: Frames, by: tuple[int, int], counts: bool):
        self.parent, self.by, self.counts = parent, by, counts
        n, height, width = parent.shape
        self.shape = (int(n), height // by[0], width // by[1])
        self.dtype = np.dtype(np.float32)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        r, c = self.by
        block = np.asarray(self.parent[frames, rows.start * r : rows.stop * r, columns.start * c : columns.stop * c])
        block = mark_dead(block) if self.counts else block.astype(np.float32, copy=False)
        tiles = block.reshape(len(block), rows.stop - rows.start, r, columns.stop - columns.start, c)
        if not np.isnan(tiles).any():
            return tiles.mean(axis=(2, 4))
        good = np.isfinite(tiles).sum(axis=(2, 4))
        total = np.nansum(tiles, axis=(2, 4))
        return np.divide(total, good, out=np.full_like(total, np.nan), where=good > 0)


def bin(scan: TomoScan, by: int | tuple[int, int]) -> TomoScan:
    """Average blocks of pixels; rows and columns left over at the end are dropped.

    Parameters
    ----------
    by
        Side of a block in pixels, or (rows, columns).
    """
    r, c = (by, by) if isinstance(by, int) else by
    height, width = scan.shape[1:]
    if r < 1 or c < 1 or r > height or c > width:
        raise OptionError(f"{scan.name} cannot be binned by {r} × {c}: it has {height} rows and {width} columns")
    if (r, c) == (1, 1):
        return scan
    changes: dict = {
        name: _over(scan, name, Binned, (r, c), scan.quantity == "counts") for name in ("projections", "flats", "darks")
    }
    if height % r or width % c:
        text = f"binning by {r} × {c} drops the last {height % r} rows and {width % c} columns"
        changes["notices"] = (*scan.notices, text)
    if scan.centre is not None:
        # the middle of the first block lies at (c − 1)/2
        centre = (scan.centre - (c - 1) / 2) / c
        if centre > width // c - 0.5:
            raise ScanError(
                f"binning by {r} × {c} would drop the column of the rotation axis of {scan.name}; bin by less"
            )
        changes["centre"] = centre
    if scan.pixel_size is not None:
        changes["pixel_size"] = (scan.pixel_size[0] * r, scan.pixel_size[1] * c)
    if scan.shifts is not None:
        changes["shifts"] = scan.shifts / (r, c)
    return scan.replace(Step("bin", {"by": [r, c]}), **changes)


class Shifted(Layer):
    """Every frame moved back by its displacement; what comes in from outside repeats the edge."""

    def __init__(self, parent: Frames, displacements: np.ndarray):
        """`displacements` (frame, 2): rows and columns, pixels."""
        super().__init__(parent)
        self.displacements = displacements

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        moves = self.displacements[frames]
        if len(moves) == 0:
            return self.pull(frames, rows, columns)
        needed = [_needed(s, moves[:, axis], self.shape[1 + axis]) for axis, s in enumerate((rows, columns))]
        block = self.pull(frames, *needed)
        for axis, wanted in enumerate((rows, columns)):
            at = np.arange(wanted.start, wanted.stop)
            limit = self.shape[1 + axis] - 1
            parts = [
                _moved(one, np.clip(at + move, 0, limit) - needed[axis].start, axis)
                for one, move in zip(block, moves[:, axis], strict=True)
            ]
            block = np.stack(parts)
        return block


def _needed(wanted: slice, moves: np.ndarray, length: int) -> slice:
    """The span of the parent that the wanted one comes from, with the spline's reach about it."""
    reach = SPLINE_REACH if (moves % 1).any() else 0
    low = int(np.floor(wanted.start + moves.min())) - reach
    high = int(np.ceil(wanted.stop + moves.max())) + reach
    low = int(np.clip(low, 0, length - 1))
    return slice(low, int(np.clip(high, low + 1, length)))


def _moved(image: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """The image at positions `at` along an axis: taken as it is for whole pixels, by cubic spline between them."""
    if not (at % 1).any():
        return np.take(image, at.astype(int), axis=axis)
    last = image.shape[axis] - 1
    if last == 0:
        return np.repeat(image, len(at), axis=axis)
    coefficients = scipy.ndimage.spline_filter1d(image, order=3, axis=axis, mode="mirror", output=np.float32)
    below = np.floor(at).astype(int)
    t = at - below
    weights = ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)  # of cubic B-splines, × 6
    result = np.zeros_like(np.take(image, below, axis=axis))
    for k, weight in enumerate(weights):
        knot = np.abs(below + k - 1)
        knot = np.clip(np.where(knot > last, 2 * last - knot, knot), 0, last)
        result += np.take(coefficients, knot, axis=axis) * np.expand_dims(weight / 6, 1 - axis).astype(np.float32)
    return result


def shift(
    scan: TomoScan, shifts: np.ndarray | None = None, axes: Literal["both", "rows", "columns"] = "both"
) -> TomoScan:
    """Move every projection back by what it was displaced by.

    A reconstruction operator takes displacements along columns exactly, so "rows" is what it wants: row displacements
    are undone in the data, column displacements stay in `scan.shifts` for the operator. Whole pixels are moved
    exactly, fractions by cubic spline; nothing wraps around, the edge is repeated.

    Parameters
    ----------
    shifts
        (angle, 2), (row, column) in pixels that each projection is displaced by; those of the scan when None.
    """
    if axes not in ("both", "rows", "columns"):
        raise OptionError(f"shift moves along both, rows or columns, not {axes!r}")
    given = scan.shifts if shifts is None else np.asarray(shifts, dtype=float)
    if given is None:
        raise ScanError(f"{scan.name} has no shifts; pass one (row, column) for each projection")
    if given.shape != (scan.shape[0], 2) or not np.isfinite(given).all():
        raise ScanError(
            f"shifts of {scan.name} should be {scan.shape[0]} finite pairs (row, column), but have shape {given.shape}"
        )
    undone = given.copy()
    if axes != "both":
        undone[:, 1 if axes == "rows" else 0] = 0
    left = given - undone
    parameters = {"axes": axes} | ({} if shifts is None else {"shifts": given.tolist()})
    changes: dict = {"shifts": left if left.any() else None}
    if undone.any():
        changes["projections"] = Shifted(scan.projections, undone)
    return scan.replace(Step("shift", parameters), **changes)


def _over(scan: TomoScan, name: str, layer: type, *args) -> Frames | None:
    stack = getattr(scan, name)
    return None if stack is None else layer(stack, *args)
