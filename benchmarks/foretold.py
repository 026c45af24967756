"""Projections that a reconstruction was not given:  python benchmarks/foretold.py SCAN [--only N] [--json FILE]

The recipe of PFITRE judges itself by one set of projections and twelve rows. Here every set of every eighth projection
and every group of rows has its turn, with displacements refined (found once, from all projections, for both methods
alike) and without, and of FISTA-TV besides its default the weight, out of five, that foretells these very projections
best. What PFITRE mixes is told crosswise, each half of the projections left out by the other, as in the recipe.

A line a trial, then means, and in how many trials PFITRE misses less. The recipe's own set starts at projection 4.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from napari_pfitre import finish, read_scan
from napari_pfitre.networks import load_network
from napari_pfitre.priors import NetworkPrior
from napari_pfitre.recipes import PFITRE, held_out
from napari_pfitre.recipes.engine import engine, smoothness
from napari_pfitre.recipes.geometry import line_integrals, projector, sinograms
from napari_pfitre.recipes.pfitre import PfitreOptions, scale_and_noise
from napari_pfitre.solvers import fista, last
from napari_pfitre.solvers.alignment import moved_rows

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)  #: of FISTA-TV's automatic weight
METHODS = ("PFITRE", "FISTA-TV", "FISTA-TV at its best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--rows", type=int, default=held_out.ROWS, help="in a group")
    parser.add_argument("--only", type=int, help="so many groups, spread over the stack")
    parser.add_argument("--json", type=Path, help="every single figure")
    given = parser.parse_args()
    scan = line_integrals(read_scan(given.scan))
    net, _ = load_network("pfitre")
    found: dict[str, list[dict[str, float]]] = {}
    for align in (True, False):
        name = "aligned" if align else "not aligned"
        shifts = displacements(scan) if align else np.zeros((scan.shape[0], 2))
        found[name] = []
        for rows in groups(scan.shape[1], given.rows, given.only):
            for first in range(1, 1 + held_out.EVERY):
                missed = trial(scan, net, rows, first, shifts)
                found[name].append({"rows": rows.start, "first": first, **missed})
                words = ", ".join(f"{method} {missed[method]:.2%}" for method in METHODS)
                print(f"{name}, rows {rows.start} on, projection {first} on: {words}", flush=True)
                if given.json:
                    given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    for name, trials in found.items():
        ours = np.array([missed["PFITRE"] for missed in trials])
        print(f"\n{name}: PFITRE misses {ours.mean():.2%} in the mean of {len(trials)} trials")
        for method in METHODS[1:]:
            theirs = np.array([missed[method] for missed in trials])
            print(f"  {method} {theirs.mean():.2%}; PFITRE less in {np.sum(ours < theirs)} of {len(trials)}")


def groups(n_rows: int, size: int, only: int | None) -> list[slice]:
    every = [slice(start, start + size) for start in range(0, max(1, n_rows - size + 1), size)]
    return every if only is None else [every[i] for i in np.linspace(0, len(every) - 1, only).round().astype(int)]


def displacements(scan) -> np.ndarray:
    """(angle, 2), rows and columns, that the recipe finds in the whole scan."""
    volume = finish(PFITRE.run(scan, PfitreOptions(check=False), device="cpu"))
    steps = [step for step in volume.provenance.history if step["name"] == "refine shifts"]
    return np.array(steps[-1]["parameters"]["shifts"])


def trial(scan, net, rows: slice, first: int, shifts: np.ndarray) -> dict[str, float]:
    """‖A x − y‖ / ‖y‖ over the projections left out, by method, and the share of the network's image."""
    A = projector(scan, "cpu")
    A = A.displaced(A.shifts + shifts[:, 1])
    y = moved_rows(sinograms(scan, rows), shifts[:, 0])
    scale, noise, size = scale_and_noise(scan, A)
    asked = held_out.Trial(A, y, first)
    given, data = asked.given
    usual = PfitreOptions()
    prior = NetworkPrior(net, given.angles, noise / size, scale=scale)
    end = last(engine(given, data, prior, noise, rounds=usual.rounds, rho=usual.rho))
    rivals = []
    for factor in FACTORS:
        smooth = smoothness(given, noise, factor)
        rivals.append(asked.missed(last(fista(given, data, smooth, iterations=held_out.ITERATIONS)).x))
    return {
        "PFITRE": asked.missed_between(end.x, end.z), "FISTA-TV": rivals[FACTORS.index(1.0)],
        "FISTA-TV at its best": min(rivals), "share": asked.share(end.x, end.z),
    }  # fmt: skip


if __name__ == "__main__":
    main()
