"""FISTA with total variation and non-negativity:  min_{x ≥ 0}  ½‖A x − y‖² + λ Σ|∇x|.

λ is given in units that transfer between scans: λ = weight · σ √(AᵀA)₀₀, where σ is the noise of one bin, estimated
from the data, and σ √(AᵀA)₀₀ is the noise of one pixel of Aᵀy. It follows the unit of the data, the number of angles
and the noise; weight = 1 is a good start. `docs/decisions/` tells how it was chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ..device import resolve_device
from ..options import check
from ..results import Progress, Run
from ..scans import TomoScan
from .blocks import Window, blocks_that_fit, overlap_notice
from .geometry import line_integrals, projector, sinograms
from .journal import Journal
from .noise import noise_level
from .recipe import Recipe

__all__ = ["FISTA_TV", "FistaTvOptions", "fista_tv"]

OVERLAP = 8  #: rows by which blocks of a 3-D run overlap; total variation hardly reaches further
SETTLING = 10  #: iterations over which the objective must have settled


@dataclass(frozen=True)
class FistaTvOptions:
    """Least squares with total variation: piecewise smooth, edges kept, noise and streaks suppressed."""

    weight: Annotated[
        float, {"min": 0.0, "max": 1e3, "step": 0.1, "label": "TV weight", "unit": "of automatic",
                "tooltip": "1 is the weight chosen from the noise found in the data; larger is smoother."},
    ] = 1.0  # fmt: skip
    dimensions: Annotated[
        Literal["2-D", "3-D"],
        {"label": "Variation", "tooltip": "2-D smooths within each slice only; 3-D also from slice to slice."},
    ] = "3-D"
    non_negative: Annotated[
        bool, {"label": "Non-negative", "tooltip": "Neither absorption nor emission can be negative."}
    ] = True
    iterations: Annotated[
        int, {"min": 1, "max": 10000, "label": "Iterations at most",
              "tooltip": "An upper bound: a run ends earlier when its objective has settled."},
    ] = 200  # fmt: skip
    tolerance: Annotated[
        float, {"min": 0.0, "max": 1.0, "step": 1e-4, "label": "Tolerance", "advanced": True,
                "tooltip": "Stop when ten iterations lower the objective by less than this share; 0 never stops."},
    ] = 5e-4  # fmt: skip

    def __post_init__(self):
        check(self)


def fista_tv(scan: TomoScan, options: FistaTvOptions, device: str = "auto") -> Run:
    """FISTA-TV of every row; slices are as wide as the detector."""
    from ..priors import TotalVariation
    from ..solvers import fista

    scan = line_integrals(scan)
    where = resolve_device(device)
    journal = Journal("fista-tv", scan, options, where)
    _, n_rows, n = scan.shape
    yield Progress(0, options.iterations, "estimating the noise")
    A = projector(scan, where)
    noise = noise_level(scan)
    strength = options.weight * noise * math.sqrt(A.diagonal())
    in_3d = options.dimensions == "3-D"
    overlap = OVERLAP if in_3d else 0
    blocks = blocks_that_fit(scan, _bytes_per_row(scan, options), where, overlap)
    total = options.iterations * len(blocks)
    data = np.zeros((n_rows, n, n), np.float32)
    window = Window()
    stop: bool | None = False
    figures = {"noise": noise, "tv_strength": strength}
    for i, block in enumerate(blocks):
        prior = TotalVariation(strength, dimensions=3 if in_3d else 2, non_negative=options.non_negative)
        objectives: list[float] = []
        for iterate in fista(A, sinograms(scan, block.read), prior, iterations=options.iterations):
            objectives.append(iterate.objective)
            settled = _settled(objectives, options.tolerance)
            done = settled or iterate.k == options.iterations
            shown = window.look(iterate.x, block, always=done)
            text = f"iteration {iterate.k}" + (f", block {i + 1} of {len(blocks)}" if len(blocks) > 1 else "")
            step = total if done and block is blocks[-1] else i * options.iterations + iterate.k
            stop = yield Progress(step, total, text, iterate.objective, iterate.residual, shown)
            if stop or settled:
                break
        data[block.keep] = iterate.x[block.inner].cpu().numpy()
        figures |= {"iterations": iterate.k, "objective": iterate.objective, "residual": iterate.residual}
        if stop:
            break
    partial = bool(stop) and not (done and block is blocks[-1])
    return journal.volume(data, partial=partial, figures=figures, notices=overlap_notice(blocks, overlap))


def _settled(objectives: list[float], tolerance: float) -> bool:
    if len(objectives) <= SETTLING:
        return False
    before, now = objectives[-1 - SETTLING], objectives[-1]
    return before - now < tolerance * now


def _bytes_per_row(scan: TomoScan, options: FistaTvOptions) -> int:
    """In float32: three sinograms; of slices iterates, AᵀA of them, Aᵀy, work space, preview, result, and the dual."""
    n_angles, _, n = scan.shape
    slices = 11 + (3 if options.dimensions == "3-D" else 2)
    return 4 * (3 * n_angles * n + slices * n * n)


FISTA_TV = Recipe(
    name="fista-tv",
    title="FISTA-TV",
    summary="Least squares with total variation: edges stay, noise and streaks go.",
    options_type=FistaTvOptions,
    generator=fista_tv,
    bytes_per_row=_bytes_per_row,
)
