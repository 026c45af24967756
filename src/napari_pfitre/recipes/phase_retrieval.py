"""Phase retrieval from random starts: alternating projections with shrink-wrap, then the likeliest object.

    random start → ER, HIO, RAAR with a support that follows → … as often as asked for
    the best by voxels kept out, averaged with those as good → maximum likelihood → canonical form

No network and no training: it stands beside CDI-NN to be compared with, and serves where CDI-NN has not learnt enough.
Fienup, Appl. Opt. 21 (1982) 2758; Marchesini et al., Phys. Rev. B 68 (2003) 140101; docs/methods/phase-retrieval.md.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np

from ..device import resolve_device
from ..options import check
from ..preprocess.cdi_oversampling import oversampling
from ..results import Preview, Progress, Run
from ..scans import CdiScan
from .cdi_result import (
    AS_GOOD,
    KEPT_OUT,
    NOISE_FILTER,
    Clock,
    KeptOut,
    LabFrame,
    NoiseFilter,
    Pattern,
    object_volume,
    ready_pattern,
)
from .recipe import Recipe

if TYPE_CHECKING:
    import torch

__all__ = ["PHASE_RETRIEVAL", "PhaseRetrievalOptions", "phase_retrieval"]

ROOM = 1.5  #: times the size told by the autocorrelation: the first support
SHOWN = 20  #: steps between two previews


@dataclass(frozen=True)
class PhaseRetrievalOptions:
    """Alternating projections from random starts; the best of them, refined."""

    starts: Annotated[
        int, {"min": 1, "max": 1000, "label": "Random starts",
              "tooltip": "The best by chi² of voxels kept out is taken, and averaged with those that are as good."},
    ] = 5  # fmt: skip
    schedule: Annotated[
        str, {"label": "Schedule", "tooltip": "Steps of ER, HIO, RAAR, EVEN (RAAR with the modulus held even, for a "
              "support that is nearly right) and TWIN (ER in a quarter of the support, which tells object and twin "
              "apart), such as 5 TWIN + 3×(80 HIO + 20 ER)."},
    ] = "20 ER + 80 HIO + 10 ER + 80 RAAR + 30 ER"  # fmt: skip
    beta: Annotated[
        float, {"min": 0.1, "max": 1.0, "step": 0.05, "label": "β", "tooltip": "Of HIO and RAAR."}
    ] = 0.9  # fmt: skip
    support_threshold: Annotated[
        float, {"min": 0.01, "max": 0.9, "step": 0.01, "label": "Support threshold", "unit": "of the maximum",
                "tooltip": "The support is where the smoothed amplitude is above this."},
    ] = 0.1  # fmt: skip
    smoothing: Annotated[
        float, {"min": 0.5, "max": 10.0, "step": 0.1, "label": "Support smoothing", "unit": "voxels",
                "tooltip": "Of the amplitude that the support is taken from, at the start; one voxel at the end."},
    ] = 2.0  # fmt: skip
    follow: Annotated[
        int, {"min": 0, "max": 1000, "label": "Support every", "unit": "steps", "advanced": True,
              "tooltip": "How often the support is taken anew; 0 keeps the first."},
    ] = 5  # fmt: skip
    refinement: Annotated[
        int, {"min": 0, "max": 1000, "label": "Refinement steps", "tooltip": "Of L-BFGS on the likelihood; 0 is none."}
    ] = 30  # fmt: skip
    likelihood: Annotated[
        Literal["poisson", "amplitude"],
        {"label": "Likelihood", "tooltip": "Poisson for photons; amplitude for counts that are no single photons."},
    ] = "poisson"  # fmt: skip
    noise_filter: NoiseFilter = NOISE_FILTER
    kept_out: KeptOut = KEPT_OUT
    lab_frame: LabFrame = False
    seed: Annotated[
        int, {"min": 0, "max": 2**31 - 1, "label": "Seed", "advanced": True, "tooltip": "Of the first start; others "
              "follow it."},
    ] = 0  # fmt: skip

    def __post_init__(self):
        from ..schedules import parse_schedule

        check(self)
        parse_schedule(self.schedule)

    @property
    def steps(self) -> int:
        """Of phasing and refinement, all starts together."""
        from ..schedules import parse_schedule

        return self.starts * len(parse_schedule(self.schedule)) + self.refinement


class Found(NamedTuple):
    """What a start came to; zero at index 0."""

    psi: torch.Tensor  #: (z, y, x), complex64
    support: torch.Tensor  #: bool
    free: float  #: chi² of the voxels kept out; of the used ones when none were
    seed: int


def phase_retrieval(scan: CdiScan, options: PhaseRetrievalOptions, device: str = "auto") -> Run:
    """The crystal of a pattern, in the pattern's own voxels or in the laboratory's."""
    from ..schedules import parse_schedule

    where = resolve_device(device)
    clock = Clock()
    schedule = parse_schedule(options.schedule)
    total = options.steps
    yield Progress(0, total, "preparing the pattern")
    scan, pattern = ready_pattern(scan, where, options)
    ratios = oversampling(np.where(pattern.mask, 0, pattern.whole) ** 2)
    found: list[Found] = []
    stopped = False
    for number in range(options.starts):
        one, stopped = yield from _start(pattern, options, schedule, ratios, number, total)
        found.append(one)
        if stopped:
            break
    best = min(found, key=lambda one: one.free)
    good = [one for one in found if one.free <= AS_GOOD * best.free]
    psi = _mean(pattern, best, good)
    if options.refinement and not stopped:
        psi, stopped = yield from _refined(pattern, psi, best.support, options, total)
        if not stopped:
            psi = pattern.to_corner(pattern.without_noise(pattern.to_centre(psi), options.noise_filter))
    figures = {
        "starts": len(found), "starts as good": len(good), "best seed": best.seed,
        "median free chi2 of starts": float(np.median([one.free for one in found])),
    } | {f"oversampling {axis}": ratio for axis, ratio in zip("zyx", ratios, strict=True)}  # fmt: skip
    ordered = [best, *(one for one in good if one is not best)]
    step = len(found) * len(schedule) if stopped else total
    yield Progress(step, total, "displacement, strain, resolution", None, None, _shown(pattern, psi))
    return object_volume(
        scan, pattern, pattern.to_centre(psi), [pattern.to_centre(one.psi) for one in ordered],
        recipe="phase-retrieval", options=options, device=where, clock=clock, figures=figures, partial=stopped,
        seed=options.seed, in_lab_frame=options.lab_frame,
    )  # fmt: skip


def _start(
    pattern: Pattern, options: PhaseRetrievalOptions, schedule: tuple[str, ...], ratios, number: int, total: int
) -> Generator[Progress, bool | None, tuple[Found, bool]]:
    """One random start, and whether someone stopped."""
    from ..solvers import ShrinkWrap, box_support, phasing, random_start

    support = box_support(pattern.whole.shape, [min(0.8, ROOM / ratio) for ratio in ratios], pattern.A.device)
    shrink = ShrinkWrap(options.follow, options.support_threshold, (options.smoothing, min(1.0, options.smoothing)))
    x = random_start(pattern.amplitude, support, options.seed + number)
    text = f"start {number + 1} of {options.starts}"
    stop: bool | None = False
    for now in phasing(pattern.A, pattern.amplitude, x, support, schedule, beta=options.beta, shrink=shrink):
        shown = None
        if now.k % SHOWN == 0 or now.k == len(schedule):
            shown = _shown(pattern, now.x)
        step = number * len(schedule) + now.k
        stop = yield Progress(step, total, f"{text}, {now.algorithm}", None, now.misfit**0.5, shown)
        if stop:
            break
    psi = now.x * now.support
    own, free = pattern.chi2(pattern.to_centre(psi))
    return Found(psi, now.support, own if pattern.kept_out is None else free, options.seed + number), bool(stop)


def _shown(pattern: Pattern, psi: torch.Tensor) -> Preview:
    """The amplitude with its middle in the middle."""
    return Preview(0, pattern.to_centre(psi).abs().cpu().numpy())


def _mean(pattern: Pattern, best: Found, good: list[Found]) -> torch.Tensor:
    """The mean of the best start and of those that are as good, moved, turned over and phased to lie on it."""
    if len(good) == 1:
        return best.psi
    import torch

    from ..metrics import align_to

    target = pattern.to_centre(best.psi).cpu().numpy()
    mean = target.copy()
    for one in good:
        if one is not best:
            mean += align_to(pattern.to_centre(one.psi).cpu().numpy(), target)[0].astype(np.complex64)
    return pattern.to_corner(torch.from_numpy(mean / len(good)).to(best.psi.device))


def _refined(
    pattern: Pattern, psi: torch.Tensor, support: torch.Tensor, options: PhaseRetrievalOptions, total: int
) -> Generator[Progress, bool | None, tuple[torch.Tensor, bool]]:
    """The likeliest object in about the support of the best start, and whether someone stopped."""
    from ..solvers import Likelihood, refine, soft_support

    first, stop = total - options.refinement, False
    for now in refine(
        pattern.A, pattern.amplitude, psi, soft_support(support, 0.7), iterations=options.refinement,
        likelihood=Likelihood(options.likelihood),
    ):  # fmt: skip
        psi = now.x
        shown = None
        if now.k % SHOWN == 0 or now.k == options.refinement:
            shown = _shown(pattern, psi)
        stop = bool((yield Progress(first + now.k, total, "refinement", now.objective, None, shown)))
        if stop:
            break
    return psi.clone(), stop


def _bytes_per_row(scan: CdiScan, options: PhaseRetrievalOptions) -> int:
    """Of one row of every frame: the pattern four times, six complex arrays of a step, as many again while starts are
    aligned, and each start's object and support. A pattern that is still to be cropped needs less."""
    n_frames, _, n_columns = scan.shape
    return (4 * 4 + 12 * 8 + options.starts * 9) * n_frames * n_columns


PHASE_RETRIEVAL = Recipe(
    name="phase-retrieval",
    title="Phase retrieval",
    summary="A crystal's shape and phase from its diffraction pattern: ER, HIO and RAAR from random starts.",
    options_type=PhaseRetrievalOptions,
    generator=phase_retrieval,
    bytes_per_row=_bytes_per_row,
    scan_type=CdiScan,
)
