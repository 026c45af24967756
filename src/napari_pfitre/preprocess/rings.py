"""Ring artefacts: columns of a sinogram that a pixel's gain shifts at every angle, corrected by algotom or TomoPy.

A wrong gain multiplies the counts, so every method works on transmission; line integrals go there and back.
algotom's methods are those of Vo, Atwood & Drakopoulos, Optics Express 26 (2018) 28396; TomoPy's appear as further
choices, named ``tomopy-…``, where TomoPy is installed.

None is harmless. What hardly moves through the sinogram (edges along the beam, anything near the axis, everything in
a limited range of angles) looks like a stripe: without rings every method adds an error of its own, with rings of 2 %
most halve it (docs/decisions/ring-removal.md, benchmarks/ring_removal.py). Hence `prepare` removes none unless asked;
"filtering" is the gentlest, "fitting" keeps most at full angles, "large" takes wide stripes.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import OptionError, ScanError
from ..scans import Frames, Step, TomoScan
from .layers import Layer, blocks, require

__all__ = ["RING_METHODS", "Sinograms", "remove_rings"]

Sinograms = Callable[[np.ndarray], np.ndarray]  #: corrects (angle, row, column) transmission

ALGOTOM = ("filtering", "fitting", "sorting", "large", "dead", "all")
TOMOPY = ("fw", "ti", "sf")  # what algotom does not have

#: what `remove_rings` can do on this machine
RING_METHODS: tuple[str, ...] = ("none", *ALGOTOM)
if importlib.util.find_spec("tomopy") is not None:
    RING_METHODS += tuple(f"tomopy-{name}" for name in TOMOPY)


def remove_rings(scan: TomoScan, method: str = "filtering", width: int = 9) -> TomoScan:
    """Correct stripes in every sinogram.

    A region of the result needs all angles and columns of its rows: ask for blocks of rows, not for single frames.

    Parameters
    ----------
    method
        One of `RING_METHODS`.
    width
        Window in pixels along columns; stripes up to about half of it are removed. "fitting" and
        "tomopy-ti" know no width.
    """
    if method not in RING_METHODS:
        hint = "; TomoPy is not installed here" if method.startswith("tomopy-") else ""
        raise OptionError(f"remove_rings knows {', '.join(RING_METHODS)}, not {method!r}{hint}")
    if width < 3:
        raise OptionError(f"the width of remove_rings should be at least 3 pixels, not {width}")
    if method == "none":
        return scan
    require(
        scan, "remove_rings", "transmission", "line integrals",
        advice="apply flat_field first" if scan.quantity == "counts" else "fluorescence has no pixels with a gain",
    )  # fmt: skip
    correct = (
        _tomopy(method.removeprefix("tomopy-"), width) if method.startswith("tomopy-") else _algotom(method, width)
    )
    if scan.quantity == "line integrals":
        correct = _through_transmission(correct)
    return scan.replace(
        Step("remove_rings", {"method": method, "width": width}), projections=Destriped(scan.projections, correct)
    )


class Destriped(Layer):
    """A stack whose sinograms have been corrected."""

    def __init__(self, parent: Frames, correct: Sinograms):
        super().__init__(parent)
        self.correct = correct

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        n, _, width = self.shape
        parts = [
            self.correct(self.pull(slice(0, n), some, slice(0, width)))[frames, :, columns]
            for some in blocks(rows, n * width)
        ]
        return np.concatenate(parts, axis=1) if parts else self.pull(frames, rows, columns)


def _algotom(method: str, width: int) -> Sinograms:
    def correct(block: np.ndarray) -> np.ndarray:
        for row in range(block.shape[1]):
            before = np.ascontiguousarray(block[:, row])
            try:
                with np.errstate(all="ignore"):
                    after = _algotom_sinogram(before, method, width)
            except (ValueError, TypeError) as reason:
                if "noise-free" not in str(reason):
                    raise ScanError(f"ring removal by {method!r} fails ({reason}); choose another method") from reason
                continue  # the columns are so alike that no stripe stands out
            block[:, row] = np.where(np.isfinite(after), after, before)
        return block

    return correct


def _algotom_sinogram(sinogram: np.ndarray, method: str, width: int) -> np.ndarray:
    from algotom.prep import removal

    match method:
        case "sorting":
            return removal.remove_stripe_based_sorting(sinogram, size=width)
        case "filtering":
            return removal.remove_stripe_based_filtering(sinogram, sigma=3, size=width)
        case "fitting":
            return removal.remove_stripe_based_fitting(sinogram, order=2, sigma=20)
        case "large":
            return removal.remove_large_stripe(sinogram, snr=3.0, size=2 * width + 3)
        case "dead":
            return removal.remove_dead_stripe(sinogram, snr=3.0, size=2 * width + 3)
        case _:
            return removal.remove_all_stripe(sinogram, snr=3.0, la_size=2 * width + 3, sm_size=width)


def _tomopy(method: str, width: int) -> Sinograms:
    def correct(block: np.ndarray) -> np.ndarray:
        stripe = importlib.import_module("tomopy.prep.stripe")
        for row in range(block.shape[1]):
            before = np.array(block[:, row : row + 1], dtype=np.float32, order="C")  # TomoPy writes into what it gets
            if np.ptp(before.mean(axis=0)) == 0:
                continue  # no stripe at all: "ti" would look for it a million times
            try:
                with np.errstate(divide="raise", invalid="ignore"):
                    after = _tomopy_sinogram(stripe, before.copy(), method, width)
            except FloatingPointError:
                continue  # every projection has the same sum, by which "ti" weighs its correction: nothing stands out
            block[:, row : row + 1] = np.where(np.isfinite(after), after, before)
        return block

    return correct


def _tomopy_sinogram(stripe: Any, sinogram: np.ndarray, method: str, width: int) -> np.ndarray:
    """TomoPy's own settings, but for two that cost far more than rings do (docs/decisions/ring-removal.md)."""
    match method:
        case "fw":  # every level of wavelets above the stripes' width takes from the object only
            level = max(1, round(math.log2(width / 2)))
            return stripe.remove_stripe_fw(sinogram, level=level, sigma=1, ncore=1)
        case "ti":  # alpha adds a share of the darkest value to all of them
            return stripe.remove_stripe_ti(sinogram, alpha=0.0, ncore=1)
        case _:
            return stripe.remove_stripe_sf(sinogram, size=width // 2 + 1, ncore=1)


def _through_transmission(correct: Sinograms) -> Sinograms:
    def there_and_back(block: np.ndarray) -> np.ndarray:
        transmission = np.exp(-block)
        darkest = transmission.min(axis=(0, 2), keepdims=True)  # a correction must not end below zero
        return -np.log(np.maximum(correct(transmission), darkest))

    return there_and_back
