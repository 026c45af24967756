"""PFITRE against the original's algorithm:  python benchmarks/original.py [--threads 2] [--rounds 10] [--json FILE]

Zhao et al., npj Comput. Mater. 11 (2025) 240, rebuilt for this comparison alone: slice after slice, ADMM with a
scaled dual variable; (AᵀA + ρ) x = Aᵀy + ρ (z − u) by SciPy's GMRES to 1e-5, at most 15 restarts of 20 steps, from z; a
network of the paper's size (23.2 million parameters) on the standardised image. The original has CUDA projectors only;
ASTRA's linear one on the CPU stands in for them. Left out in its favour: four columns of padding, the total variation
after each round, the gradients that it recorded. Ours is the recipe, in as many rounds, never stopping earlier. All
weights are random, since time does not depend on them. Networks run in float32 there, in bfloat16 here if the processor
has it.

Every contestant is a process of its own, in turns. Memory is the process's peak, everything included. The original has
one slice at a time; ours has one, some, and a whole stack, all slices at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Problem(NamedTuple):
    size: int
    angles: int
    missing: float  #: degrees
    rho: float  #: of the original, absolute
    slices: tuple[int, ...]  #: that ours takes at once; the original takes one


PROBLEMS = {
    "152² × 51": Problem(152, 51, 96.0, 20.0, (1, 16, 84)),  # a pillar measured at HXN
    "404² × 78": Problem(404, 78, 101.0, 25.0, (1, 4, 16)),  # a slab measured at HXN
}
OURS = {
    "napari-pfitre": {"align": False},
    "napari-pfitre, looking for displacements": {"align": True},
}
ORIGINAL = "the original's algorithm"
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}  #: of threads, as the command line has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--turns", type=int, default=2, help="of which the best counts")
    parser.add_argument("--only", choices=PROBLEMS, help="one of the problems")
    parser.add_argument("--json", type=Path, help="every single figure")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        problem, contestant, slices, weights = given.child
        work = (PROBLEMS[problem], contestant, int(slices), Path(weights))
        print(json.dumps(measured(*work, given.threads, given.rounds)))
        return
    print(f"{given.rounds} rounds, {given.threads} thread(s), best of {given.turns}\n")
    print(
        "| problem | contestant | slices at once | s a slice | times | CPU s a slice | times | MB |\n"
        + "|---|---|---|---|---|---|---|---|"
    )
    found = {}
    for name in [given.only] if given.only else PROBLEMS:
        found[name] = compared(name, given.threads, given.rounds, given.turns)
        theirs = found[name][0]
        for best in found[name]:
            ratios = {key: theirs[key] / best[key] for key in ("seconds", "cpu")}
            numbers = " | ".join(f"{best[key]:.3g} | {ratio:.1f}" for key, ratio in ratios.items())
            print(f"| {name} | {best['contestant']} | {best['slices']} | {numbers} | {best['peak']:.0f} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


def compared(name: str, threads: int, rounds: int, turns: int) -> list[dict[str, Any]]:
    """Of each contestant, and each number of slices at once, the run that took least; the original's first."""
    problem = PROBLEMS[name]
    contestants = [(ORIGINAL, 1), *((ours, slices) for ours in OURS for slices in problem.slices)]
    with tempfile.TemporaryDirectory() as folder:
        weights = untrained(Path(folder))

        def turn() -> list[dict[str, Any]]:
            return [child(name, *contestant, weights, threads, rounds) for contestant in contestants]

        runs = [turn() for _ in range(turns)]
    return [min(done, key=lambda run: run["seconds"]) for done in zip(*runs, strict=True)]


def untrained(folder: Path) -> Path:
    """A network of the size that ships, in a file, as weights are."""
    from napari_pfitre.networks import Card, SlabNet, save_network

    net, path = SlabNet(), folder / "untrained.safetensors"
    save_network(net, path, Card("untrained", "slab-net", net.config))
    return path


def child(problem: str, contestant: str, slices: int, weights: Path, threads: int, rounds: int) -> dict[str, Any]:
    count = str(threads)
    alone = os.environ | {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, **WAITING}
    words = ["--threads", count, "--rounds", str(rounds), "--child", problem, contestant, str(slices), str(weights)]
    done = subprocess.run([sys.executable, __file__, *words], env=alone, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(
    problem: Problem, contestant: str, slices: int, weights: Path, threads: int, rounds: int
) -> dict[str, Any]:
    """In a process of its own: seconds and CPU seconds a slice, peak memory in MB."""
    import torch

    from napari_pfitre.twin import SimulateOptions, simulate

    torch.set_num_threads(threads)
    options = SimulateOptions(size=problem.size, slices=slices, angles=problem.angles, missing=problem.missing)
    scan = simulate(options).scan
    work = original(scan, problem, rounds) if contestant == ORIGINAL else ours(scan, rounds, weights, OURS[contestant])
    began, cpu = time.perf_counter(), time.process_time()
    figures = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "seconds": seconds / slices,
        "cpu": cpu / slices,
        "peak": peak(),
        "slices": slices,
        "contestant": contestant,
        **figures,
    }


def peak() -> float:
    """The most memory that this process has held, MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def ours(scan, rounds: int, weights: Path, chosen: dict[str, Any]):
    """The recipe."""
    from napari_pfitre import finish
    from napari_pfitre.recipes import PFITRE
    from napari_pfitre.recipes.pfitre import PfitreOptions

    options = PfitreOptions(weights=weights, rounds=rounds, tolerance=0.0, check=False, **chosen)
    # What is compiled when it is first called is compiled now; a second start finds it on disk.
    first = scan.replace(projections=scan.projections[:, :1])
    finish(PFITRE.run(first, dataclasses.replace(options, rounds=1), device="cpu"))

    def work() -> dict[str, float]:
        volume = finish(PFITRE.run(scan, options, device="cpu"))
        return {"rounds": volume.provenance.figures["rounds"]}

    return work


def original(scan, problem: Problem, rounds: int):
    """The loop of the paper on one slice."""
    import astra
    import torch
    from scipy.sparse.linalg import LinearOperator, gmres

    from napari_pfitre.networks import PaperNet

    n = problem.size
    detector = astra.create_proj_geom("parallel", 1.0, n, np.asarray(scan.angles, dtype=float))
    projector = astra.create_projector("linear", detector, astra.create_vol_geom(n, n))
    W = astra.OpTomo(projector)
    y = np.ascontiguousarray(scan.sinograms(slice(0, 1))[0], np.float32)
    net = PaperNet().eval()
    products = 0

    def normal(x: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        image = np.asarray(x, np.float32).reshape(n, n)
        return (W.BP(W.FP(image)) + problem.rho * image).ravel()

    def through_network(v: np.ndarray) -> np.ndarray:
        low, high = float(v.min()), float(v.max())
        image = torch.from_numpy((v - low) / max(high - low, 1e-12)).reshape(1, 1, n, n)
        with torch.no_grad():  # standardises, and takes the mean of its three channels
            out = net(image, image, image)
        return out.numpy().ravel() * (high - low) + low

    def work() -> dict[str, float]:
        b = W.BP(y).ravel()
        x = z = u = np.zeros(n * n, np.float32)
        system = LinearOperator((n * n, n * n), matvec=normal, dtype=np.float32)
        for _ in range(rounds):
            x, _ = gmres(system, b + problem.rho * (z - u), x0=z, rtol=1e-5, restart=20, maxiter=15)
            x = np.maximum(x, 0).astype(np.float32)
            z = np.maximum(through_network(np.maximum(x + u, 0)), 0)
            u = u + x - z
        return {"rounds": rounds, "products": products / rounds}

    return work


if __name__ == "__main__":
    main()
