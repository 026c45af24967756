"""What the searches for the rotation axis say of real scans:  python benchmarks/rotation_axis.py [FOLDER]

Beside them the axis about which FBP leaves least negative density, the median of some rows, looked for in steps of a
tenth of a column. It tells the axis only where nothing is missing: streaks of a wedge are negative too, and rule it at
limited angles. FOLDER holds the scans named below; by default the one that tests take them from.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from napari_pfitre import RECIPES, finish, read_scan
from napari_pfitre.preprocess import PrepareOptions, prepare
from napari_pfitre.preprocess.centre import centre_sweep, estimate_centre
from napari_pfitre.preprocess.searches import SEARCHES
from napari_pfitre.scans import TomoScan

SCANS = {
    "tooth.h5": {},
    "24737_nxtomo_lib.nx": {},
    "fly_scan_id_24737_limited.h5": {"drop": "last"},
    "Cu_example_23_LimitedAngle.tiff": {},
}
ROWS, REACH, STEP = 5, 2.0, 0.1  #: rows that are reconstructed; columns to either side of the estimate


def sharpest(scan: TomoScan, near: float) -> float:
    """The axis with the least negative density, the median of some rows."""
    centres = near + np.arange(-REACH, REACH + STEP / 2, STEP)
    found = []
    for row in np.linspace(0, scan.shape[1] - 1, ROWS + 2)[1:-1].round().astype(int):
        slices = centre_sweep(scan, int(row), centres, lambda one: finish(RECIPES["fbp"].run(one, device="cpu")).data)
        negative = -np.minimum(slices, 0).sum(axis=(1, 2))
        found.append(centres[int(np.argmin(negative))])
    return float(np.median(found))


def main(folder: Path) -> None:
    print("| scan | sharpest slice | " + " | ".join(SEARCHES) + " |\n" + "|---" * (2 + len(SEARCHES)) + "|")
    for name, hints in SCANS.items():
        scan = prepare(read_scan(folder / name, **hints), PrepareOptions())
        estimate = estimate_centre(scan)
        said = [f"{estimate.found[s][0]:.2f}" if s in estimate.found else "–" for s in SEARCHES]
        missing = "".join(f", {wedge.width:.0f}° missing" for wedge in scan.missing_wedges)
        best = "–" if missing else f"{sharpest(scan, round(estimate.column)):.1f}"
        print(f"| {scan.name}, {len(scan.angles)} angles{missing} | {best} | " + " | ".join(said) + " |", flush=True)


if __name__ == "__main__":
    default = Path(os.environ.get("NAPARI_PFITRE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "tomo"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
