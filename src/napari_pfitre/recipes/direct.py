"""The run of a method that makes each slice from its own sinogram, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..results import Progress, Run
from ..scans import TomoScan
from .blocks import Window, blocks_that_fit
from .geometry import sinograms
from .journal import Journal

if TYPE_CHECKING:
    import torch

__all__ = ["in_one_pass"]

ROWS_A_STEP = 16


def in_one_pass(
    scan: TomoScan, journal: Journal, invert: Callable[[torch.Tensor], np.ndarray], bytes_per_row: int
) -> Run:
    """Some rows at a time, `invert` turns (row, angle, column) into (z, y, x)."""
    _, n_rows, n = scan.shape
    data = np.zeros((n_rows, n, n), np.float32)
    window = Window()
    done, stop = 0, None
    for block in blocks_that_fit(scan, bytes_per_row, journal.device):
        y = sinograms(scan, block.read)
        for start in range(0, len(y), ROWS_A_STEP):
            part = y[start : start + ROWS_A_STEP]
            data[done : done + len(part)] = invert(part)
            done += len(part)
            shown = window.look(data[block.read], block, always=done == n_rows)
            stop = yield Progress(done, n_rows, f"slice {done} of {n_rows}", preview=shown)
            if stop:
                return journal.volume(data, partial=done < n_rows, figures={"slices": done})
    return journal.volume(data, partial=False, figures={"slices": done})
