"""The figures of the card of PFITRE's weights:  python benchmarks/held_out.py [WEIGHTS.safetensors] [CIRCUITS]

PSNR in dB on circuits that no training saw (128² × 5, 1 % noise, those of `training/checks.py`), by wedge: the network
once, the loop's image of the data and the network's after as many rounds as a training is watched with, and FISTA-TV
with the best of five weights chosen with the truth in hand. A training is watched with six; more tell the spread.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from napari_pfitre.networks import load_network
from napari_pfitre.training.checks import HeldOut, Result


def main(weights: str = "pfitre", circuits: int = 6) -> None:
    net, card = load_network(weights)
    with tempfile.TemporaryDirectory() as folder:
        held_out = HeldOut(Path(folder), 128, torch.device("cpu"), count=circuits)
    print(f"weights {card.sha256[:12]}, {circuits} circuits\n")
    print("| missing | " + " | ".join(name.replace("_", " ") for name in Result._fields) + " |")
    print("|---" * (1 + len(Result._fields)) + "|")
    by_wedge = held_out.by_wedge(net)
    for wedge, found in by_wedge.items():
        print(f"| {wedge} | " + " | ".join(f"{value:.2f}" for value in found.values()) + " |")
    mean = np.mean([list(found.values()) for found in by_wedge.values()], axis=0)
    print("| mean of these | " + " | ".join(f"{value:.2f}" for value in mean) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(n) for n in sys.argv[2:]))
