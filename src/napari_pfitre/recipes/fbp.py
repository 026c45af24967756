"""Filtered back-projection, block of rows by block of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ..device import resolve_device
from ..options import check
from ..results import Progress, Run
from ..scans import TomoScan
from .blocks import Window, blocks_that_fit
from .geometry import line_integrals, projector, sinograms
from .journal import Journal
from .recipe import Recipe

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
    _, n_rows, n = scan.shape
    A = projector(scan, where)
    data = np.zeros((n_rows, n, n), np.float32)
    window = Window()
    stop: bool | None = False
    for block in blocks_that_fit(scan, _bytes_per_row(scan, options), where):
        y = sinograms(scan, block.read)
        for start in range(block.keep.start, block.keep.stop, _ROWS_A_STEP):
            rows = slice(start, min(start + _ROWS_A_STEP, block.keep.stop))
            part = y[rows.start - block.read.start : rows.stop - block.read.start]
            data[rows] = filtered_back_projection(A, part, window=options.filter, cutoff=options.cutoff).cpu().numpy()
            shown = window.look(data[block.read], block, always=rows.stop == n_rows)
            stop = yield Progress(rows.stop, n_rows, f"slice {rows.stop} of {n_rows}", preview=shown)
            if stop:
                break
        if stop:
            break
    return journal.volume(data, partial=rows.stop < n_rows, figures={"slices": rows.stop})


_ROWS_A_STEP = 16


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
