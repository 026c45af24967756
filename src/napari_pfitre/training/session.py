"""What every training does around its steps: threads, the time it has, its folder, the device's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import OptionError
from .keeping import CHECKPOINT

__all__ = ["open_folder", "seconds_of", "threads"]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many in torch, for a while; total variation follows it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_of(minutes: float) -> int:
    """How long a training may take, for its progress."""
    return max(1, round(60 * minutes))


def open_folder(folder: Path, resume: bool) -> None:
    """Make the folder of a training.

    Raises
    ------
    OptionError
        When it holds one already that is not to be gone on with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not resume and (folder / CHECKPOINT).exists():
        raise OptionError(f"{folder} holds a training already; go on with it (--resume), or take another folder")
