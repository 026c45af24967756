"""PFITRE on blurred scans:  python benchmarks/blur.py [WEIGHTS.safetensors …] [--circuits 6] [--blur 1 2 3 4]

A detector or a beam wider than a pixel blurs every projection, and the volume whose projections the data are is as
blurred. Circuits of the twin that no training saw (128² × 12, 1 % noise, 60°, 96° and 110° missing in turns), by full
width at half maximum of the blur in pixels. PSNR in dB against the blurred truth, mean over the circuits: FISTA-TV with
the weight that is best with it in hand, and PFITRE's images; then how much of the network's image the projections left
out ask for, and what of those is missed, by PFITRE and by FISTA-TV with its automatic weight.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_pfitre import finish
from napari_pfitre.benchmark.oracle import best_fista_tv
from napari_pfitre.metrics import disc_mask, psnr
from napari_pfitre.recipes import PFITRE
from napari_pfitre.recipes.pfitre import PfitreOptions
from napari_pfitre.training.checks import HELD_OUT, WEDGES
from napari_pfitre.twin import SimulateOptions, simulate
from napari_pfitre.twin.imperfections import blurred

FIRST = HELD_OUT + 50  #: no training is watched with these
COLUMNS = ("FISTA-TV at its best", "PFITRE", "its data's image", "its network's", "share", "missed", "by FISTA-TV")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="*", help="by default those that come with the package")
    parser.add_argument("--circuits", type=int, default=6)
    parser.add_argument("--blur", type=float, nargs="+", default=[1.0, 2.0, 3.0, 4.0])
    given = parser.parse_args()
    print("| weights | blur | " + " | ".join(COLUMNS) + " |\n" + "|---" * (2 + len(COLUMNS)) + "|")
    for blur in given.blur:
        scans = [Blurred(index, blur) for index in range(given.circuits)]
        for weights in given.weights or [None]:
            mean = np.mean([scan.figures(weights) for scan in scans], axis=0)
            numbers = [f"{value:.2f}" for value in mean[:4]] + [f"{value:.1%}" for value in mean[4:]]
            name = "built-in" if weights is None else weights.parent.name
            print(f"| {name} | {blur:g} | " + " | ".join(numbers) + " |", flush=True)


class Blurred:
    """A scan, the image it shows, and what FISTA-TV makes of it at its best."""

    def __init__(self, index: int, blur: float):
        options = SimulateOptions(
            process="any", size=128, slices=12, angles=121, missing=WEDGES[index % len(WEDGES)],
            wedge_centre=90.0 - 37 * index, noise=0.01, blur=blur, seed=FIRST + index,
        )  # fmt: skip
        made = simulate(options)
        self.scan, self.image = made.scan, blurred(made.truth.data, blur, axes=(0, 1, 2))
        self.best = self.quality(finish(best_fista_tv(self.scan, self.image)).data)

    def quality(self, volume: np.ndarray) -> float:
        return psnr(self.image, volume, data_range=float(np.ptp(self.image)), mask=disc_mask(self.image.shape[-1]))

    def figures(self, weights: Path | None) -> list[float]:
        """In the order of `COLUMNS`."""
        volume = finish(PFITRE.run(self.scan, PfitreOptions(weights=weights), device="cpu"))
        told, apart = volume.provenance.figures, volume.layers["network − data"]
        share = told["share of the network"]
        data = volume.data - share * apart
        images = [self.quality(image) for image in (volume.data, data, data + apart)]
        return [self.best, *images, share, *(told[f"held-out residual, {name}"] for name in ("PFITRE", "FISTA-TV"))]


if __name__ == "__main__":
    main()
