"""Three searches for the rotation axis that know different things.

vo      a sinogram over 180° and its mirror image about c continue each other to 360°, whose Fourier transform is
        empty outside a double wedge (algotom; Vo et al., Optics Express 22 (2014) 19078). Needs 180° without a gap.
pairs   projections 180° apart are mirror images about c. Needs such pairs, or near ones from which c is extrapolated.
mass    the centre of mass of every projection follows c + a cos θ + b sin θ. Needs the whole object in view and
        nothing else; works at limited angles, where c and a resemble each other the more the narrower the range.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import scipy

__all__ = ["SEARCHES", "DoesNotApply"]

VO_ANGLES = 400  # more projections, and more columns in the coarse search, only make it slower
VO_COLUMNS = 320
VO_ROWS = 3
PAIRS = 24  # as many pairs of projections as are compared
PAIRS_WITHIN = np.deg2rad(5)  # of 180°
ROW_GROUPS = 5  # whose answers are compared
VO_ERROR = 0.5  # columns; on two real scans it was 0.9 and 0.0 off the axis that gives the sharpest slice
MASS_ERROR = 0.3  # columns; likewise 0.2 and 0.1


class DoesNotApply(Exception):
    """This search needs something the scan does not have."""


def _search_vo(band, picked, angles, window) -> tuple[float, float]:
    from algotom.prep.calculation import coarse_search_cor, fine_search_cor

    order = _half_turn(angles)
    order = order[:: -(-len(order) // VO_ANGLES)]
    width = band.shape[2]
    by = -(-width // VO_COLUMNS)
    found = []
    for row in picked[np.unique(np.linspace(0, len(picked) - 1, VO_ROWS).round().astype(int))]:
        sinogram = np.ascontiguousarray(band[row][order])
        small = sinogram[:, : width // by * by].reshape(len(order), -1, by).mean(axis=2)
        for reach in (width / 8, width / 3):
            start = max(window.start, (width - 1) / 2 - reach) / by
            stop = min(window.stop - 1, (width - 1) / 2 + reach) / by
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # algotom warns when the best axis stands at the end of its range
                try:
                    near = by * (float(coarse_search_cor(small, start, stop)) + 0.5) - 0.5
                    found.append(float(fine_search_cor(sinogram, near, radius=by + 1.0, step=0.25)))
                    break
                except UserWarning:
                    continue
    if not found:
        raise DoesNotApply("the axis is not within a third of the width about the middle")
    return float(np.median(found)), max(_spread(found), VO_ERROR)


def _half_turn(angles: np.ndarray) -> np.ndarray:
    """Indices of projections that cover 180° once, in order, without a gap."""
    order = np.argsort(angles, kind="stable")
    sorted_angles = angles[order]
    order = order[sorted_angles < sorted_angles[0] + np.pi - 1e-6]
    steps = np.diff(angles[order], append=angles[order[0]] + np.pi)
    if steps.max() > max(np.deg2rad(3), 2.5 * np.median(steps)):
        raise DoesNotApply("the projections do not cover 180° without a gap")
    return order


def _search_pairs(band, picked, angles, window) -> tuple[float, float]:
    step = float(np.median(np.diff(np.unique(np.round(angles, 7)))))
    beyond = (angles[None, :] - angles[:, None] - np.pi) / step  # steps by which a pair misses 180°
    exact = np.abs(beyond) < 0.05
    near = np.abs(beyond) <= min(4.05, PAIRS_WITHIN / step)
    pairs = np.argwhere(exact if exact.any() else near)
    if len(pairs) == 0:
        raise DoesNotApply("no two projections are 180° apart")
    if len(pairs) > PAIRS:
        pairs = pairs[np.unique(np.linspace(0, len(pairs) - 1, PAIRS).round().astype(int))]
    misses = beyond[pairs[:, 0], pairs[:, 1]]
    found = []
    for rows in np.array_split(np.arange(band.shape[0]), min(ROW_GROUPS, band.shape[0])):
        columns = np.array([_mirror_axis(band[rows, i], band[rows, j], window) for i, j in pairs])
        if exact.any() or np.ptp(misses) < 0.5:
            found.append(float(np.median(columns)))
        else:  # where the pairs tend to as they come nearer to 180°
            found.append(_robust_fit(np.stack([np.ones(len(misses)), misses], axis=1), columns)[0][0])
    column = float(np.median(found))
    if not window.start <= column < window.stop:
        raise DoesNotApply(f"pairs match about column {column:.1f}, outside the range")
    apart = 0.0 if exact.any() else 0.25 * float(np.abs(misses).min())
    return column, float(np.hypot(max(_spread(found), 0.1), apart))


def _mirror_axis(one: np.ndarray, other: np.ndarray, window: slice) -> float:
    """The column about which `other` mirrored matches `one` best, by correlation of slopes; both (row, column)."""
    width = one.shape[1]
    a = scipy.ndimage.gaussian_filter1d(one, 1.5, axis=1, order=1)
    b = scipy.ndimage.gaussian_filter1d(other[:, ::-1], 1.5, axis=1, order=1)
    spectrum = np.fft.rfft(a, 2 * width) * np.fft.rfft(b, 2 * width).conj()
    likeness = np.fft.irfft(spectrum.sum(axis=0))
    lags = np.arange(2 * window.start - width + 1, 2 * window.stop - width)
    at = int(lags[np.argmax(likeness[lags])])
    before, best, after = likeness[[at - 1, at, (at + 1) % (2 * width)]]
    bend = before - 2 * best + after
    return (width - 1 + at + (0.5 * (before - after) / bend if bend < 0 else 0.0)) / 2


def _search_mass(band, picked, angles, window) -> tuple[float, float]:
    n, width = len(angles), band.shape[2]
    margin = max(2, width // 50)
    edges = np.concatenate([band[:, :, :margin], band[:, :, -margin:]], axis=2)
    background = np.median(edges)
    lean = np.abs(np.median(edges[:, :, :margin]) - np.median(edges[:, :, margin:]))
    strongest = np.percentile(band[picked], 99.5) - background
    leaning = max(lean, np.percentile(edges, 95) - background)
    if not strongest > 0 or leaning > 0.15 * strongest:
        raise DoesNotApply("the object reaches the edge of the detector, so its centre of mass is not seen")
    found, errors = [], []
    model = np.stack([np.ones(n), np.cos(angles), np.sin(angles)], axis=1)
    at = np.arange(width)
    groups = np.array_split(np.arange(band.shape[0]), min(ROW_GROUPS, band.shape[0]))
    for group in groups:
        total = band[group].mean(axis=0, dtype=float) - background
        mass = total.sum(axis=1)
        if not (mass > 0.2 * np.median(mass)).all() or np.median(mass) <= 0:
            continue
        centres = (total * at).sum(axis=1) / mass
        fit, error = _robust_fit(model, centres)
        # a mass that comes and goes by a share moves the centre of mass by about that share of the object's radius
        radius = np.sqrt(max(0.0, (total * (at - centres[:, None]) ** 2).sum() / mass.sum()))
        found.append(fit[0])
        errors.append(error + mass.std() / mass.mean() * radius / np.sqrt(n))
    if not found:
        raise DoesNotApply("projections do not hold the same mass")
    column = float(np.median(found))
    if not window.start <= column < window.stop:
        raise DoesNotApply(f"the centre of mass turns about column {column:.1f}, outside the range")
    return column, max(_spread(found), float(np.median(errors)), MASS_ERROR)


def _robust_fit(model: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Least squares with Huber's weights; the coefficients and the standard error of the first."""
    weights = np.ones(len(values))
    for _ in range(20):
        root = np.sqrt(weights)[:, None]
        fit = np.linalg.lstsq(model * root, values * root[:, 0], rcond=None)[0]
        residual = values - model @ fit
        scale = 1.4826 * np.median(np.abs(residual)) + 1e-9
        weights = 1 / np.maximum(1, np.abs(residual) / (1.5 * scale))
    covariance = np.linalg.pinv(model.T @ (model * weights[:, None]))
    variance = (weights * residual**2).sum() / max(1, len(values) - model.shape[1])
    return fit, float(np.sqrt(variance * covariance[0, 0]))


def _spread(values: Sequence[float]) -> float:
    """Robust standard deviation."""
    return float(1.4826 * np.median(np.abs(np.asarray(values) - np.median(values)))) if len(values) > 1 else 0.0


SEARCHES: dict[str, Callable[..., tuple[float, float]]] = {
    "vo": _search_vo,
    "pairs": _search_pairs,
    "mass": _search_mass,
}
