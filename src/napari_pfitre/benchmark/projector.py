"""How fast this machine is: the projector and a FISTA-TV run, against ASTRA's CPU projectors in the same run.

Times are the best of several interleaved rounds, per slice; all contestants may use the same number of threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["AstraPair", "best_times", "measure"]


class AstraPair:
    """ASTRA's CPU projector on a stack of slices, in Python threads over slices, with the face of our operators."""

    def __init__(self, kind: str, angles: np.ndarray, n: int, threads: int):
        import astra
        import torch

        self.device = torch.device("cpu")
        volume = astra.create_vol_geom(n, n)
        detector = astra.create_proj_geom("parallel", 1.0, n, np.asarray(angles, dtype=float))
        self._made = [astra.OpTomo(astra.create_projector(kind, detector, volume)) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._over_slices(lambda W, part: W.FP(part), x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        return self._over_slices(lambda W, part: W.BP(part), y)

    def normal(self, x: torch.Tensor) -> torch.Tensor:
        return self._over_slices(lambda W, part: W.BP(W.FP(part)), x)

    def weigh(self, y: torch.Tensor) -> torch.Tensor:
        return y

    def norm(self) -> float:
        import torch

        side = int(np.sqrt(self._made[0].vshape[0] * self._made[0].vshape[1]))
        v = torch.ones(1, side, side)
        for _ in range(20):
            v = self.normal(v / v.norm())
        return float(v.norm()) ** 0.5

    def _over_slices(self, transform: Callable, data: torch.Tensor) -> torch.Tensor:
        import torch

        share = -(-len(data) // len(self._made))
        jobs = [
            self._pool.submit(
                lambda W, part: [transform(W, s) for s in part], W, data[i * share : (i + 1) * share].numpy()
            )
            for i, W in enumerate(self._made)
        ]
        return torch.from_numpy(np.stack([s for job in jobs for s in job.result()]))


def best_times(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each, the best of `rounds` rounds in which all take their turn."""
    best = dict.fromkeys(contestants, np.inf)
    for _ in range(rounds):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def measure(quick: bool = False, threads: int | None = None) -> Iterator[str]:
    """Lines of a report: A, Aᵀ and AᵀA a slice, then a FISTA-TV run; 512² and 121 angles, or 128² and 61 when quick."""
    import torch

    from ..operators import ParallelBeam
    from ..twin import SimulateOptions, simulate

    threads = threads or min(os.cpu_count() or 1, 2)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        n, n_angles, slices, rounds = (128, 61, 4, 3) if quick else (512, 121, 8, 5)
        simulation = simulate(SimulateOptions(size=n, slices=slices, angles=n_angles))
        yield f"{n}² pixels, {n_angles} angles, {slices} slices, {threads} thread(s), torch {torch.__version__}"
        x = torch.from_numpy(np.ascontiguousarray(simulation.truth.data))
        y = torch.from_numpy(simulation.scan.sinograms(slice(0, slices)))
        operators: dict[str, Any] = {"napari-pfitre": ParallelBeam(simulation.scan.angles, n)}
        try:
            operators |= {
                f"ASTRA {kind}": AstraPair(kind, simulation.scan.angles, n, threads) for kind in ("linear", "strip")
            }
        except ImportError:
            yield "ASTRA is not installed; pip install astra-toolbox to compare"
        times = {
            what: best_times({name: partial(getattr(A, method), data) for name, A in operators.items()}, rounds)
            for what, method, data in (("A", "__call__", x), ("Aᵀ", "adjoint", y), ("AᵀA", "normal", x))
        }
        yield f"{'ms a slice':<16}" + "".join(f"{what:>9}" for what in times) + "    times ours"
        for name in operators:
            each = [times[what][name] / slices * 1e3 for what in times]
            ratios = [times[what][name] / times[what]["napari-pfitre"] for what in times]
            yield f"{name:<16}" + "".join(f"{ms:9.2f}" for ms in each) + "    " + "".join(f"{r:8.1f}" for r in ratios)
        yield from _fista_line(simulation, quick)
    finally:
        torch.set_num_threads(before)


def _fista_line(simulation, quick: bool) -> Iterator[str]:
    from ..metrics import psnr
    from ..recipes import RECIPES
    from ..results import finish

    recipe = RECIPES["fista-tv"]
    finish(
        recipe.run(simulation.scan.replace(projections=simulation.scan.projections[:, :1]), device="cpu")
    )  # compiles
    volume = finish(recipe.run(simulation.scan, device="cpu"))
    made, truth = volume.provenance, simulation.truth.data
    assert made is not None  # recipes keep a journal
    yield (
        f"FISTA-TV: {made.seconds:.2f} s for {made.figures['iterations']:.0f} iterations, residual "
        f"{made.figures['residual']:.4f}, PSNR {psnr(truth, volume.data, data_range=float(truth.max())):.2f} dB"
    )
