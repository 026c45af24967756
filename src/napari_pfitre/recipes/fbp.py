"""Filtered back-projection, block of rows by block of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ..device import resolve_device
from ..options import check
from ..results import Run
from ..scans import TomoScan
from .direct import in_one_pass
from .geometry import line_integrals, projector
from .journal import Journal
from .recipe import Recipe

if TYPE_CHECKING:
    import torch

__all__ = ["FBP", "FbpOptions", "fbp"]


@dataclass(frozen=True)
class FbpOptions:
    """Filtered back-projection: fast and linear; a missing wedge smears it."""

    filter: Annotated[
        Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"],
        {"label": "Filter", "tooltip": "Window on the ramp: further down the list is smoother and less noisy."},
    ] = "hann"
    cutoff: Annotated[
        float, {"min": 0.05, "max": 1.0, "step": 0.05, "label": "Cut-off", "unit": "of Nyquist",
                "tooltip": "Frequencies above this share of the detector's Nyquist frequency are left out."},
    ] = 1.0  # fmt: skip

    def __post_init__(self):
        check(self)


def fbp(scan: TomoScan, options: FbpOptions, device: str = "auto") -> Run:
    """Filtered back-projection of every row; slices are as wide as the detector."""
    from ..solvers import fbp as filtered_back_projection

    scan = line_integrals(scan)
    where = resolve_device(device)
    journal = Journal("fbp", scan, options, where)
    A = projector(scan, where)

    def invert(y: torch.Tensor) -> np.ndarray:
        return filtered_back_projection(A, y, window=options.filter, cutoff=options.cutoff).cpu().numpy()

    return (yield from in_one_pass(scan, journal, invert, _bytes_per_row(scan, options)))


def _bytes_per_row(scan: TomoScan, options: FbpOptions) -> int:
    """In float32: a sinogram as read and as sorted, and the slice."""
    n_angles, _, n = scan.shape
    return 4 * (2 * n_angles * n + n * n)


FBP = Recipe(
    name="fbp",
    title="FBP",
    summary="Filtered back-projection: seconds for a volume, streaks where angles are missing.",
    options_type=FbpOptions,
    generator=fbp,
    bytes_per_row=_bytes_per_row,
)
