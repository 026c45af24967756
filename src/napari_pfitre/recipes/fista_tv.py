"""FISTA with total variation and non-negativity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..options import check
from ..results import Run
from ..scans import TomoScan
from .recipe import Recipe

__all__ = ["FISTA_TV", "FistaTvOptions", "fista_tv"]


@dataclass(frozen=True)
class FistaTvOptions:
    """Least squares with total variation: piecewise smooth, edges kept, noise and streaks suppressed."""

    weight: Annotated[
        float | None,
        {"min": 0.0, "max": 1e3, "label": "TV weight", "unit": "of the automatic weight's scale",
         "tooltip": "Larger is smoother. Empty: chosen from the noise in the data. The scale transfers between scans."},
    ] = None  # fmt: skip
    dimensions: Annotated[
        Literal["2-D", "3-D"],
        {"label": "Variation", "tooltip": "2-D smooths within slices only; 3-D also from slice to slice."},
    ] = "3-D"
    non_negative: Annotated[bool, {"label": "Non-negative", "tooltip": "Absorption and emission cannot be negative."}] = True
    iterations: Annotated[int, {"min": 1, "max": 10000, "label": "Iterations at most", "tooltip": "An upper bound; the run ends earlier when the objective has settled."}] = 200  # fmt: skip
    tolerance: Annotated[
        float, {"min": 0.0, "max": 1.0, "label": "Tolerance", "advanced": True,
                "tooltip": "Stop when ten iterations lower the objective by less than this share."},
    ] = 1e-3  # fmt: skip

    def __post_init__(self):
        check(self)


def fista_tv(scan: TomoScan, options: FistaTvOptions, device: str = "auto") -> Run:
    raise NotImplementedError
    yield


FISTA_TV = Recipe("fista-tv", "FISTA-TV", "Least squares with total variation: edges stay, noise and streaks go.",
                  FistaTvOptions, fista_tv, lambda scan, options: 0)  # fmt: skip
