"""PFITRE: data and a trained network in turns.

    x = argmin ½‖A x − y‖² + λ TV(x),  x ≥ 0                     a start
    z = network(x)                                             what such objects look like, near the data's image
    x = argmin ½‖A x − y‖² + 0.7 λ TV(x) + ρ/2‖x − z‖²,  x ≥ 0    what the data say, near the network's image

Zhao et al., npj Comput. Mater. 11 (2025) 240, with a network trained inside this very loop and no dual variable
(docs/methods/pfitre.md). The network sees neighbouring slices, and in one scale for the whole volume. Beside the volume
comes where network and data differ, how much of each voxel no projection measured, and what of the data is not
explained. The result lies between x and z: a trial that leaves some projections out tells where it foretells them best,
and how well.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ..device import resolve_device
from ..options import check
from ..results import Progress, Run
from ..scans import Step, TomoScan
from . import held_out
from .blocks import Block, Window, blocks_that_fit, overlap_notice, spread
from .geometry import line_integrals, projector, sinograms
from .journal import Journal
from .noise import noise_of
from .recipe import Recipe

if TYPE_CHECKING:
    import torch

    from ..networks import Card
    from ..operators import ParallelBeam
    from ..solvers import SplitIterate

__all__ = ["PFITRE", "WEIGHTS", "PfitreOptions", "pfitre"]

WEIGHTS = Path(__file__).parents[1] / "weights" / "pfitre.safetensors"  #: those that come with the package
OVERLAP = 6  #: rows by which blocks overlap: a slice feels its neighbours through slabs of five
FAINT = 0.1  #: of the volume's scale: below it a voxel counts as empty, and nothing in it as made up
ALIGNING = 5  #: rounds at most that look for displacements; later ones only drift
SAMPLE = 16  #: rows that the scale of the volume and its noise are taken from


@dataclass(frozen=True)
class PfitreOptions:
    """Data and a trained network in turns: for wedges and sparse angles that total variation cannot bridge."""

    mode: Annotated[
        Literal["loop", "one pass"],
        {"label": "Mode", "tooltip": "loop: data and network in turns. One pass: the network once, on a first image, "
         "and nothing holds it to the data; for comparison."},
    ] = "loop"  # fmt: skip
    rounds: Annotated[
        int, {"min": 1, "max": 100, "label": "Rounds at most",
              "tooltip": "Of data step and network; a run ends earlier when they have settled."},
    ] = 6  # fmt: skip
    rho: Annotated[
        float, {"min": 1e-3, "max": 1e3, "step": 0.1, "label": "Trust ρ", "unit": "mean diagonal of AᵀA",
                "tooltip": "Trust in the network: larger stays nearer to its image, smaller nearer to the data."},
    ] = 0.1  # fmt: skip
    result: Annotated[
        Literal["mean", "data", "network"],
        {"label": "Result", "tooltip": "mean: of the last images of data step and network, as much of the network's as "
         "foretells projections left out best (one part in four without the check). data: the data step's. network: "
         "the network's."},
    ] = "mean"  # fmt: skip
    weights: Annotated[
        Path | None,
        {"label": "Weights", "tooltip": "A .safetensors file of one's own training, or a ckpt_PFITRE.pth of the "
         "original; empty for those that come with the package."},
    ] = None  # fmt: skip
    align: Annotated[
        bool, {"label": "Refine displacements", "tooltip": "Look in the first rounds for displacements of single "
               "projections and for the rotation axis; rows too where there are eight of them."},
    ] = True  # fmt: skip
    tv: Annotated[
        float, {"min": 0.0, "max": 10.0, "step": 0.01, "label": "TV afterwards", "unit": "of the volume's scale",
                "tooltip": "Total variation that smooths the result; 0 leaves it as it is, 0.05 is much."},
    ] = 0.0  # fmt: skip
    check: Annotated[
        bool, {"label": "Check", "tooltip": "Reconstruct some rows again without every eighth projection, and see how "
               "well those are foretold, beside FISTA-TV; and how much of the network's image is good for that."},
    ] = True  # fmt: skip
    tolerance: Annotated[
        float, {"min": 0.0, "max": 1.0, "step": 1e-3, "label": "Tolerance", "advanced": True,
                "tooltip": "Stop when a round changes the network's image, and its distance from the data's, by less "
                "than this share: an image that is mended already only drifts. 0 never stops."},
    ] = 1e-2  # fmt: skip

    def __post_init__(self):
        check(self)


def pfitre(scan: TomoScan, options: PfitreOptions, device: str = "auto") -> Run:
    """PFITRE of every row; slices are as wide as the detector."""
    import torch

    from ..networks import load_network
    from ..operators.coverage import share_unmeasured, unmeasured
    from ..priors import NetworkPrior, TotalVariation
    from ..solvers.alignment import moved_rows
    from .engine import BLEND, engine

    scan = line_integrals(scan)
    where = resolve_device(device)
    journal = Journal("pfitre", scan, options, where)
    n_angles, n_rows, n = scan.shape
    rounds = options.rounds if options.mode == "loop" else 1
    yield Progress(0, rounds, "reading the network")
    net, card = load_network("pfitre" if options.weights is None else options.weights)
    net = net.to(where)
    A = projector(scan, where)
    scale, noise, size = scale_and_noise(scan, A)
    blocks = _from_the_middle(blocks_that_fit(scan, _bytes_per_row(scan, options), where, OVERLAP))
    total = rounds * len(blocks)
    mask = torch.from_numpy(unmeasured(scan.angles, (n, n)))
    data, difference, invented = (np.zeros((n_rows, n, n), np.float32) for _ in range(3))
    left = np.zeros(scan.shape, np.float32)
    shifts = np.zeros((n_angles, 2))
    figures = {"noise": noise, "scale": scale}
    window = Window()
    stop: bool | None = False
    apart: list[float] = []
    trial: held_out.Trial | None = None
    tried: SplitIterate | None = None
    result = "network" if options.mode == "one pass" else options.result
    between, share = result == "mean", {"data": 0.0, "mean": BLEND, "network": 1.0}[result]

    def solve(A: ParallelBeam, y: torch.Tensor, align: int = 0) -> Iterator[SplitIterate]:
        prior = NetworkPrior(net, A.angles, noise / size, scale=scale)
        return engine(A, y, prior, noise, rounds=rounds, rho=options.rho, align=align)

    def image_of(iterate: SplitIterate) -> torch.Tensor:
        return torch.lerp(iterate.x, iterate.z, share)

    for i, block in enumerate(blocks):
        # Displacements belong to the projections, not to the rows: the first block, the middle one, finds them for all.
        y = moved_rows(sinograms(scan, block.read).to(where), shifts[:, 0])
        before = None
        for iterate in solve(A, y, ALIGNING if options.align and i == 0 else 0):
            settled = before is not None and _settled(before, iterate, options.tolerance)
            before = iterate if iterate.k else None
            done = settled or iterate.last
            shown = window.look(image_of(iterate), block, always=done)
            text = f"round {iterate.k}" if iterate.k else "total variation first"
            text += f", block {i + 1} of {len(blocks)}" if len(blocks) > 1 else ""
            step = total if done and block is blocks[-1] else i * rounds + iterate.k
            stop = yield Progress(step, total, text, None, iterate.residual, shown)
            if stop or settled:
                break
        if iterate.shifts is not None:
            shifts = iterate.shifts
            A, y = A.displaced(A.shifts + shifts[:, 1]), moved_rows(y, shifts[:, 0])
        if options.check and i == 0 and not stop and n_angles >= held_out.FEWEST:
            rows = held_out.rows_to_check(n_rows)
            trial = held_out.Trial(A, moved_rows(sinograms(scan, rows).to(where), shifts[:, 0]))
            tried = yield from trial.of("PFITRE", solve, step)
            stop = tried is None
            if tried is not None and between:
                share = trial.share(tried.x, tried.z)
                shown = window.look(image_of(iterate), block, always=True)
                stop = yield Progress(step, total, f"{share:.0%} of the network's image", None, None, shown)
        image = image_of(iterate)
        if options.tv:
            image = TotalVariation(options.tv * scale, dimensions=3, non_negative=True).prox(image, 1.0)
        kept = image[block.inner].cpu()
        data[block.keep] = kept.numpy()
        difference[block.keep] = (iterate.z - iterate.x)[block.inner].cpu().numpy()
        invented[block.keep] = share_unmeasured(kept, mask, FAINT * scale).numpy()
        left[:, block.keep] = (y - A(image))[block.inner].cpu().numpy().transpose(1, 0, 2)
        apart.append(iterate.apart)
        figures |= {
            "rounds": iterate.k,
            "residual": iterate.residual,
            "apart": max(apart),
            "share of the network": share,
        }
        if stop:
            break
    partial = bool(stop) and not (done and block is blocks[-1])
    notices = overlap_notice(blocks, OVERLAP)
    if options.align:
        journal.note(Step("refine shifts", {"shifts": shifts.round(4).tolist()}))
        figures |= {"rms shift": float(np.sqrt(np.mean(shifts**2))), "largest shift": float(np.abs(shifts).max())}
    if not partial:
        notices += _unlike(card, options, figures)
        if trial is not None and tried is not None:
            x, z = tried.x, tried.z
            missed = {"PFITRE": trial.missed_between(x, z) if between else trial.missed(image_of(tried))}
            if (rival := (yield from trial.of("FISTA-TV", held_out.fista_tv(noise), total))) is not None:
                missed["FISTA-TV"] = trial.missed(rival.x)
            figures |= {f"held-out residual, {method}": value for method, value in missed.items()}
            notices += held_out.verdict(missed, "PFITRE")
    volume = journal.volume(data, partial=partial, figures=figures, notices=notices)
    provenance = volume.provenance
    versions = {**provenance.versions, f"weights {card.name}": f"sha256 {card.sha256}"}
    return dataclasses.replace(
        volume, provenance=dataclasses.replace(provenance, versions=versions),
        layers={"network − data": difference, "not measured": invented}, residual=left,
    )  # fmt: skip


def _from_the_middle(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The block in the middle first: there is most to see, and to align by."""
    middle = len(blocks) // 2
    return blocks[middle : middle + 1] + blocks[:middle] + blocks[middle + 1 :]


def scale_and_noise(scan: TomoScan, A: ParallelBeam) -> tuple[float, float, float]:
    """What counts as one in the volume; the noise of a bin; the root mean square of the data. From rows spread over it.

    One scale for all blocks: slices keep their relation, whatever stands in them.
    """
    import torch

    from .engine import first_scale

    y = torch.cat([sinograms(scan, slice(row, row + 1)) for row in spread(scan.shape[1], SAMPLE)])
    size = math.sqrt(float(y.square().mean(dtype=torch.float64)))
    return first_scale(A, y), noise_of(y.numpy()), size or 1.0


def _settled(before, now, tolerance: float) -> bool:
    """Neither the network's image nor its distance from the data's moves any more."""
    return now.moved < tolerance and abs(now.apart - before.apart) < tolerance


def _unlike(card: Card, options: PfitreOptions, figures: dict[str, float]) -> tuple[str, ...]:
    """A notice when the engine's figures lie beyond those of 95 % of simulated scans that were not trained on."""
    if options.mode != "loop" or not 0.5 <= options.rho / PfitreOptions().rho <= 2:
        return ()  # the card's figures are those of the loop as it usually is
    words = {"apart": "network and data differ by", "residual": "the data are missed by"}
    found = [
        f"{words[name]} {figures[name]:.1%}, in 95 % of simulated scans by less than {usual:.1%}"
        for name, usual in card.usual.items()
        if name in words and figures[name] > usual
    ]
    if not found:
        return ()
    return (
        f"{'; '.join(found)}: these data are unlike what the network learnt from, or not well aligned; check the axis, "
        "look at the layers beside the volume, and compare with FISTA-TV",
    )


def _bytes_per_row(scan: TomoScan, options: PfitreOptions) -> int:
    """In float32: six sinograms; of slices x, z and those before, Aᵀy, five of conjugate gradients, work space, three
    results and a preview."""
    n_angles, _, n = scan.shape
    return 4 * (6 * n_angles * n + 16 * n * n)


PFITRE = Recipe(
    name="pfitre",
    title="PFITRE",
    summary="Data and a trained network in turns: for missing wedges that total variation cannot bridge.",
    options_type=PfitreOptions,
    generator=pfitre,
    bytes_per_row=_bytes_per_row,
)
