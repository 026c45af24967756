"""Ways to put data and network together:  python benchmarks/splitting.py WEIGHTS.safetensors [SIZE]

On circuits that no training saw (those of `training/checks.py`): the half-quadratic loop for several ρ, the
scaled-dual ADMM of the original, and a split by frequencies, where the network's image is taken only at what no
projection measured. PSNR in dB, mean over the circuits; x is the data's image, z the network's.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from napari_pfitre.networks import load_network
from napari_pfitre.operators.coverage import unmeasured_part
from napari_pfitre.priors import NetworkPrior
from napari_pfitre.solvers import data_step, first_step, half_quadratic
from napari_pfitre.training.checks import HeldOut

ROUNDS = (1, 3, 6, 10)


def scaled_dual(A, y, prior, rho, rounds):
    """x near z − u, z = network(x + u), u ← u + x − z."""
    b, absolute = A.adjoint(y), rho * A.diagonal()
    x, u = first_step(A, b, 0.3 * A.diagonal()), 0.0
    for _ in range(rounds):
        z = prior.prox((x + u).clamp(min=0), 1 / absolute)
        yield x, z
        u = u + x - z
        x = data_step(A, b, z - u, absolute, steps=4)


def by_frequency(A, y, prior, rho, rounds):
    """The half-quadratic loop with z the network's image where nothing was measured and x elsewhere."""
    b, absolute = A.adjoint(y), rho * A.diagonal()
    x = first_step(A, b, 0.3 * A.diagonal())
    for _ in range(rounds):
        z = prior.prox(x, 1 / absolute)
        z = (x + unmeasured_part(z - x, prior.mask(x))).clamp(min=0)
        yield x, z
        x = data_step(A, b, z, absolute, steps=4)


def half(A, y, prior, rho, rounds):
    for i in half_quadratic(A, y, prior, rho=rho, rounds=rounds):
        yield i.x, i.z


def main(weights: str, size: int = 128) -> None:
    net, _ = load_network(weights)
    with tempfile.TemporaryDirectory() as folder:
        held_out = HeldOut(Path(folder), size, torch.device("cpu"))
    print(f"FISTA-TV, best of five weights: {np.mean(held_out.fista_tv):.2f} dB", flush=True)
    print("| loop | ρ | " + " | ".join(f"x, {k} | z, {k}" for k in ROUNDS) + " |")
    print("|---|---|" + "---|---|" * len(ROUNDS))
    for loop in (half, scaled_dual, by_frequency):
        for rho in (0.3, 1.0, 3.0):
            found = []
            for check in held_out.checks:
                prior = NetworkPrior(net, check.A.angles, check.noise)
                rounds = list(loop(check.A, check.y, prior, rho, max(ROUNDS)))
                found.append([check.quality(image) for k in ROUNDS for image in rounds[k - 1]])
            cells = " | ".join(f"{value:.2f}" for value in np.mean(found, axis=0))
            print(f"| {loop.__name__.replace('_', ' ')} | {rho:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(n) for n in sys.argv[2:]))
