"""Whether the automatic TV weight transfers: PSNR of FISTA-TV against it, over objects, noise, wedges and sizes.

    python benchmarks/tv_weight.py

A row a scan, PSNR (range: the truth's maximum) at 0.25, 0.5, 1, 2 and 4 times the automatic weight, in 2-D and in 3-D;
``sigma`` is the estimated noise over the true one.
"""

from __future__ import annotations

import numpy as np

from napari_pfitre import RECIPES, finish
from napari_pfitre.metrics import psnr
from napari_pfitre.preprocess import prepare
from napari_pfitre.recipes.fista_tv import FistaTvOptions
from napari_pfitre.recipes.noise import noise_level
from napari_pfitre.twin import SimulateOptions, simulate

WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
SCANS = {
    "circuit, 60° missing, 1 %": {},
    "  noise 0.3 %": {"noise": 0.003},
    "  noise 2 %": {"noise": 0.02},
    "  96° missing": {"missing": 96.0},
    "  nothing missing": {"missing": 0.0},
    "  30 angles": {"missing": 0.0, "angles": 30},
    "  1000 photons": {"photons": 1000.0},
    "  256²": {"size": 256, "slices": 6, "angles": 181},
    "lamella": {"phantom": "lamella"},
    "ellipsoids": {"phantom": "ellipsoids"},
    "foam": {"phantom": "foam"},
    "grains": {"phantom": "grains"},
}


def main() -> None:
    print(f"{'scan':<27}{'sigma':>6}   " + "   ".join(f"{d:^34}" for d in ("2-D", "3-D")))
    for name, settings in SCANS.items():
        options = SimulateOptions(seed=3, **settings)
        scan, truth = simulate(options)
        scan = prepare(scan)
        ratio = "" if options.photons else f"{noise_level(scan) / (options.noise * np.max(scan.projections)):.2f}"
        rows = []
        for dimensions in ("2-D", "3-D"):
            found = [
                psnr(truth.data, finish(RECIPES["fista-tv"].run(scan, FistaTvOptions(weight, dimensions))).data,
                     data_range=float(truth.data.max()))
                for weight in WEIGHTS
            ]  # fmt: skip
            rows.append(" ".join(f"{value:6.2f}" for value in found))
        print(f"{name:<27}{ratio:>6}   " + "   ".join(rows), flush=True)


if __name__ == "__main__":
    main()
