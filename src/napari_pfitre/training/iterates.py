"""Scenes on their way through the engine: what the network will meet when it is used.

Every scene starts as the engine does, or as another method's image, and goes some rounds through the loop with the
averaged network of the moment. So the inputs are the loop's own iterates, and follow the network as it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..networks import SlabNet
from ..operators import ParallelBeam
from ..priors import NetworkPrior
from ..priors.network import robust_scale
from ..recipes.engine import smooth_start, smoothness
from ..recipes.noise import noise_of, relative_noise
from ..solvers import fbp, first_step, last, smooth_step
from ..twin.measured import Measured
from ..twin.objects import MIXTURE
from ..twin.scenes import FLAWS, Scene, Scenes
from .keeping import CHECKPOINT, read_checkpoint
from .settings import TrainOptions

__all__ = ["Iterate", "Stream", "iterates", "stream"]

RHO = (0.02, 0.5)  #: of a scene's rounds, in units of the diagonal
SHARE = (0.3, 0.8)  #: of total variation in them
CLEAN = 0.5  #: of the scenes have nothing wrong but noise; what the missing wedge does is seen best in those
SPOILT = 0.4  #: in the others, times as often as in `Scenes`: from what nobody could mend there is little to learn
#: But noise is in nearly all, and few detectors are as sharp as their pixels.
USUAL: Mapping[str, float] = {"normal noise": 0.85, "photon noise": 0.25, "blur": 0.4}
BACK_PROJECTED = 0.05  #: of the scenes start from a back-projection
PLAIN = 0.35  #: from least squares, where all of what a wedge does is seen; the others from total variation
UNFINISHED = 0.2  #: of those stop it early, after this many iterations at least
FEWEST = 15
WIDTH_STEP = 32  #: pixels from one width of scans to the next
MOST_MISSING = 120.0  #: degrees
SPARSE = 0.15  #: of the scans have a narrow wedge or none, and few projections
FEW = (20, 60)  #: of these
NARROW = 20.0  #: degrees
THIN = 0.85  #: of the scans have a single slice: the next slice is much the same, another scan is not

Stream = Iterator["list[Iterate] | None"]


class Iterate(NamedTuple):
    """A volume that the network is to mend, and what it should become."""

    given: np.ndarray  #: (z, y, x), float32
    truth: np.ndarray  #: the same; no sharper than the scan, or its projections would not be the data
    angles: np.ndarray  #: (angle,), radians
    noise: float  #: relative, as the network is told
    scale: float  #: what counts as one


def iterates(
    scene: Scene, rng: np.random.Generator, rounds: int, net: torch.nn.Module, device: torch.device
) -> Iterator[Iterate]:
    """The scene's start and what the loop makes of it, at most `rounds` volumes."""
    n = scene.sinograms.shape[-1]
    A = ParallelBeam(scene.angles, n, device=device)
    y = torch.from_numpy(scene.sinograms).to(device)
    b, diagonal = A.adjoint(y), A.diagonal()
    rho, share = (float(np.exp(rng.uniform(*np.log(limits)))) for limits in (RHO, SHARE))
    least = first_step(A, b, diagonal * float(np.exp(rng.uniform(np.log(0.15), np.log(0.6)))))
    noise, scale = relative_noise(scene.sinograms), robust_scale(least)
    prior = NetworkPrior(net, A.angles, noise, scale=scale)
    x = _start(A, y, least, rng)
    yield Iterate(x.cpu().numpy(), scene.image, scene.angles, noise, scale)
    smooth = smoothness(A, noise_of(scene.sinograms), share)
    for _ in range(int(rng.integers(rounds))):
        x = smooth_step(A, b, prior.prox(x, 1 / diagonal), diagonal * rho, smooth)
        yield Iterate(x.cpu().numpy(), scene.image, scene.angles, noise, scale)


def _start(A: ParallelBeam, y: torch.Tensor, least: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """What the network sees first: as in the engine, or another method's image."""
    kind = rng.random()
    if kind < BACK_PROJECTED:
        return fbp(A, y).clamp_(min=0)
    if kind < BACK_PROJECTED + PLAIN:
        return least
    noise = noise_of(y.cpu().numpy()) * float(np.exp(rng.uniform(np.log(0.7), np.log(2))))
    most = int(np.exp(rng.uniform(np.log(FEWEST), np.log(150)))) if rng.random() < UNFINISHED else None
    return last(islice(smooth_start(A, y, noise), most)).z


@contextmanager
def stream(
    options: TrainOptions, first: int, net: torch.nn.Module, device: torch.device, folder: Path,
    own: tuple[Measured, ...] = (),
) -> Iterator[Stream]:  # fmt: skip
    """The iterates of scene after scene, from `first` on; None where workers have none ready yet.

    Workers compute on the processor with the averaged network of the folder's checkpoint; without any, all is done here
    with `net`. With objects of one's own, they are half of what is shown: a network that saw nothing else would forget
    the rest.
    """
    mixture = (*((kind, share / 2) for kind, share in MIXTURE), ("own", 0.5)) if own else MIXTURE
    scene = partial(_scene, options, mixture, own)
    if not options.workers:
        yield (list(_of_scene(options, scene, net, device, index)) for index in count(first))
        return
    pool = ProcessPoolExecutor(options.workers, get_context("spawn"), torch.set_num_threads, (1,))
    try:
        yield _ready(pool, partial(_elsewhere, options, scene, folder), first, 3 * options.workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ready(pool: ProcessPoolExecutor, work: Callable[[int], list[Iterate]], first: int, ahead: int) -> Stream:
    waiting: list[Future] = []
    for index in count(first):
        waiting.append(pool.submit(work, index))
        while len(waiting) >= ahead:
            if waiting[0].done():
                yield waiting.pop(0).result()
            else:
                yield None


def _elsewhere(options: TrainOptions, scene: Callable[[int], Scene], folder: Path, index: int) -> list[Iterate]:
    path = folder / CHECKPOINT
    net = _averaged(path, path.stat().st_mtime_ns)
    return list(_of_scene(options, scene, net, torch.device("cpu"), index))


@lru_cache(maxsize=1)
def _averaged(checkpoint: Path, written: int) -> torch.nn.Module:
    """The averaged network of a checkpoint, read again when it was written again."""
    state = read_checkpoint(checkpoint.parent)
    net = SlabNet(**state["config"])
    net.load_state_dict(state["average"])
    return net.eval().requires_grad_(False)


def _of_scene(
    options: TrainOptions, scene: Callable[[int], Scene], net: torch.nn.Module, device: torch.device, index: int
) -> Iterator[Iterate]:
    rng = np.random.default_rng((options.seed, 1, index))
    return iterates(scene(index), rng, options.rounds, net, device)


def _scene(options: TrainOptions, mixture: tuple, own: tuple[Measured, ...], index: int) -> Scene:
    """Scene `index`: of any width, as many pixels of each; the wider the missing wedge, the more often it comes."""
    rng = np.random.default_rng((options.seed, 0, index))
    widths = np.arange(options.size, options.size * options.largest + 1, WIDTH_STEP)
    size = int(rng.choice(widths, p=widths**-2.0 / (widths**-2.0).sum()))
    sparse = rng.random() < SPARSE
    missing = NARROW * float(rng.random()) if sparse else MOST_MISSING * float(np.sqrt(rng.random()))
    slices = 1 if rng.random() < THIN else options.slices
    spoilt = 0.0 if rng.random() < CLEAN else SPOILT
    flaws = {name: flaw._replace(often=USUAL.get(name, spoilt * flaw.often)) for name, flaw in FLAWS.items()}
    scenes = Scenes(
        options.seed, size=size, slices=slices, missing=(missing, missing), angles=FEW if sparse else Scenes.angles,
        flaws=flaws, mixture=mixture, own=own,
    )  # fmt: skip
    return scenes[index]
