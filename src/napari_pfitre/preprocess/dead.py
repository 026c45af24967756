"""Values that are no measurement: found before anything is computed, filled from their row.

A detector says "no value" by a number that is not finite, or by the largest its type can hold (65535, 2³² − 1).
"""

from __future__ import annotations

import numpy as np

from ..scans import Frames, Step, TomoScan
from .layers import Layer, sample

__all__ = ["Repaired", "fill_dead", "mark_dead", "repair"]

LARGEST_UINT32 = 2**32 - 1  # marks gaps between chips; survives as it is, or rounded up, in wider and floating types


def mark_dead(block: np.ndarray) -> np.ndarray:
    """Counts as float32, NaN where there is no measurement."""
    dtype = block.dtype
    if dtype.kind in "ui":
        dead = block == np.iinfo(dtype).max
        if dtype.itemsize > 4:
            dead |= block == LARGEST_UINT32
    elif dtype.kind == "f":
        dead = ~np.isfinite(block)
        if dtype.itemsize > 2:
            dead |= block >= LARGEST_UINT32
    else:
        dead = np.zeros(block.shape, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        values = block.astype(np.float32)
    values[dead] = np.nan
    return values


def fill_dead(block: np.ndarray, nothing: float) -> np.ndarray:
    """Fill what is not finite linearly between the nearest finite columns of the same row, in place.

    Beyond the first and last finite column theirs is repeated; a row without any becomes `nothing`.
    """
    bad = ~np.isfinite(block)
    if not bad.any():
        return block
    width = block.shape[-1]
    lines = block.reshape(-1, width)
    hurt = np.flatnonzero(bad.reshape(-1, width).any(axis=1))
    good = ~bad.reshape(-1, width)[hurt]
    index = np.arange(width)
    left = np.maximum.accumulate(np.where(good, index, -1), axis=1)
    right = np.minimum.accumulate(np.where(good, index, width)[:, ::-1], axis=1)[:, ::-1]
    line, column = np.nonzero(~good)
    a, b = left[line, column], right[line, column]
    a, b = np.where(a < 0, b, a), np.where(b == width, a, b)
    lost = a == width
    a[lost] = b[lost] = 0
    share = (column - a) / np.maximum(b - a, 1)
    at = hurt[line]
    lines[at, column] = np.where(lost, nothing, (1 - share) * lines[at, a] + share * lines[at, b])
    if lines.base is not block:  # a block that is not contiguous was copied by reshape
        block[...] = lines.reshape(block.shape)
    return block


class Repaired(Layer):
    """A stack without a value that is not finite."""

    def __init__(self, parent: Frames, nothing: float):
        super().__init__(parent)
        self.nothing = nothing

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        block = mark_dead(np.array(self.parent[frames, rows, :]))
        return fill_dead(block, self.nothing)[:, :, columns]


def repair(scan: TomoScan) -> TomoScan:
    """Fill values that are no measurement from their row; the share met in a sample is said in the notices."""
    seen = mark_dead(sample(scan.projections))
    nothing = 1.0 if scan.quantity == "transmission" else 0.0
    changes: dict = {"projections": Repaired(scan.projections, nothing)}
    if share := float(np.isnan(seen).mean()):
        changes["notices"] = (*scan.notices, no_measurement(share))
    return scan.replace(Step("repair"), **changes)


def no_measurement(share: float) -> str:
    return (
        f"{100 * share:.2g} % of the values looked at are not finite or stand at the end of their type's range; "
        "such values are filled from their row"
    )
