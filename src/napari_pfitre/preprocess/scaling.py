"""One factor for each projection: where the beam, or the detected total, changed from one to the next."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ..scans import Frames, Step, TomoScan
from .geometry import span
from .layers import Layer, blocks, require, sample

__all__ = ["equalise", "normalise_air"]

AIR_WITHIN = 0.08  # of the strongest absorption; air that noise and drift leave is nearer to zero
AIR_ROWS = 64  # as many rows as steady the mean; more would only read more of the file


class Scaled(Layer):
    """A stack times a factor for each frame; the factors are computed when first needed, once."""

    def __init__(self, parent: Frames, factors: Callable[[], np.ndarray]):
        super().__init__(parent)
        self._factors: np.ndarray | None = None
        self._compute = factors
        self._lock = threading.Lock()

    @property
    def factors(self) -> np.ndarray:
        with self._lock:
            if self._factors is None:
                self._factors = self._compute().astype(np.float32)
        return self._factors

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        return self.pull(frames, rows, columns) * self.factors[frames, None, None]


def normalise_air(scan: TomoScan, columns: str) -> TomoScan:
    """Divide each projection's transmission by its mean over columns that see no sample at any angle.

    Parameters
    ----------
    columns
        One or more ranges, "0:20" or "0:20,620:640".
    """
    require(scan, "normalise_air", "transmission", advice="apply it between flat_field and minus_log")
    stack = scan.projections
    spans = [span(part, scan.shape[2], f"air columns of {scan.name}") for part in columns.split(",")]
    middle = scan.shape[1] // 2
    rows = slice(max(0, middle - AIR_ROWS // 2), min(scan.shape[1], middle + AIR_ROWS // 2 + 1))

    def factors() -> np.ndarray:
        air = np.concatenate([np.asarray(stack[:, rows, one]) for one in spans], axis=2)
        return _inverse(air.mean(axis=(1, 2), dtype=float))

    return scan.replace(Step("normalise_air", {"columns": columns}), projections=Scaled(stack, factors))


def equalise(scan: TomoScan) -> TomoScan:
    """Scale every projection to the same total, which parallel projections of one object in full view have.

    The totals are taken over all rows and columns, in one pass when the first value is asked for.
    """
    require(scan, "equalise", "emission", "line integrals", advice="take −log first")
    stack = scan.projections

    def factors() -> np.ndarray:
        totals = np.zeros(scan.shape[0])
        for rows in blocks(slice(0, scan.shape[1]), scan.shape[0] * scan.shape[2]):
            totals += np.nansum(np.asarray(stack[:, rows, :]), axis=(1, 2), dtype=float)
        return np.median(totals) * _inverse(totals)

    return scan.replace(Step("equalise"), projections=Scaled(stack, factors))


def view_notice(scan: TomoScan) -> str | None:
    """A sentence when the outermost columns of line integrals do not lie about zero, as air does."""
    seen = sample(scan.projections)
    margin = max(2, scan.shape[2] // 40)
    left, right = float(np.median(seen[:, :, :margin])), float(np.median(seen[:, :, -margin:]))
    scale = float(np.percentile(seen, 99))
    if scale <= 0 or max(abs(left), abs(right)) < AIR_WITHIN * scale:
        return None
    return (
        f"the outermost columns lie at {left:.2g} (left) and {right:.2g} (right) instead of 0: either they see only "
        "air and the beam has changed since the flats, which air_columns= corrects, or the object fills the view"
    )


def _inverse(values: np.ndarray) -> np.ndarray:
    """1/x; 1 over the median where x is not positive (an empty projection stays as it is)."""
    usual = np.median(values[values > 0]) if (values > 0).any() else 1.0
    return 1 / np.where(values > 0, values, usual)
