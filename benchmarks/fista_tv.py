"""FISTA-TV against peers: seconds, CPU seconds and memory to come within 0.5 % of the converged objective.

    python benchmarks/fista_tv.py [--problems s256 s512] [--methods ours astra-linear svmbir mbirjax]
                                  [--peer-python PYTHON] [--out FILE]

Circuits simulated on a twice finer grid by the twin's strip projector, ±60°, 1 % noise: s256 is 256² × 16 with 181
angles, s512 is 512² × 8 with 90. Every contestant is a process of its own with two threads, on the same file, one after
the other in one run; memory is the process's peak above what it held before its first step.

How each is tuned
    ours           the recipe's operators, TV in 2-D, the automatic weight
    astra-*        the same FISTA and the same TV on ASTRA's CPU projector, slices shared by two Python threads
    svmbir         qGGMRF by ICD; sharpness chosen with the truth in hand from SHARPNESS; its own stopping rule
    mbirjax        qGGMRF by VCD; likewise
The goal of a FISTA is its own objective: converged means 1000 steps for ours, 150 for ASTRA's (an easier goal: what is
not yet converged is nearer). PSNR is that of the last step. svmbir and mbirjax minimise another objective; their time
is that to their own stop.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROBLEMS = {"s256": (256, 16, 181), "s512": (512, 8, 90)}
METHODS = ("ours", "astra-linear", "astra-strip", "svmbir", "mbirjax")
USUAL = [method for method in METHODS if method != "astra-strip"]  #: strip takes three times as long as linear
SHARPNESS = (-2.0, -1.0, 0.0, 1.0)
STEPS = {"ours": 1000, "astra-linear": 150, "astra-strip": 150}
THREADS = 2


def make(name: str, path: Path) -> None:
    """Simulate a problem and store sinograms (z, angle, column), angles, truth and the TV strength."""
    from napari_pfitre.operators import ParallelBeam
    from napari_pfitre.recipes.noise import noise_level
    from napari_pfitre.twin import SimulateOptions, simulate

    n, slices, angles = PROBLEMS[name]
    scan, truth = simulate(SimulateOptions(size=n, slices=slices, angles=angles, noise=0.01, seed=7))
    strength = noise_level(scan) * ParallelBeam(scan.angles, n).diagonal() ** 0.5
    np.savez(path, y=scan.sinograms(slice(0, slices)), angles=scan.angles, truth=truth.data, strength=strength)


def run_fista(method: str, y, angles, truth, strength) -> dict:
    import torch

    from napari_pfitre.benchmark import AstraPair
    from napari_pfitre.operators import ParallelBeam
    from napari_pfitre.priors import TotalVariation
    from napari_pfitre.solvers import fista

    torch.set_num_threads(THREADS)
    n = y.shape[-1]

    warm = fista(
        ParallelBeam(angles[:2], n), torch.from_numpy(y[:, :2]), TotalVariation(1.0, non_negative=True), iterations=1
    )
    next(warm)  # numba's compiled code comes from its cache, as in any second run of a user
    memory = _peak()
    began, cpu = time.perf_counter(), time.process_time()
    log = []
    A = ParallelBeam(angles, n) if method == "ours" else AstraPair(method.split("-")[1], angles, n, THREADS)
    prior = TotalVariation(strength, non_negative=True)
    for iterate in fista(A, torch.from_numpy(y), prior, iterations=STEPS[method]):
        log.append((time.perf_counter() - began, time.process_time() - cpu, iterate.objective, _peak() - memory))
        if iterate.k % 50 == 0:
            print(method, iterate.k, f"{iterate.objective:.6g}", file=sys.stderr)
    goal = min(entry[2] for entry in log)
    there = next(i for i, entry in enumerate(log) if entry[2] <= 1.005 * goal)
    seconds, cpu_seconds, _, megabytes = log[there]
    return {"seconds": seconds, "cpu": cpu_seconds, "MB": megabytes, "steps": there + 1, "goal": goal,
            **_quality(iterate.x.numpy(), truth)}  # fmt: skip


def run_svmbir(y, angles, truth, strength) -> dict:
    import svmbir

    settings = {"positivity": True, "num_threads": THREADS, "T": 1.0, "snr_db": 40.0, "verbose": 0}

    def solve(rows, sharpness):
        return svmbir.recon(y[rows].transpose(1, 0, 2), angles, sharpness=sharpness, **settings)[:, ::-1]

    return _tuned(solve, y, truth)


def run_mbirjax(y, angles, truth, strength) -> dict:
    import mbirjax

    def solve(rows, sharpness, **limits):
        data = np.ascontiguousarray(y[rows].transpose(1, 0, 2))
        model = mbirjax.ParallelBeamModel(data.shape, angles)
        model.set_params(sharpness=sharpness, positivity_flag=True, snr_db=40.0, verbose=0)
        volume, _ = model.recon(data, **limits)
        return np.asarray(volume).transpose(2, 0, 1)

    solve(slice(None), 0.0, max_iterations=1)  # compiles for these shapes, as ours is compiled before its run
    return _tuned(solve, y, truth)


def _tuned(solve, y, truth) -> dict:
    """The sharpness best on one slice, in the orientation that fits; then the whole stack, timed."""
    middle = slice(len(y) // 2, len(y) // 2 + 1)
    trials = {s: _quality(*_oriented(solve(middle, s), truth[middle]))["psnr"] for s in SHARPNESS}
    best = max(trials, key=trials.get)
    memory = _peak()
    began, cpu = time.perf_counter(), time.process_time()
    volume = solve(slice(None), best)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu_seconds, "MB": _peak() - memory, "sharpness": best,
            **_quality(*_oriented(volume, truth))}  # fmt: skip


def _oriented(volume, truth):
    """Peers differ in sense of rotation and in scale: take the mirror image, quarter turn and scale that fit best."""
    scale = float((volume * volume).sum())
    views = [np.rot90(v, k, axes=(1, 2)) for v in (volume, volume[:, ::-1]) for k in range(4)]
    view = max(views, key=lambda v: float((v * truth).sum()))
    return view * (float((view * truth).sum()) / scale), truth


def _quality(volume, truth) -> dict:
    n = truth.shape[-1]
    x = np.arange(n) - (n - 1) / 2
    inside = np.hypot(x[None, :], x[:, None]) < 0.45 * n
    error = ((volume - truth) ** 2)[:, inside].mean(axis=1)
    return {"psnr": float(np.mean(10 * np.log10(truth.max() ** 2 / error)))}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def contest(name: str, path: Path, methods: list[str], peer_python: str) -> list[dict]:
    rows = []
    for method in methods:
        python = peer_python if method in ("svmbir", "mbirjax") else sys.executable
        env = dict(
            os.environ,
            OMP_WAIT_POLICY="PASSIVE",
            OMP_NUM_THREADS=str(THREADS),
            MKL_NUM_THREADS=str(THREADS),
            NUMBA_NUM_THREADS=str(THREADS),
        )
        if method == "mbirjax":  # two virtual devices on two busy cores abort for waiting too long for each other
            env["XLA_FLAGS"] = "--xla_force_host_platform_device_count=1"
        command = [python, __file__, "--one", method, "--data", str(path)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name} {method}: not run: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else '?'}")
            continue
        rows.append({"problem": name, "method": method, **json.loads(done.stdout.strip().splitlines()[-1])})
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v}" for k, v in rows[-1].items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=USUAL)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has svmbir and mbirjax")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        data = np.load(asked.data)
        parts = (data["y"], data["angles"], data["truth"], float(data["strength"]))
        own = {"svmbir": run_svmbir, "mbirjax": run_mbirjax}
        print(json.dumps(own[asked.one](*parts) if asked.one in own else run_fista(asked.one, *parts)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.problems:
            path = Path(folder) / f"{name}.npz"
            make(name, path)
            rows += contest(name, path, asked.methods, asked.peer_python)
    if asked.out:
        asked.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
