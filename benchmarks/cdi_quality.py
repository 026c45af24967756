"""CDI-NN against the truth and against phase retrieval, on simulated crystals that no training saw:

    python benchmarks/cdi_quality.py --count 200 --out FOLDER [--weights FILE] [--baseline-count 40] [--threads 2]
    python benchmarks/cdi_quality.py --count 24 --out OTHER --photons 1e4 --only CDI-NN --only "CDI-NN, the data alone"

Patterns of 64³ voxels with a million photons, twofold to fourfold oversampling, centred to a voxel; strain from none to
7 rad peak to peak, one in eight with a dislocation. A crystal counts as solved where the supports overlap by 0.95 and
the phase in the true one is right to 0.1 rad (strictly) or by 0.9 and to 0.3 rad (roughly), after twin, place, slope
and mean of the phase are fitted. Weakly strained is the half with less peak to peak. Every crystal is written to
results.jsonl as it is done; the same command goes on where it was stopped. `--speed` measures prediction against 620
steps of ER and HIO instead.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from napari_pfitre.metrics import align_to
from napari_pfitre.networks import load_network
from napari_pfitre.networks.crystal_guess import best_guess
from napari_pfitre.operators.far_field import FarField
from napari_pfitre.preprocess import prepare_pattern
from napari_pfitre.preprocess.cdi import CdiPrepareOptions
from napari_pfitre.preprocess.cdi_oversampling import oversampling
from napari_pfitre.recipes import RECIPES
from napari_pfitre.recipes.cdi_result import SURFACE
from napari_pfitre.recipes.cdinn import CDI_NN, WIDER, CdiNnOptions
from napari_pfitre.results import Volume, finish
from napari_pfitre.scans import CdiScan
from napari_pfitre.solvers import ShrinkWrap, box_support, last, parse_schedule, phasing, random_start
from napari_pfitre.training.cdi.checks import HELD_OUT
from napari_pfitre.twin.crystals import Crystal, Crystals

SEED = HELD_OUT + 71  # held out from training, and not the seed that the method's constants were chosen on
PHOTONS = 1e6
PREPARED = CdiPrepareOptions(shape="64", threshold=0.0)
SOLVED = {"strictly": (0.95, 0.1), "roughly": (0.9, 0.3)}  # support overlap at least, phase error at most
RECIPE = "3×(20 ER + 180 HIO) + 20 ER"  # of the widely used programs, 620 steps
BASELINE = "phase retrieval"
ALONE = "CDI-NN, the data alone"  #: only when it is named
HURRY = {"starts": 1, "steps": 70, "refinement": 35}


def crystals(photons: float = PHOTONS) -> Crystals:
    return Crystals(SEED, size=64, oversampling=(2.0, 4.0), photons=(photons, photons), spoil=0.0)


Method = Callable[[CdiScan], Volume]


def methods(weights: Path | None, starts: int) -> dict[str, Method]:
    """Everything that is compared; phase retrieval last, for it takes the longest."""

    def cdi_nn(**options) -> Method:
        return lambda scan: finish(CDI_NN.run(scan, CdiNnOptions(weights=weights, **options), device="cpu"))

    def baseline(scan: CdiScan) -> Volume:
        recipe = RECIPES["phase-retrieval"]
        return finish(recipe.run(scan, recipe.options_type(starts=starts), device="cpu"))

    return {
        "network alone": cdi_nn(mode="network only"),
        "CDI-NN, one start": cdi_nn(starts=1),
        "CDI-NN, in a hurry": cdi_nn(**HURRY),
        "CDI-NN": cdi_nn(),
        ALONE: cdi_nn(solid=0.0),
        BASELINE: baseline,
    }


def judged(volume: Volume, crystal: Crystal, surface: float = SURFACE) -> dict[str, float]:
    """How near a volume is to the truth."""
    psi = volume.data * np.exp(1j * volume.layers["phase"])
    moved, _, _ = align_to(psi, crystal.object)  # the support where the crystal lies now, to a part of a voxel
    true, support = crystal.support > 0.5, np.abs(moved) > surface
    phase = np.angle(moved[true] * np.conj(crystal.object[true]))
    figures = volume.provenance.figures
    return {
        "iou": np.count_nonzero(support & true) / np.count_nonzero(support | true),
        "phase": float(np.sqrt(np.mean(phase**2))), "chi2": figures["chi2"], "seconds": volume.provenance.seconds,
        "free chi2": figures.get("free chi2", float("nan")),
    }  # fmt: skip


def measure(
    count: int, baseline_count: int, folder: Path, weights: Path | None, starts: int, only: list[str], photons: float
) -> list[dict]:
    """Rows of results, those already in the folder among them."""
    path = folder / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    done = {(row["crystal"], row["method"]) for row in rows}
    for index in range(count):
        crystal = crystals(photons)[index]
        scan = None
        for name, method in methods(weights, starts).items():
            wanted = name in only if only else name != ALONE
            if (index, name) in done or not wanted or (name == BASELINE and index >= baseline_count):
                continue
            scan = prepare_pattern(crystal.scan(), PREPARED) if scan is None else scan
            row = {"crystal": index, "method": name, "strain": crystal.strain, "kind": crystal.kind}
            started = time.process_time()
            volume = method(scan)
            row |= judged(volume, crystal) | {"cpu seconds": time.process_time() - started}
            rows.append(row)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        print(f"{index + 1} of {count}", end="\r", flush=True)
    return rows


def table(rows: list[dict], only: set[int] | None = None) -> Iterator[str]:
    """The results as Markdown."""
    median = float(np.median([row["strain"] for row in {row["crystal"]: row for row in rows}.values()]))
    yield f"weakly strained: below {median:.2f} rad peak to peak"
    yield "| method | crystals | n | IoU | phase, rad (median) | solved strictly | solved roughly | CPU s (median) |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == name and (only is None or row["crystal"] in only)]
        for which in ("all", "weak", "strong"):
            some = [row for row in mine if which == "all" or (row["strain"] < median) == (which == "weak")]
            if some:
                iou, phase, seconds = (np.array([row[key] for row in some]) for key in ("iou", "phase", "cpu seconds"))
                solved = [f"{np.mean((iou >= least) & (phase <= most)):.0%}" for least, most in SOLVED.values()]
                yield (
                    f"| {name} | {which} | {len(some)} | {iou.mean():.3f} ± {iou.std():.3f} | {phase.mean():.3f} ± "
                    f"{phase.std():.3f} ({np.median(phase):.3f}) | {' | '.join(solved)} | {np.median(seconds):.2f} |"
                )


def speed(weights: Path | None, repeats: int = 5) -> Iterator[str]:
    """Seconds of a prediction and of 620 steps at 64³, in turns, so that a busy machine slows both."""
    net, _ = load_network("cdi-nn" if weights is None else weights)
    scan = prepare_pattern(crystals()[0].scan(), PREPARED)
    intensity = torch.from_numpy(np.array(scan.intensity))
    amplitude = torch.from_numpy(np.fft.ifftshift(np.sqrt(scan.intensity)))
    sampling = oversampling(np.asarray(scan.intensity))
    z, y, x = (ratio / WIDER for ratio in sampling)
    A, box = FarField((64, 64, 64)), box_support((64, 64, 64))
    names = parse_schedule(RECIPE)

    def predict(tries: int) -> None:
        best_guess(net, intensity, None, (z, y, x), tries)

    def retrieve() -> float:
        start = random_start(amplitude, box, 0)
        end = last(phasing(A, amplitude, start, box, names, shrink=ShrinkWrap(every=1)))
        return end.misfit

    def invert(**options) -> float:
        volume = finish(CDI_NN.run(scan, CdiNnOptions(weights=weights, **options), device="cpu"))
        return volume.provenance.figures["chi2"]

    cases = {
        "prediction": lambda: predict(1), "prediction, two tries": lambda: predict(2), "CDI-NN": lambda: invert(),
        "CDI-NN, in a hurry": lambda: invert(**HURRY),
        f"{len(names)} steps of ER and HIO": retrieve,
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in cases}
    reached: dict[str, float | None] = {}
    for _ in range(repeats + 1):
        for name, run in cases.items():
            start = time.perf_counter()
            reached[name] = run()
            times[name].append(time.perf_counter() - start)
    best = {name: min(found[1:]) for name, found in times.items()}
    *_, slowest = best.values()
    yield f"{torch.get_num_threads()} threads, best of {repeats}"
    for name, seconds in best.items():
        fit = reached[name]
        yield f"{name}: {seconds:.3f} s, {slowest / seconds:.1f} times as fast" + (f", chi² {fit:.4f}" if fit else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--baseline-count", type=int, default=200, help="crystals for phase retrieval, the first ones")
    parser.add_argument("--starts", type=int, default=10, help="random starts of phase retrieval")
    parser.add_argument("--out", type=Path, default=Path("cdi-quality"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photons", type=float, default=PHOTONS, help="of a pattern; another number, another --out")
    parser.add_argument("--only", action="append", default=[], help="a method; may be given several times")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.speed:
        print("\n".join(speed(given.weights)))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    rows = measure(given.count, given.baseline_count, given.out, given.weights, given.starts, given.only, given.photons)
    print("\n".join(table(rows)))
    both = {row["crystal"] for row in rows if row["method"] == BASELINE}
    if both and len(both) < given.count:
        print(f"\nthe {len(both)} crystals that phase retrieval was run on:\n")
        print("\n".join(table(rows, both)))


if __name__ == "__main__":
    main()
