"""CDI-NN: a network's guess of shape and phase, then a short phase retrieval from there, then the likeliest object.

    pattern → the network's frame → shape and phase → EVEN, RAAR, ER → maximum likelihood → canonical form

A network as in Chan et al., Appl. Phys. Rev. 8 (2021) 021407 gives in a fraction of a second what phase retrieval from
random starts takes hundreds of steps to find; what it gives is no fit to the data yet, and phase retrieval from there
makes it one (docs/methods/cdi-nn.md). Where the phase is strong, what decides is that a crystal is as dense everywhere:
from the network's shape, which is nearly right, that may be asked for. A few per cent of the voxels are kept from
phasing; how well they are foretold is the free chi-squared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ..device import resolve_device
from ..errors import ReconstructionError
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
from .phase_retrieval import PhaseRetrievalOptions, phase_retrieval
from .recipe import Recipe

if TYPE_CHECKING:
    import torch

    from ..networks.crystal_guess import Guess

__all__ = ["CDI_NN", "WEIGHTS", "CdiNnOptions", "cdi_nn"]

WEIGHTS = Path(__file__).parents[1] / "weights" / "cdi-nn.safetensors"  #: those that come with the package
WIDER = 1.15  #: by how much the autocorrelation overestimates the oversampling, in the mean of simulated crystals
TRIES = 10  #: times the network is asked; after that it agrees with itself no better
SURE, POSSIBLE = 0.95, 0.1  #: of the network's shape: always in the support; never beyond a voxel about it
AVERAGE = 30  #: last steps of RAAR that are averaged
ENDING = 20  #: steps of ER after RAAR
EVEN = 0.6  #: of those before, with the modulus held even; every other start goes without
TIGHTER = 1.4  #: times the threshold, the support of these
#: λ, μ, κ of the prior in each third of the refinement. Much at first: photons hardly tell what lies along a fault, and
#: only a strong prior moves it. At the end phases may bend.
SOLID = ((8.0, 0.0, 15.0), (2.0, 0.0, 5.0), (0.5, 0.7, 2.0))
BESIDE = ("starts", "chi2", "free chi2", "resolution (nm)", "resolution (voxels)", "support voxels")
#: Photons a voxel of the crystal; with fewer the prior has less weight in proportion. A face of a fainter crystal is
#: hardly more than the noise, and |∇ψ| would take it for that.
BRIGHT = 25.0
LEVEL = 0.97  #: of the plateau, the crystal's own modulus: noise lifts the plateau


@dataclass(frozen=True)
class CdiNnOptions:
    """A trained network's guess, brought to agree with the data: shape and phase of a crystal in seconds."""

    mode: Annotated[
        Literal["network only", "with phasing", "with refinement"],
        {"label": "Mode", "tooltip": "Network only: the guess as it is. With phasing: projections from there. With "
         "refinement: then the likeliest object for these photons."},
    ] = "with refinement"  # fmt: skip
    steps: Annotated[
        int, {"min": 60, "max": 10000, "label": "Phasing steps", "tooltip": "RAAR from the network's guess, with the "
              "modulus held even at first in every other start; the last twenty are error reduction."},
    ] = 120  # fmt: skip
    starts: Annotated[
        int, {"min": 1, "max": 16, "label": "Starts", "tooltip": "How often phasing is started: from the network's "
              "guess with the modulus held even at first, from it without, then likewise from the best single answers. "
              "The best by chi² of voxels kept out is the result, averaged with those as good; all tell how sure it is."
              },
    ] = 4  # fmt: skip
    refinement: Annotated[
        int, {"min": 3, "max": 1000, "label": "Refinement steps", "tooltip": "Of L-BFGS on the Poisson likelihood and "
              "the prior of crystals, which gets weaker in three stages."},
    ] = 120  # fmt: skip
    solid: Annotated[
        float, {"min": 0.0, "max": 10.0, "step": 0.1, "label": "Trust in solidity", "tooltip": "In the refinement: "
                "that the crystal is as dense everywhere, with sharp faces, and its phase smooth but for faults. 1 is "
                "right for counted photons; 0 asks the data alone."},
    ] = 1.0  # fmt: skip
    noise_filter: NoiseFilter = NOISE_FILTER
    support_threshold: Annotated[
        float, {"min": 0.05, "max": 0.8, "step": 0.05, "label": "Support threshold", "unit": "of the crystal's "
                "amplitude", "tooltip": "Where the smoothed amplitude is above this the support is."},
    ] = 0.2  # fmt: skip
    kept_out: KeptOut = KEPT_OUT
    lab_frame: LabFrame = False
    compare: Annotated[
        bool, {"label": "Compare", "tooltip": "Afterwards, phase retrieval from random starts with as many steps: its "
               "figures stand beside these in the report."},
    ] = False  # fmt: skip
    beta: Annotated[
        float, {"min": 0.1, "max": 1.0, "step": 0.05, "label": "β", "tooltip": "Of RAAR.", "advanced": True}
    ] = 0.9
    weights: Annotated[
        Path | None, {"label": "Weights", "tooltip": "A .safetensors file of one's own training; empty for those that "
                      "come with the package."},
    ] = None  # fmt: skip
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "label": "Seed", "advanced": True,
                          "tooltip": "Of the voxels that are kept out."}] = 0  # fmt: skip

    def __post_init__(self):
        check(self)


def cdi_nn(scan: CdiScan, options: CdiNnOptions, device: str = "auto") -> Run:
    """The crystal of a pattern, in the pattern's own voxels."""
    import torch

    from ..networks import CrystalNet, load_network
    from ..networks.crystal_guess import guesses

    where = resolve_device(device)
    clock = Clock()
    phased = options.mode != "network only"
    starts = options.starts if phased else 1
    refining = options.refinement if options.mode == "with refinement" else 0
    ends = 2 + (starts * options.steps + refining if phased else 0)
    rival = _rival(options, ends - 2) if options.compare else None
    total = ends + (0 if rival is None else rival.steps)
    yield Progress(0, total, "reading the network")
    net, card = load_network("cdi-nn" if options.weights is None else options.weights)
    if not isinstance(net, CrystalNet):
        raise ReconstructionError(
            f"the weights {card.name} are of {card.architecture}, which inverts no diffraction patterns; give weights "
            "of 'napari-pfitre train cdi-nn'"
        )
    net = net.to(where)
    scan, pattern = ready_pattern(scan, where, options)
    yield Progress(1, total, "asking the network")
    z, y, x = (ratio / WIDER for ratio in oversampling(np.asarray(scan.intensity)))
    mask = torch.from_numpy(np.array(pattern.mask)).to(where) if pattern.mask.any() else None
    intensity = torch.from_numpy(np.array(scan.intensity)).to(where)
    found = guesses(net, intensity, mask, (z, y, x), TRIES, (starts + 1) // 2)
    figures: dict[str, float] = {"network misfit": found[0].misfit}
    figures |= {f"oversampling {axis}": v for axis, v in zip("zyx", found[0].oversampling, strict=True)}
    best, stopped = _start(found[0]), False
    phased_objects: list[Found] = []
    stop = yield Progress(2, total, "the network's guess", None, None, _shown(best.psi))
    if stop and phased:
        stopped = True
    elif phased:
        best, phased_objects, stopped = yield from _phased(pattern, found, options, total)
        if refining and not stopped:
            best, stopped = yield from _refined(pattern, best, options, total)
            if not stopped:
                best = Found(pattern.without_noise(best.psi, options.noise_filter), best.support)
    if phased:
        done = ends if not stopped else min(ends, 2 + len(phased_objects) * options.steps)
        yield Progress(done, total, "displacement, strain, resolution", None, None, _shown(best.psi))
    volume = object_volume(
        scan, pattern, best.psi, [one.psi for one in phased_objects], recipe="cdi-nn", options=options, device=where,
        clock=clock, figures=figures, partial=stopped, seed=options.seed, in_lab_frame=options.lab_frame,
    )  # fmt: skip
    provenance = volume.provenance
    assert provenance is not None
    versions = {**provenance.versions, f"weights {card.name}": f"sha256 {card.sha256}"}
    compared: dict[str, dict[str, float]] = {}
    if rival is not None and not stopped:
        compared = yield from _beside(scan, rival, ends, total, str(where))
    provenance = dataclasses.replace(provenance, versions=versions, compared=compared)
    return dataclasses.replace(volume, provenance=provenance)


def _rival(options: CdiNnOptions, steps: int) -> PhaseRetrievalOptions:
    """Phase retrieval by its defaults, with the random starts that come nearest to as many steps, and at least one."""
    alike = PhaseRetrievalOptions(kept_out=options.kept_out, noise_filter=options.noise_filter, seed=options.seed)
    one = (alike.steps - alike.refinement) // alike.starts
    return dataclasses.replace(alike, starts=max(1, round((steps - alike.refinement) / one)))


def _beside(
    scan: CdiScan, rival: PhaseRetrievalOptions, first: int, total: int, device: str
) -> Generator[Progress, bool | None, dict[str, dict[str, float]]]:
    """Figures of phase retrieval of the same pattern; none when someone stops, for the result is there by then."""
    run = phase_retrieval(scan, rival, device)
    while True:
        try:
            now = next(run)
        except StopIteration as end:
            told = end.value.provenance
            named = {name: told.figures[name] for name in BESIDE if name in told.figures} | {"seconds": told.seconds}
            return {"phase retrieval": named}
        text = f"phase retrieval, to compare: {now.text}"
        if (yield Progress(first + now.step, total, text, None, now.residual)):
            run.close()
            return {}


@dataclass(frozen=True, eq=False)
class Found:
    """An object and where it is, centred."""

    psi: torch.Tensor  #: (z, y, x), complex64
    support: torch.Tensor  #: bool


def _start(guess: Guess) -> Found:
    """The shape with its phase: how sure the phase is does not count as density."""
    import torch

    return Found(torch.polar(guess.shape, torch.angle(guess.psi)), guess.shape > 0.5)


def _shown(psi: torch.Tensor) -> Preview:
    return Preview(0, psi.abs().cpu().numpy().astype(np.float32))


def _phased(
    pattern: Pattern, found: list[Guess], options: CdiNnOptions, total: int
) -> Generator[Progress, bool | None, tuple[Found, list[Found], bool]]:
    """The best of the guesses after phasing, all of them, and whether someone stopped."""
    from ..solvers import parse_schedule, phasing
    from .crystal_support import CrystalSupport, grown

    done: list[Found] = []
    for i in range(options.starts):
        guess = found[i // 2]
        shape = pattern.to_corner(guess.shape)
        shrink = CrystalSupport(
            every=10,
            threshold=options.support_threshold,
            sigma=(1.0, 1.0),
            core=shape > SURE,
            reach=grown(shape > POSSIBLE),
        )
        x, support = pattern.scaled(pattern.to_corner(guess.psi)), shape > options.support_threshold
        step = 2 + i * options.steps
        text = f"phasing, start {i + 1} of {options.starts}" if options.starts > 1 else "phasing"
        even = 0 if i % 2 else round(EVEN * (options.steps - ENDING))
        finer = dataclasses.replace(shrink, every=5, threshold=TIGHTER * options.support_threshold, sigma=(0.8, 0.8))
        for schedule, follow, average in (
            (f"{even} EVEN + {options.steps - ENDING - even} RAAR", shrink, AVERAGE), (f"{ENDING} ER", finer, 1),
        ):  # fmt: skip
            names = parse_schedule(schedule)
            for now in phasing(
                pattern.A, pattern.amplitude, x, support, names, beta=options.beta, shrink=follow, average=average
            ):
                shown = None
                if now.k % 20 == 0 or now.k == len(names):
                    shown = _shown(pattern.to_centre(now.x))
                stop = yield Progress(step + now.k, total, text, None, now.misfit**0.5, shown)
                if stop:
                    inside = now.x * now.support
                    done.append(Found(pattern.to_centre(inside), pattern.to_centre(now.support)))
                    return _best(pattern, done), done, True
            x, support, step = now.x.clone(), now.support, step + now.k
        done.append(Found(pattern.to_centre(x), pattern.to_centre(support)))
    return _best(pattern, done), done, False


def _best(pattern: Pattern, done: list[Found]) -> Found:
    """The start that foretells the voxels kept out best (or fits all, when none were), averaged with those as good."""
    import torch

    from ..metrics import align_to

    misfits = [pattern.chi2(found.psi)[1 if pattern.kept_out is not None else 0] for found in done]
    best = done[int(np.argmin(misfits))]
    target = best.psi.cpu().numpy()
    good = [
        align_to(found.psi.cpu().numpy(), target)[0]
        for found, misfit in zip(done, misfits, strict=True)
        if found is not best and misfit <= AS_GOOD * min(misfits)
    ]
    if not good:
        return best
    mean = (target + sum(good)) / (1 + len(good))
    return Found(torch.from_numpy(mean.astype(np.complex64)).to(best.psi.device), best.support)


def _refined(
    pattern: Pattern, start: Found, options: CdiNnOptions, total: int
) -> Generator[Progress, bool | None, tuple[Found, bool]]:
    """The likeliest object for these photons in about the support of the start, and whether someone stopped."""
    from ..priors import Solid
    from ..solvers import Likelihood, refine, soft_support
    from ..solvers.shrink_wrap import plateau

    support = pattern.to_corner(start.support)
    weights = soft_support(support, 0.7)
    psi, step, stop = pattern.to_corner(start.psi), 2 + options.starts * options.steps, False
    stages = [[options.solid * weight for weight in stage] for stage in SOLID] if options.solid else [None]
    for i, trust in enumerate(stages):
        steps = (options.refinement + i) // len(stages)
        prior = None
        if trust is not None:
            level = LEVEL * plateau(psi.abs())
            visible = min(1.0, level**2 / BRIGHT)
            prior = Solid.about(support, weights > 0, level, *(visible * weight for weight in trust))
        for now in refine(
            pattern.A, pattern.amplitude, psi, weights, iterations=steps, likelihood=Likelihood("poisson"), prior=prior
        ):
            psi = now.x
            shown = _shown(pattern.to_centre(psi)) if now.k % 10 == 0 or now.k == steps else None
            stop = bool((yield Progress(step + now.k, total, "refinement", now.objective, None, shown)))
            if stop:
                break
        psi, step = psi.clone(), step + steps
        if stop:
            break
    return Found(pattern.to_centre(psi), start.support), stop


def _bytes_per_row(scan: CdiScan, options: CdiNnOptions) -> int:
    """Of one row of voxels in a frame, all frames: about a dozen complex arrays."""
    n_frames, _, n_columns = scan.shape
    return 8 * 12 * n_frames * n_columns


CDI_NN = Recipe(
    name="cdi-nn",
    title="CDI-NN",
    summary="A trained network's guess of a crystal, brought to agree with its diffraction pattern: in seconds.",
    options_type=CdiNnOptions,
    generator=cdi_nn,
    bytes_per_row=_bytes_per_row,
    scan_type=CdiScan,
)
