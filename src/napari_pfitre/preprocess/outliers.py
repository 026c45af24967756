"""Zingers and flickering pixels: what stands out from its neighbours in the frame and in the frames before and after.

Fine structure stands out from its frame too, but it is there in the next projection as well; on real and simulated
scans the second condition takes the share of the sample mistaken for spikes from some 1e-4 to below 1e-6 where
projections are dense, and halves it where they are 6° apart.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..errors import OptionError
from ..scans import Frames, Step, TomoScan
from .layers import Layer, blocks, sample

__all__ = ["remove_outliers"]

TAIL = 99.0  # percentile of |value − median| that sets the scale: it knows edges and noise, and forgives 1 % of spikes
TAIL_SIGMAS = 2.576  # where that percentile lies for Gaussian noise


def remove_outliers(scan: TomoScan, threshold: float = 10.0, size: int = 3) -> TomoScan:
    """Replace bright and dark spikes by the median of their neighbours in the frame.

    A pixel that is wrong in every projection is no spike but a stripe: flats with darks find it, or `remove_rings`.

    Parameters
    ----------
    threshold
        Distance from the local median, in robust standard deviations of that distance over the whole scan. A spike
        also lies half as far outside the range of its neighbourhood in the projections before and after.
    size
        Side of the neighbourhood in pixels, odd; spikes up to about half its area are recognised.
    """
    if not threshold > 0:
        raise OptionError(f"the threshold of remove_outliers should be positive, not {threshold!r}")
    if size < 3 or size % 2 == 0:
        raise OptionError(f"the size of remove_outliers should be odd and at least 3, not {size!r}")
    seen = sample(scan.projections).astype(np.float32)
    seen = seen[np.linspace(0, len(seen) - 1, min(len(seen), 64)).round().astype(int)]
    distance = np.abs(seen - scipy.ndimage.median_filter(seen, size=(1, size, size), mode="nearest"))
    sigma = float(np.nanpercentile(distance, TAIL)) / TAIL_SIGMAS
    step = Step("remove_outliers", {"threshold": threshold, "size": size, "sigma": sigma})
    return scan.replace(step, projections=Despiked(scan.projections, threshold * sigma, size))


class Despiked(Layer):
    """A stack without values further than `limit` from the median about them that their neighbours do not share."""

    def __init__(self, parent: Frames, limit: float, size: int):
        super().__init__(parent)
        self.limit, self.size = limit, size

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        wanted = frames, rows, columns
        halos = 1, self.size // 2, self.size // 2
        wide = [
            slice(max(0, s.start - halo), min(n, s.stop + halo))
            for s, n, halo in zip(wanted, self.shape, halos, strict=True)
        ]
        block = self.pull(*wide)
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(wanted, wide, strict=True))
        result = block[inner].copy()
        for few in blocks(inner[0], block[:1].size, 1 << 20):  # few frames at a time stay in the cache
            start = max(0, few.start - 1)
            part = block[start : few.stop + 1].copy()
            _despike(part, self.limit, self.size)
            at = slice(few.start - inner[0].start, few.stop - inner[0].start)
            result[at] = part[few.start - start :][: few.stop - few.start, inner[1], inner[2]]
        return result


def _despike(block: np.ndarray, limit: float, size: int) -> None:
    """Replace spikes, in place.

    A value far from the median of its neighbourhood is as far from the least or the greatest there; medians, which
    are slow, are taken only where that holds.
    """
    low, high = _extreme(block, np.minimum, size), _extreme(block, np.maximum, size)
    bright = (block - low > limit) & (block > _beside(high, np.maximum, -np.inf) + limit / 2)
    dark = (high - block > limit) & (block < _beside(low, np.minimum, np.inf) - limit / 2)
    frame, row, column = np.nonzero(bright | dark)
    reach = np.arange(size) - size // 2
    neighbours = block[
        frame[:, None, None],
        np.clip(row[:, None] + reach, 0, block.shape[1] - 1)[:, :, None],
        np.clip(column[:, None] + reach, 0, block.shape[2] - 1)[:, None, :],
    ]
    median = np.median(neighbours.reshape(len(frame), size * size), axis=1)
    spike = np.abs(block[frame, row, column] - median) > limit
    block[frame[spike], row[spike], column[spike]] = median[spike]


def _extreme(block: np.ndarray, of: np.ufunc, size: int) -> np.ndarray:
    """The least or greatest value of every neighbourhood in the frame, edges repeated."""
    for axis in (1, 2):
        widths = [(0, 0)] * 3
        widths[axis] = (size // 2, size // 2)
        padded = np.moveaxis(np.pad(block, widths, mode="edge"), axis, 0)
        parts = [padded[at : at + block.shape[axis]] for at in range(size)]
        result = of(parts[0], parts[1])
        for part in parts[2:]:
            of(result, part, out=result)
        block = np.moveaxis(result, 0, axis)
    return block


def _beside(block: np.ndarray, of: np.ufunc, none: float) -> np.ndarray:
    """The least or greatest of the frames before and after; `none` for a frame alone."""
    result = np.full_like(block, none)
    result[1:] = block[:-1]
    of(result[:-1], block[1:], out=result[:-1])
    return result
