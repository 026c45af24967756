"""A training on disk: a checkpoint to go on from, a log, and the weights.

checkpoint.pt          network, average, optimiser, counters; replaced whole, read as tensors and numbers alone
log.csv                a line now and then
pfitre.safetensors     the averaged network, with its card pfitre.json
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import WeightsError

__all__ = ["CHECKPOINT", "LOG", "WEIGHTS", "log_line", "read_checkpoint", "write_checkpoint"]

CHECKPOINT, LOG, WEIGHTS = "checkpoint.pt", "log.csv", "pfitre.safetensors"


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint; a power cut leaves the old one or the new one."""
    part = folder / f".{CHECKPOINT}.{os.getpid()}"
    with part.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / CHECKPOINT)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The state to go on from.

    Raises
    ------
    WeightsError
        When there is none, or it is something else.
    """
    path = folder / CHECKPOINT
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{folder} holds no {CHECKPOINT} to go on from; start without --resume") from None
    except Exception as error:
        raise WeightsError(
            f"{path} cannot be read ({type(error).__name__}); start again in another folder, or put back a copy of it"
        ) from error


def log_line(folder: Path, columns: Sequence[str], **values: float) -> None:
    """Add a line to the log; what is not given stays empty."""
    path = folder / LOG
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(columns)
        writer.writerow([f"{values[name]:.6g}" if name in values else "" for name in columns])
