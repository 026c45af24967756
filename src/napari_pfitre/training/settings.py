"""The options of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..options import check

__all__ = ["TUNING", "TrainOptions"]

_ADVANCED = {"advanced": True}

# What every training is asked.
Minutes = Annotated[
    float, {"min": 0.01, "max": 1e6, "tooltip": "How long to train, what was done before a --resume included; the "
            "learning rate falls to nothing over this time", "unit": "min"},
]  # fmt: skip
Rate = Annotated[float, {"min": 1e-7, "max": 1.0, "label": "learning rate", "tooltip": "Of AdamW, at its highest"}]
Threads = Annotated[int, {"min": 1, "max": 1024, "tooltip": "Processor cores to compute on"}]
SaveEvery = Annotated[float, {"min": 0.1, "max": 1e4, "unit": "min", "tooltip": "Time between checkpoints"} | _ADVANCED]


@dataclass(frozen=True)
class TrainOptions:
    """Training of PFITRE's network on simulated scans, inside the loop that will use it."""

    minutes: Minutes = 240.0
    size: Annotated[
        int, {"min": 32, "max": 1024, "unit": "pixels", "tooltip": "Width of the narrowest scans"}
    ] = 96  # fmt: skip
    largest: Annotated[
        float, {"min": 1.0, "max": 8.0, "unit": "of size", "tooltip": "Width of the widest scans; the network learns "
                "from whole slices, large and small"},
    ] = 2.7  # fmt: skip
    batch: Annotated[
        int, {"min": 1, "max": 1024, "tooltip": "Slices in a step, of the narrowest scans; fewer of wider ones"}
    ] = 8
    rate: Rate = 1e-3
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "tooltip": "Of scenes, weights and order"}] = 0
    threads: Threads = 1
    workers: Annotated[
        int, {"min": 0, "max": 256, "tooltip": "Further processes that make scenes; with a GPU about one for each core"}
    ] = 0
    width: Annotated[int, {"min": 4, "max": 256, "tooltip": "Features of the network at full resolution"}] = 32
    blocks: Annotated[int, {"min": 1, "max": 32, "tooltip": "Dense blocks of a level of the network"}] = 1
    pool: Annotated[
        int, {"min": 1, "max": 65536, "tooltip": "Volumes to learn from at a time; a new one takes the oldest one's "
              "place"} | _ADVANCED,
    ] = 1500  # fmt: skip
    slices: Annotated[
        int, {"min": 1, "max": 64, "tooltip": "Of about one scan in seven; the others have one"} | _ADVANCED
    ] = 6
    rounds: Annotated[
        int, {"min": 1, "max": 32, "tooltip": "Volumes of one scan at most: its start and rounds of the engine's loop"}
        | _ADVANCED,
    ] = 4  # fmt: skip
    refresh: Annotated[
        int, {"min": 1, "max": 1000, "tooltip": "Steps until the volumes of one more scan come in; workers may need "
              "longer, and the training does not wait for them"} | _ADVANCED,
    ] = 1  # fmt: skip
    save_every: SaveEvery = 3.0
    check_every: Annotated[
        float, {"min": 0.1, "max": 1e4, "unit": "min", "tooltip": "Time between checks on held-out circuits"}
        | _ADVANCED,
    ] = 15.0  # fmt: skip

    def __post_init__(self):
        check(self)


TUNING = TrainOptions(minutes=20.0, rate=2e-4)  #: as `train pfitre --fine-tune` has it
