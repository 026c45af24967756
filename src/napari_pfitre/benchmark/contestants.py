"""What is compared: FBP, FISTA-TV at its best, the network once, and PFITRE with and without aligning."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..options import as_dict
from ..recipes import PFITRE, RECIPES
from ..recipes.pfitre import PfitreOptions
from ..results import Progress
from ..twin import Simulation
from . import oracle

__all__ = [
    "DATA",
    "FISTA_TV",
    "MEAN",
    "NETWORK",
    "ONE_PASS",
    "UNALIGNED",
    "Contestant",
    "Image",
    "baselines",
    "networks",
]

FBP, FISTA_TV, ONE_PASS = "FBP", "FISTA-TV", "one pass"
MEAN, DATA, NETWORK = "PFITRE", "PFITRE, data", "PFITRE, network"  #: the images that a run ends with
UNALIGNED = " · no aligning"  #: after any of them, when displacements are not looked for


class Image(NamedTuple):
    """A reconstruction, and what is to be remembered of how it came about."""

    data: np.ndarray  #: (z, y, x)
    facts: Mapping[str, float] = {}


Work = Generator[Progress, bool | None, dict[str, Image] | None]


class Contestant(NamedTuple):
    """A method with its settings. It gives its images by name, or None when it was stopped."""

    name: str
    settings: Mapping[str, Any]  #: JSON values; results are kept for these
    reconstruct: Callable[[Simulation], Work]


def baselines() -> tuple[Contestant, ...]:
    """Those that no weights matter to."""
    return (
        Contestant(FBP, as_dict(RECIPES["fbp"].options_type()), _fbp),
        Contestant(FISTA_TV, oracle.SETTINGS, _fista_tv),
    )


def networks(weights: Path | None, sha256: str, device: str) -> tuple[Contestant, ...]:
    """Those of one file of weights."""

    def contestant(name: str, after: str, **chosen: Any) -> Contestant:
        options = PfitreOptions(weights=weights, **chosen)
        settings = {**as_dict(options), "weights": sha256}
        return Contestant(name, settings, lambda made: _pfitre(made, options, after, device))

    return (
        contestant(ONE_PASS, "", mode="one pass", align=False, check=False),
        contestant("PFITRE", "", align=True),
        contestant(f"PFITRE{UNALIGNED}", UNALIGNED, align=False),
    )


def _fbp(made: Simulation) -> Work:
    volume = yield from RECIPES["fbp"].run(made.scan, device="cpu")
    return None if volume.partial else {FBP: Image(volume.data)}


def _fista_tv(made: Simulation) -> Work:
    best = yield from oracle.best_fista_tv(made.scan, made.truth.data)
    if best is None:
        return None
    return {FISTA_TV: Image(best.data, {"weight": best.weight, "dimensions": best.dimensions})}


def _pfitre(made: Simulation, options: PfitreOptions, after: str, device: str) -> Work:
    volume = yield from PFITRE.run(made.scan, options, device=device)
    if volume.partial:
        return None
    facts = {} if volume.provenance is None else volume.provenance.figures
    if options.mode == "one pass":
        return {ONE_PASS: Image(volume.data, facts)}
    # A run returns a mean of the data's image and the network's, and the difference as a layer.
    apart = volume.layers["network − data"]
    data = volume.data - facts["share of the network"] * apart
    images = {MEAN: volume.data, DATA: data, NETWORK: data + apart}
    return {name + after: Image(image, facts) for name, image in images.items()}
