"""The noise of a scan, from its own sinograms."""

from __future__ import annotations

import math

import numpy as np

from ..scans import TomoScan
from .blocks import spread
from .geometry import sinograms

__all__ = ["noise_level", "noise_of", "relative_noise"]

LEAST = 5e-4  #: of the data's root mean square: a model without noise is still a model


def noise_level(scan: TomoScan) -> float:
    """The standard deviation of the noise in one bin, from some sinograms spread over the scan; see `noise_of`."""
    return noise_of([sinograms(scan, slice(row, row + 1))[0].numpy() for row in spread(scan.shape[1], 8)])


def noise_of(rows) -> float:
    """The standard deviation of the noise in one bin of sinograms, each (angle, column).

    Median absolute deviation of the diagonal Haar details (Donoho & Johnstone, Biometrika 81 (1994) 425): in them
    a sinogram, smooth along one of its axes, all but vanishes. Never below half a per mille of the data's root mean
    square.
    """
    details, squares = [], []
    for row in rows:
        y = np.asarray(row, dtype=float)
        squares.append(np.mean(y**2))
        even = y[: len(y) // 2 * 2, : y.shape[1] // 2 * 2]
        quads = even.reshape(len(even) // 2, 2, -1, 2)
        details.append((quads[:, 0, :, 0] - quads[:, 0, :, 1] - quads[:, 1, :, 0] + quads[:, 1, :, 1]).ravel() / 2)
    detail = np.concatenate(details)
    spread_of_detail = float(np.median(np.abs(detail))) / 0.6745 if detail.size else 0.0
    return max(spread_of_detail, LEAST * math.sqrt(float(np.mean(squares))))


def relative_noise(rows) -> float:
    """The noise of sinograms over their root mean square."""
    size = math.sqrt(float(np.mean([np.mean(np.asarray(row, dtype=float) ** 2) for row in rows])))
    return noise_of(rows) / size if size else 1.0
