"""Ways to put data and network together:  python benchmarks/splitting.py WEIGHTS.safetensors [SIZE] [CIRCUITS]

On circuits that no training saw (those of `training/checks.py`), for several ρ and numbers of rounds. All start as the
engine does: z₀ is total variation's image, z₁ = network(z₀).

    half            the half-quadratic loop: x near z, z = network(x)
    half, TV        the same with total variation beside the data, at a share of its automatic weight: PFITRE's engine
    scaled dual     the original's ADMM: x near z − u, z = network(x + u), u ← u + x − z
    range and null  z = x + what the network changes at frequencies that no projection measured; elsewhere x stays

and of each round three images: x, the data's; z, the network's; and x + (z − x) at the unmeasured frequencies, which
keeps of the network's image only what the data cannot say. PSNR in dB, mean over the circuits; a last table gives the
best of each loop by wedge. The weights were trained in the engine's loop, so the others meet a network that has not
seen their images: that is what the comparison is about, and its limit.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from napari_pfitre.networks import load_network
from napari_pfitre.operators.coverage import unmeasured_part
from napari_pfitre.priors import NetworkPrior
from napari_pfitre.recipes.engine import engine, smoothness
from napari_pfitre.recipes.noise import noise_of
from napari_pfitre.solvers import data_step, half_quadratic
from napari_pfitre.training.checks import WEDGES, HeldOut

ROUNDS = (1, 3, 7, 11)  #: after the network's first image
RHOS = (0.5, 2.0, 4.0, 8.0)
PULLS = (0.02, 0.1, 0.5)  #: ρ where total variation keeps the noise away
SHARES = (0.25, 0.5, 1.0)
IMAGES = ("x", "z", "x and z")


def half(A, y, prior, rho, rounds, z):
    for iterate in half_quadratic(A, y, prior, rho=rho, rounds=rounds, z0=z):
        yield iterate.x, iterate.z


def half_tv(A, y, prior, rho, rounds, z, share):
    smooth = smoothness(A, noise_of(y.numpy()), share)
    for iterate in half_quadratic(A, y, prior, rho=rho, rounds=rounds, z0=z, smooth=smooth):
        yield iterate.x, iterate.z


def scaled_dual(A, y, prior, rho, rounds, z):
    b, absolute, u = A.adjoint(y), rho * A.diagonal(), 0.0
    for _ in range(rounds):
        x = data_step(A, b, z - u, absolute, steps=4)
        z = prior.prox((x + u).clamp(min=0), 1 / absolute)
        yield x, z
        u = u + x - z


def range_and_null(A, y, prior, rho, rounds, z):
    b, absolute = A.adjoint(y), rho * A.diagonal()
    for _ in range(rounds):
        x = data_step(A, b, z, absolute, steps=4)
        z = joined(x, prior.prox(x, 1 / absolute), prior)
        yield x, z


def joined(x, z, prior):
    """x where a projection measured, z where none did."""
    return (x + unmeasured_part(z - x, prior.known(x)[0])).clamp(min=0)


def main(weights: str, size: int = 128, circuits: int = 6) -> None:
    net, _ = load_network(weights)
    with tempfile.TemporaryDirectory() as folder:
        held_out = HeldOut(Path(folder), size, torch.device("cpu"), count=circuits)
    starts = [start(net, check) for check in held_out.checks]
    once = np.mean([check.quality(z) for check, (_, z) in zip(held_out.checks, starts, strict=True)])
    print(
        f"FISTA-TV, best of five weights: {np.mean(held_out.fista_tv):.2f} dB; the network once: {once:.2f} dB",
        flush=True,
    )
    columns = [f"{image}, {k}" for k in ROUNDS for image in IMAGES]
    print("| loop | ρ | " + " | ".join(columns) + " |\n" + "|---" * (2 + len(columns)) + "|")
    found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)  # loop → setting → PSNR of each circuit
    loops = {"half": (half, RHOS)} | {
        f"half, TV × {share:g}": (partial(half_tv, share=share), PULLS) for share in SHARES
    }
    loops |= {"scaled dual": (scaled_dual, RHOS), "range and null": (range_and_null, RHOS)}
    for name, (loop, rhos) in loops.items():
        for rho in rhos:
            qualities = np.array(
                [of_rounds(check, loop, rho, *begun) for check, begun in zip(held_out.checks, starts, strict=True)]
            )
            print(f"| {name} | {rho:g} | " + " | ".join(f"{q:.2f}" for q in qualities.mean(axis=0)) + " |", flush=True)
            found[name] |= {f"{column}, ρ {rho:g}": qualities[:, i] for i, column in enumerate(columns)}
    wedges = np.array([check.missing for check in held_out.checks])
    present = [wedge for wedge in WEDGES if (wedges == wedge).any()]
    print("\n| loop at its best | image, rounds, ρ | " + " | ".join(f"{wedge:g}°" for wedge in present) + " |")
    print("|---" * (2 + len(present)) + "|")
    oracle = np.array(held_out.fista_tv)
    print("| FISTA-TV | – | " + " | ".join(f"{oracle[wedges == wedge].mean():.2f}" for wedge in present) + " |")
    for name, settings in found.items():
        best = max(settings, key=lambda setting: settings[setting].mean())
        print(f"| {name} | {best} | " + " | ".join(f"{settings[best][wedges == w].mean():.2f}" for w in present) + " |")


def start(net, check):
    """The prior, and z₁ as the engine has it."""
    prior = NetworkPrior(net, check.A.angles, check.noise)
    *_, first = engine(check.A, check.y, prior, noise_of(check.y.numpy()), rounds=1, rho=1.0)
    return prior, first.z


def of_rounds(check, loop, rho: float, prior, z) -> list[float]:
    """PSNR of every image of the rounds looked at."""
    rounds = list(loop(check.A, check.y, prior, rho, max(ROUNDS), z))
    pairs = [rounds[k - 1] for k in ROUNDS]
    return [check.quality(image) for x, z in pairs for image in (x, z, joined(x, z, prior))]


if __name__ == "__main__":
    main(sys.argv[1], *(int(n) for n in sys.argv[2:]))
