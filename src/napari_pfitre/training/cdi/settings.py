"""The options of a training of CDI-NN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...options import check
from ..settings import Minutes, Rate, SaveEvery, Threads

__all__ = ["CdiTrainOptions"]

_ADVANCED = {"advanced": True}


@dataclass(frozen=True)
class CdiTrainOptions:
    """Training of CDI-NN's network on simulated crystals, or its tuning on measured patterns."""

    minutes: Minutes = 75.0
    batch: Annotated[int, {"min": 1, "max": 1024, "tooltip": "Crystals in a step"}] = 8
    rate: Rate = 1e-3
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "tooltip": "Of crystals, weights and order"}] = 0
    threads: Threads = 1
    modulus: Annotated[
        float, {"min": 0.0, "max": 100.0, "label": "modulus weight", "tooltip": "How much it counts that the answer "
                "has the measured modulus, beside shape and phase being right"} | _ADVANCED,
    ] = 0.3  # fmt: skip
    replayed: Annotated[
        float, {"min": 0.0, "max": 0.95, "tooltip": "Part of a batch that are earlier crystals, turned over; they cost "
                "less than new ones"} | _ADVANCED,
    ] = 0.5  # fmt: skip
    memory: Annotated[int, {"min": 1, "max": 100000, "tooltip": "Earlier crystals that are kept"} | _ADVANCED] = 1024
    save_every: SaveEvery = 3.0
    check_every: Annotated[
        float, {"min": 0.1, "max": 1e4, "unit": "min", "tooltip": "Time between checks on held-out crystals"}
        | _ADVANCED,
    ] = 10.0  # fmt: skip

    def __post_init__(self):
        check(self)
