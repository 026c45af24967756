"""One pass over all frames of a pattern, however large: where the peak is, and which pixels cannot be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from ..errors import ScanError
from ..scans import CdiScan

__all__ = ["Survey", "invalid", "mask_of", "measured", "survey"]

_BLOCK = 64_000_000  #: bytes of frames looked at together
_CANDIDATES = 64  #: brightest pixels of a frame that are tried as the peak; more hot ones than that hide it
_SUPPORTED = 0.05  #: part of its value that the median neighbour of a real peak has, for a speckle spans two pixels
_CONTRAST = 8.0  #: of a peak, three voxels wide, over the mean of the array; noise and pictures stay below 4


class Survey(NamedTuple):
    """What one look at every frame says."""

    peak: tuple[int, int, int]
    counts: bool  #: whether all values are whole numbers
    total: np.ndarray  #: (row, column), sum over frames of what is measured
    hot: np.ndarray  #: (row, column), bool: far brighter than all neighbours, summed over frames
    not_finite: int  #: voxels that are NaN or infinite
    saturated: int  #: voxels at the largest value that their integer type can hold


def mask_of(scan: CdiScan, frames: slice) -> np.ndarray:
    """(frame, row, column) or (row, column), bool: the part of the mask for some frames."""
    if scan.mask is None:
        return np.zeros(scan.shape[1:], dtype=bool)
    return scan.mask if scan.mask.ndim == 2 else scan.mask[frames]


def invalid(values: np.ndarray) -> np.ndarray:
    """Where values are no numbers, or the mark that detectors put in gaps and on saturated pixels."""
    if values.dtype.kind == "u" and values.dtype.itemsize >= 2:
        return values == np.iinfo(values.dtype).max
    if values.dtype.kind == "i" and values.dtype.itemsize >= 2:
        return (values == np.iinfo(values.dtype).max) | (values < 0)
    return ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def measured(scan: CdiScan, frames: slice, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """A region as float32 with zeros where nothing was measured, and where that is."""
    raw = np.asarray(scan.intensity[frames, rows, columns])
    bad = invalid(raw) | mask_of(scan, frames)[..., rows, columns]
    return np.where(bad, 0, raw).astype(np.float32), bad


def survey(scan: CdiScan) -> Survey:
    """Look at every frame once.

    Raises
    ------
    ScanError
        When nothing was measured, or no peak stands out.
    """
    n_frames, n_rows, n_columns = scan.shape
    count = max(1, _BLOCK // (8 * n_rows * n_columns))
    total, most = np.zeros((n_rows, n_columns)), np.zeros((n_rows, n_columns))
    brightest: list[tuple[float, tuple[int, int, int]]] = []
    n_measured = not_finite = saturated = 0
    counts = True
    blind, gain = _unlit(scan), _gain(scan)
    for start in range(0, n_frames, count):
        span = slice(start, min(start + count, n_frames))
        raw = np.asarray(scan.intensity[span])
        lost = invalid(raw)
        not_finite += int(lost.sum()) if raw.dtype.kind == "f" else 0
        saturated += int(lost.sum()) if raw.dtype.kind != "f" else 0
        bad = lost | mask_of(scan, span) | blind
        values = np.where(bad, 0, raw).astype(np.float32)
        n_measured += int(bad.size - bad.sum())
        counts = counts and (raw.dtype.kind in "biu" or _whole(values))
        values *= gain
        total += values.sum(axis=0, dtype=np.float64)
        np.maximum(most, values.max(axis=0), out=most)
        brightest += [_brightest(frame, start + i) for i, frame in enumerate(values)]
    if not n_measured:
        raise ScanError(f"every value of {scan.name} is masked or not a number; check the mask and what it marks")
    peak = max(brightest)[1]
    _refuse_without_peak(scan, peak, total.sum() / n_measured, blind)
    return Survey(peak, counts, total, _hot(total - most, blind), not_finite, saturated)


def _whole(values: np.ndarray) -> bool:
    sample = values.ravel()[:: max(1, values.size // 100_000)]
    return bool(np.all(sample == np.round(sample)))


def _unlit(scan: CdiScan) -> np.ndarray:
    """(row, column): pixels that count without beam, so that none of them is taken for the peak."""
    if scan.dark is None or np.median(scan.dark) >= 1:
        return np.zeros(scan.shape[1:], dtype=bool)
    return scan.dark > 1


def _gain(scan: CdiScan) -> np.ndarray | np.float32:
    """(row, column): what evens the pixels out, so that the peak is the sample's and not the detector's."""
    if scan.flat is None:
        return np.float32(1)
    lit = scan.flat[np.isfinite(scan.flat) & (scan.flat > 0)]
    if lit.size == 0:
        return np.float32(1)
    return np.where(scan.flat > 0.2 * lit.mean(), lit.mean() / np.maximum(scan.flat, 1e-9), 0).astype(np.float32)


def _brightest(frame: np.ndarray, index: int) -> tuple[float, tuple[int, int, int]]:
    """The brightest pixel of a frame that its neighbours support: its value, and where it is."""
    n = min(_CANDIDATES, frame.size)
    picks = np.argpartition(frame.ravel(), -n)[-n:]
    for flat in picks[np.argsort(-frame.ravel()[picks])]:
        row, column = divmod(int(flat), frame.shape[1])
        about = frame[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        if np.median(about) >= _SUPPORTED * frame[row, column]:
            return float(frame[row, column]), (index, row, column)
    return 0.0, (index, frame.shape[0] // 2, frame.shape[1] // 2)


def _refuse_without_peak(scan: CdiScan, peak: tuple[int, int, int], mean: float, blind: np.ndarray) -> None:
    frames, rows, columns = (slice(max(0, p - 1), p + 2) for p in peak)
    about, bad = measured(scan, frames, rows, columns)
    bad = bad | blind[rows, columns]
    height = float(about[~bad].mean()) if (~bad).any() else 0.0
    if not height > _CONTRAST * mean or mean <= 0:
        raise ScanError(
            f"{scan.name} has no peak: its brightest place is {height:.3g} where the mean is {mean:.3g}; a Bragg peak "
            "stands out by far, so check that these are the frames of a rocking scan, and the mask"
        )


def _hot(total: np.ndarray, blind: np.ndarray) -> np.ndarray:
    """Pixels ten times as bright as the brightest neighbour, with room for noise: no speckle is that narrow.

    Of the sum over frames without each pixel's brightest, so that a single hit does not condemn its pixel.
    """
    around = np.ones((3, 3), dtype=bool)
    around[1, 1] = False
    lit = np.where(blind, 0, total)
    neighbours = scipy.ndimage.maximum_filter(lit, footprint=around, mode="nearest")
    floor = np.median(lit)
    return blind | (total > 10 * neighbours + 10 * np.sqrt(floor) + 30)
