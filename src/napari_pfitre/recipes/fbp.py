"""Filtered back-projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..options import check
from ..results import Run
from ..scans import TomoScan
from .recipe import Recipe

__all__ = ["FBP", "FbpOptions", "fbp"]


@dataclass(frozen=True)
class FbpOptions:
    """Filtered back-projection: fast and linear; a missing wedge smears it."""

    filter: Annotated[
        Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"],
        {"label": "Filter", "tooltip": "Window on the ramp: further right is smoother and less noisy."},
    ] = "hann"
    cutoff: Annotated[
        float, {"min": 0.05, "max": 1.0, "step": 0.05, "label": "Cut-off", "unit": "of Nyquist",
                "tooltip": "Frequencies above this share of the detector's Nyquist frequency are left out."},
    ] = 1.0  # fmt: skip

    def __post_init__(self):
        check(self)


def fbp(scan: TomoScan, options: FbpOptions, device: str = "auto") -> Run:
    raise NotImplementedError
    yield


FBP = Recipe("fbp", "FBP", "Filtered back-projection: seconds for a volume, streaks where angles are missing.",
             FbpOptions, fbp, lambda scan, options: 0)  # fmt: skip
