"""How good reconstructions are when the truth is known: every case of `cases`, every one of `contestants`.

The scans are simulated on a finer grid and by another projector than any method uses. Images are compared with the
truth within a disc of 90 % of the width and are not moved onto it. What is measured of each:

    psnr      dB, against the range of the whole truth
    ssim      mean structural similarity of the slices
    cutoff    1 / pixels: frequency at which the Fourier ring correlation with the truth falls below ½; 0 if at once
    along_z   Σ|m_{k+1} − m_k| of the slices' means m, over that of the truth: 1 is a stack as even as the object; left
              out where the truth's means are all but equal

Every result is kept when it is there, by what it depends on: the scan's options, the method's settings, the checksum of
the weights.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ..io.atomic import replacing
from ..metrics import disc_mask, fsc, fsc_resolution, psnr, ssim
from ..options import as_dict, check
from ..results import Progress
from ..twin import Simulation, simulate
from .cases import CLASSES, Case, cases
from .contestants import Contestant, Image, baselines, networks

__all__ = ["QualityOptions", "Report", "Row", "quality", "score"]

FLAT = 1e-4  #: of the truth's range: slice means that vary less all along the stack have no relation to compare


@dataclass(frozen=True)
class QualityOptions:
    """Reconstructions of simulated scans against their truth."""

    weights: Annotated[
        Path | None, {"tooltip": "A .safetensors file of one's own; empty for those that come with the package"}
    ] = None
    size: Annotated[int, {"min": 32, "max": 4096, "unit": "pixels", "tooltip": "Detector columns"}] = 256
    slices: Annotated[int, {"min": 2, "max": 4096, "unit": "pixels", "tooltip": "Detector rows"}] = 16
    seeds: Annotated[
        int, {"min": 1, "max": 80, "tooltip": "Objects of a class; of circuits as many of each of three cuts"}
    ] = 2
    only: Annotated[str, {"tooltip": f"Classes, separated by commas, out of {', '.join(CLASSES)}; all when empty"}] = ""

    displaced: Annotated[
        bool, {"tooltip": "Every scan a second time, with each projection displaced by a pixel (rms)"}
    ] = True

    def __post_init__(self):
        check(self)

    @property
    def cases(self) -> list[Case]:
        kinds = tuple(kind.strip() for kind in self.only.split(",") if kind.strip())
        return list(cases(self.size, self.slices, self.seeds, kinds, self.displaced))


@dataclass(frozen=True)
class Row:
    """What came out for one scan."""

    case: Case
    methods: Mapping[str, Mapping[str, float]]  #: by the name of the image: psnr, ssim, cutoff, along_z, …


@dataclass(frozen=True)
class Report:
    """What a benchmark, or as much of it as was run, comes to."""

    rows: tuple[Row, ...]
    weights: Mapping[str, str]  #: name and checksum; empty without any
    planned: int  #: scans

    def to_json(self) -> str:
        rows = [{**row.case.as_dict(), "methods": row.methods} for row in self.rows]
        values = {"weights": self.weights, "planned": self.planned, "rows": rows}
        return json.dumps(values, ensure_ascii=False, indent=1)


def quality(
    options: QualityOptions, keep: Path, *, device: str = "auto", with_network: bool = True, again: bool = False
) -> Generator[Progress, bool | None, Report]:
    """Run what is not in the folder `keep` yet; stopped, it reports what there is.

    Parameters
    ----------
    device
        For the network; the other methods run on the CPU.
    with_network
        False: FBP and FISTA-TV only, for which no weights are needed.
    again
        Reconstruct with the network even where results are kept: after a change of the engine itself.

    Raises
    ------
    OptionError, WeightsError
        Of a class or weights that there are not.
    """
    weights: dict[str, str] = {}
    contestants = baselines()
    if with_network:
        from ..networks import load_network

        _, card = load_network("pfitre" if options.weights is None else options.weights)
        weights = {"name": card.name, "sha256": card.sha256}
        contestants += networks(options.weights, card.sha256, device)
    keep.mkdir(parents=True, exist_ok=True)
    todo = options.cases
    rows: list[Row] = []
    total = len(todo) * len(contestants)
    for i, case in enumerate(todo):
        methods: dict[str, Any] = {}
        scan = cache(partial(simulate, case.options))  # made when it is first asked for
        for j, contestant in enumerate(contestants):
            path = keep / f"{_digest(case, contestant)}.json"
            done = i * len(contestants) + j
            if path.exists() and not (again and "weights" in contestant.settings):
                found = json.loads(path.read_text(encoding="utf-8"))["methods"]
            else:
                label = f"{i + 1} of {len(todo)}: {case}: {contestant.name}"
                found = yield from _measured(case, contestant, scan, path, Progress(done, total, label))
            if found is None:
                return Report(tuple(rows), weights, len(todo))
            methods |= found
        rows.append(Row(case, methods))
        if (yield Progress((i + 1) * len(contestants), total, f"{i + 1} of {len(todo)}: {case}")):
            break
    return Report(tuple(rows), weights, len(todo))


def _measured(
    case: Case, contestant: Contestant, scan: Callable[[], Simulation], path: Path, at: Progress
) -> Generator[Progress, bool | None, dict[str, Any] | None]:
    """Reconstruct, compare, keep; None when stopped."""
    if (yield at):
        return None
    made = scan()
    began, cpu = time.perf_counter(), time.process_time()
    images = yield from _told(contestant.reconstruct(made), at)
    if images is None:
        return None
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    found = {name: score(made.truth.data, image) for name, image in images.items()}
    record = {
        "case": case.as_dict(), "simulation": as_dict(case.options), "contestant": contestant.name,
        "settings": dict(contestant.settings), "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2),
        "methods": found,
    }  # fmt: skip
    with replacing(path) as part:
        part.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    return found


def _told(
    work: Generator[Progress, bool | None, dict[str, Image] | None], at: Progress
) -> Generator[Progress, bool | None, dict[str, Image] | None]:
    """The steps of a run under the benchmark's own count; asked to stop, it drops the run."""
    try:
        step = next(work)
        while True:
            if (yield at._replace(text=f"{at.text}: {step.text}", residual=step.residual)):
                work.close()
                return None
            step = work.send(None)
    except StopIteration as end:
        return end.value


def score(truth: np.ndarray, image: Image) -> dict[str, float]:
    """What is measured of an image (z, y, x), with the facts of its making."""
    mask, size = disc_mask(truth.shape[-1]), float(np.ptp(truth))
    found = {
        "psnr": psnr(truth, image.data, data_range=size, mask=mask),
        "ssim": ssim(truth, image.data, data_range=size, mask=mask),
        "cutoff": 1 / fsc_resolution(fsc(truth, image.data, taper=0.2), 0.5),
        **image.facts,
    }
    true, ours = (float(np.abs(np.diff(x[:, mask].mean(axis=1))).sum()) for x in (truth, image.data))
    return found | ({"along_z": ours / true} if true > FLAT * size else {})


def _digest(case: Case, contestant: Contestant) -> str:
    """A name for what a result depends on."""
    known = [as_dict(case.options), contestant.name, dict(contestant.settings)]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:24]
