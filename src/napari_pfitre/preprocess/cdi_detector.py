"""What the detector did to a pattern, undone: uneven pixels, hot ones, single hits, and light of another crystal."""

from __future__ import annotations

import numpy as np
import scipy

from ..errors import ScanError
from ..scans import CdiScan, Step
from .cdi_survey import mask_of

__all__ = ["flat_field", "remove_aliens", "remove_hot", "threshold"]

_NARROW = 10.0  #: a voxel that exceeds all 26 neighbours by this factor is no speckle: those span two voxels
_NOTHING = 3.0  #: counts that may be there by chance where nothing is expected


def arrays(scan: CdiScan) -> tuple[np.ndarray, np.ndarray]:
    """Intensity and full mask in memory, copies."""
    mask = np.array(np.broadcast_to(mask_of(scan, slice(None)), scan.shape))
    return np.array(scan.intensity[:], dtype=np.float32), mask


def flat_field(scan: CdiScan) -> CdiScan:
    """Counts divided by the flat over its mean; pixels that are dead in the flat or count in the dark are masked.

    A dark whose median is 1 and more is that of an integrating detector, and is subtracted first.
    """
    if scan.flat is None and scan.dark is None:
        return scan
    data, mask = arrays(scan)
    bad = np.zeros(scan.shape[1:], dtype=bool)
    parameters: dict[str, float] = {}
    if scan.dark is not None:
        middle = float(np.median(scan.dark))
        if middle >= 1:
            data -= scan.dark
            spread = float(np.median(np.abs(scan.dark - middle))) * 1.4826
            bad |= scan.dark > middle + 10 * max(spread, np.sqrt(middle))
        else:
            bad |= scan.dark > 1
        parameters["hot"] = int(bad.sum())
    if scan.flat is not None:
        known = np.isfinite(scan.flat) & (scan.flat > 0)
        if not known.any():
            raise ScanError(f"the flat of {scan.name} holds nothing above zero; name another with flats=")
        mean, spread = float(scan.flat[known].mean()), float(scan.flat[known].std())
        dead = ~known | (scan.flat < mean - 3 * spread)
        data *= np.where(dead, 0, mean / np.where(dead, 1, scan.flat)).astype(np.float32)
        bad |= dead
        parameters |= {"mean": mean, "dead": int(dead.sum())}
    mask |= bad
    data[mask] = 0
    return scan.replace(Step("flat_field", parameters), intensity=data, mask=mask, flat=None, dark=None)


def remove_hot(scan: CdiScan, hot: np.ndarray, counts: bool) -> CdiScan:
    """Mask pixels that are bright in all frames alike, and voxels hit once: a cosmic ray, a discharge.

    Parameters
    ----------
    hot
        (row, column), bool: the pixels bright in all frames, see `survey`.
    counts
        Whether the values were whole numbers as read; it says how large a value can come by chance.
    """
    data, mask = arrays(scan)
    mask |= hot
    data[mask] = 0
    around = np.ones((3, 3, 3), dtype=bool)
    around[1, 1, 1] = False
    unit = 1.0 if counts else _unit(data)
    hits = data > _NARROW * (scipy.ndimage.maximum_filter(data, footprint=around, mode="nearest") + _NOTHING * unit)
    mask |= hits
    data[mask] = 0
    step = Step("remove_hot", {"pixels": int(hot.sum()), "voxels": int(hits.sum())})
    return scan.replace(step, intensity=data, mask=mask)


def _unit(data: np.ndarray) -> float:
    """About one count, in data that are no counts any more."""
    positive = data[data > 0]
    return float(np.percentile(positive, 1)) if positive.size else 1.0


def remove_aliens(scan: CdiScan, factor: float = 30.0) -> CdiScan:
    """Mask bright patches that have no counterpart across the peak: another crystal, a streak of the detector.

    The pattern of an unstrained crystal has a centre, I(q) = I(−q), and strain changes the two sides gradually. Where
    the pattern, smoothed by three voxels, exceeds its mirror image by more than `factor`, the whole connected patch
    above a tenth of its own height goes. What lies within a quarter of the half width from the peak stays.
    """
    data, mask = arrays(scan)
    centre = scan.centre or tuple((n - 1) / 2 for n in data.shape)
    at = [round(c) for c in centre]
    smooth = scipy.ndimage.gaussian_filter(data, 1.5)
    mirrored = smooth[::-1, ::-1, ::-1]
    shift = [2 * p - (n - 1) for p, n in zip(at, data.shape, strict=True)]
    mirrored = scipy.ndimage.shift(mirrored, shift, order=0, mode="constant", cval=np.inf)
    floor = max(float(np.percentile(smooth, 75)), 1e-6 * float(smooth.max()))
    away = sum(
        ((np.arange(n) - p) / (n / 8)).reshape([-1 if i == axis else 1 for i in range(3)]) ** 2
        for axis, (n, p) in enumerate(zip(data.shape, at, strict=True))
    )
    seeds = (smooth > factor * (mirrored + floor)) & (away > 1)
    labels, n_patches = scipy.ndimage.label(seeds)
    gone = np.zeros_like(mask)
    for patch in range(1, n_patches + 1):
        inside = labels == patch
        whole, _ = scipy.ndimage.label((smooth > 0.1 * smooth[inside].max()) & (away > 1))
        gone |= np.isin(whole, np.unique(whole[inside])) & (whole > 0)
    data[gone] = 0
    step = Step("remove_aliens", {"factor": factor, "patches": int(n_patches), "voxels": int(gone.sum())})
    return scan.replace(step, intensity=data, mask=mask | gone)


def threshold(scan: CdiScan, least: float) -> CdiScan:
    """Values up to `least` become zero: stray photons and readout noise, which are no diffraction."""
    if least <= 0:
        data = np.maximum(np.asarray(scan.intensity), 0)
        return scan.replace(Step("threshold", {"least": 0.0}), intensity=data)
    data = np.array(scan.intensity, dtype=np.float32)
    data[data <= least] = 0
    return scan.replace(Step("threshold", {"least": least}), intensity=data)
