"""What ring removal costs where there are no rings, and what it gains where there are.

Scans of the digital twin, with photon noise, with and without gain errors of 2 %, over 180°, ±60° and ±42°: the
relative difference of the FBP from the FBP of the same scan without noise and rings. Smaller is better; a method may
be a default only if it is not larger than "none" without rings. Run: ``python benchmarks/ring_removal.py``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from napari_pfitre import finish
from napari_pfitre.preprocess import RING_METHODS, PrepareOptions, prepare
from napari_pfitre.recipes import RECIPES
from napari_pfitre.scans import TomoScan
from napari_pfitre.twin import SimulateOptions, simulate


def fbp(scan: TomoScan) -> np.ndarray:
    return finish(RECIPES["fbp"].run(scan, device="cpu")).data


def main() -> None:
    print(f"{'object':11} {'missing':>7} {'rings':>5}", *(f"{name:>9}" for name in RING_METHODS))
    for phantom in ("circuit", "ellipsoids"):
        for missing in (0.0, 60.0, 96.0):
            clean = SimulateOptions(phantom=phantom, size=256, slices=2, angles=121, missing=missing, noise=0.0)
            reference = fbp(simulate(clean).scan)
            for rings in (0.0, 0.02):
                scan = simulate(dataclasses.replace(clean, photons=1e5, rings=rings)).scan
                errors = []
                for method in RING_METHODS:
                    volume = fbp(prepare(scan, PrepareOptions(rings=method)))
                    errors.append(np.linalg.norm(volume - reference) / np.linalg.norm(reference))
                print(f"{phantom:11} {missing:6g}° {rings:5.2f}", *(f"{error:9.3f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
