"""Phase retrieval: seconds a step against plain numpy, and the misfit reached on a real Bragg scan.

    python benchmarks/phasing.py [--folder SCAN_FOLDER] [--threads 1] [--seeds 3]

Speed: 620 steps of ``3×(20 ER + 180 HIO) + 20 ER`` at 64³ on a simulated crystal, support taken anew every five steps;
ours, and the same equations written plainly with numpy and scipy's FFT (float32, the same number of threads), in one
process and in turns. The seconds of a machine shared with others are upper bounds; the ratio is safer, CPU seconds
safest.

Misfit: with --folder, a raw folder of APS 34-ID-C (scan 54 of its example data), cropped to 96 × 128 × 128 about the
peak, flat field corrected, threshold 2; 120 ER/HIO steps from random starts. chi² is Σ(c|F| − D)² / ΣD² at the best
scale c, over all voxels that were measured; every seed is told.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy import fft, ndimage

from napari_pfitre.metrics import chi_squared
from napari_pfitre.operators import FarField
from napari_pfitre.operators.far_field import corner
from napari_pfitre.solvers import ShrinkWrap, box_support, last, parse_schedule, phasing, random_start
from napari_pfitre.twin.crystals import Crystals

EVERY, THRESHOLD, SIGMA = 5, 0.1, (2.0, 1.0)
SPEED = "3×(20 ER + 180 HIO) + 20 ER"
REAL = "20 ER + 80 HIO + 20 ER"


def ours(amplitude: torch.Tensor, start: torch.Tensor, support: torch.Tensor, schedule: str) -> torch.Tensor:
    A = FarField(amplitude.shape)
    shrink = ShrinkWrap(EVERY, THRESHOLD, SIGMA)
    return last(phasing(A, amplitude, start, support, parse_schedule(schedule), shrink=shrink)).x


def plain(amplitude: torch.Tensor, start: torch.Tensor, support: torch.Tensor, schedule: str) -> torch.Tensor:
    """The same in numpy, as one would write it down."""
    d, x, s = amplitude.numpy(), start.numpy().copy(), support.numpy()
    names = parse_schedule(schedule)
    workers = torch.get_num_threads()
    for k, name in enumerate(names, 1):
        field = fft.fftn(x, workers=workers, norm="ortho")
        size = np.abs(field)
        field *= np.where(d < 0, 1, d / np.maximum(size, 1e-30))
        p = fft.ifftn(field, workers=workers, norm="ortho")
        outside = x - np.float32(0.9) * p if name == "HIO" and k < len(names) else 0
        x = np.where(s, p, outside)
        if k % EVERY == 0 and k < len(names):
            sigma = SIGMA[0] * (SIGMA[1] / SIGMA[0]) ** (k / len(names))
            smooth = ndimage.gaussian_filter(np.abs(p), sigma, mode="wrap")
            s = smooth >= THRESHOLD * smooth.max()
    return torch.from_numpy(x)


def misfit(x: torch.Tensor, amplitude: torch.Tensor) -> float:
    measured = (amplitude >= 0).numpy()
    return chi_squared(FarField(x.shape)(x).abs().numpy(), amplitude.numpy(), measured)


def timed(run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    return run(), time.perf_counter() - began, time.process_time() - cpu


def speed() -> None:
    crystal = next(c for c in Crystals(seed=5, size=64, photons=(1e6, 1e6), spoil=0.0) if min(c.oversampling) > 2.2)
    amplitude = torch.from_numpy(np.sqrt(corner(crystal.intensity)))
    support = box_support(amplitude.shape, 0.5)
    start = random_start(amplitude, support, 0)
    ours(amplitude, start, support, "3 HIO")  # compiled code comes from its cache, as in any second run
    print(f"64³, {len(parse_schedule(SPEED))} steps     seconds  CPU seconds  ms a step   chi²")
    for name, method in (("napari-pfitre", ours), ("plain numpy", plain)):
        x, seconds, cpu = timed(lambda method=method: method(amplitude, start, support, SPEED))
        steps = len(parse_schedule(SPEED))
        print(f"{name:16s} {seconds:12.2f} {cpu:12.2f} {1e3 * seconds / steps:10.2f} {misfit(x, amplitude):8.5f}")


def real(folder: Path, seeds: int) -> None:
    from napari_pfitre import read_scan
    from napari_pfitre.preprocess import CdiPrepareOptions, prepare_pattern

    scan = prepare_pattern(read_scan(folder), CdiPrepareOptions(shape="96,128,128", threshold=2.0))
    mask = np.zeros(scan.shape, bool) if scan.mask is None else np.broadcast_to(scan.mask, scan.shape)
    amplitude = torch.from_numpy(corner(np.where(mask, np.float32(-1), np.sqrt(scan.intensity))))
    support = box_support(amplitude.shape, 0.5)
    print(f"\n{folder.name}, 96 × 128 × 128, {REAL}     seconds  CPU seconds   chi²")
    for seed in range(seeds):
        start = random_start(amplitude, support, seed)
        x, seconds, cpu = timed(lambda start=start: ours(amplitude, start, support, REAL))
        print(f"seed {seed} {seconds:40.2f} {cpu:12.2f} {misfit(x, amplitude):8.5f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="raw scan of APS 34-ID-C")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    speed()
    if chosen.folder is not None:
        real(chosen.folder, chosen.seeds)
