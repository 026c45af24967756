"""Volumes larger than memory: rows in blocks, and what to show of them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..device import available_memory
from ..results import Preview
from ..scans import TomoScan, row_blocks

if TYPE_CHECKING:
    import torch

__all__ = ["Block", "Window", "blocks_that_fit", "overlap_notice", "spread"]

MEMORY_SHARE = 0.5  #: of what is free, for one block
PREVIEW_BYTES = 64e6
PREVIEW_SECONDS = 0.5


class Block(NamedTuple):
    """Rows to read and, of these, the rows to keep."""

    read: slice
    keep: slice

    @property
    def inner(self) -> slice:
        """Where the kept rows lie in what was read."""
        return slice(self.keep.start - self.read.start, self.keep.stop - self.read.start)


def blocks_that_fit(scan: TomoScan, bytes_per_row: int, device: torch.device, overlap: int = 0) -> tuple[Block, ...]:
    """As few blocks as memory allows; neighbours that matter to each other are read `overlap` rows beyond the edge."""
    n_rows = scan.shape[1]
    fitting = int(MEMORY_SHARE * available_memory(str(device)) / bytes_per_row)
    if fitting >= n_rows:
        return (Block(slice(0, n_rows), slice(0, n_rows)),)
    return tuple(
        Block(slice(max(0, keep.start - overlap), min(n_rows, keep.stop + overlap)), keep)
        for keep in row_blocks(scan, fitting - 2 * overlap)
    )


def overlap_notice(blocks: tuple[Block, ...], overlap: int) -> tuple[str, ...]:
    """What the user is to know when neighbours had to be parted; nothing when they were not."""
    if len(blocks) == 1 or overlap == 0:
        return ()
    return (
        f"reconstructed in {len(blocks)} blocks of rows that overlap by {overlap}, since memory did not hold them all",
    )


class Window:
    """What a run shows of itself: never more often than twice a second, never more than a few slices of a giant."""

    def __init__(self) -> None:
        self._last = -np.inf

    def look(self, x: torch.Tensor | np.ndarray, block: Block, *, always: bool = False) -> Preview | None:
        """A copy of the kept slices of x (z of `block.read`, y, x), or of the middle ones; None when it is too soon."""
        now = time.monotonic()
        if not always and now - self._last < PREVIEW_SECONDS:
            return None
        self._last = now
        start, stop = block.inner.start, block.inner.stop
        most = max(1, int(PREVIEW_BYTES / (4 * x.shape[1] * x.shape[2])))
        if stop - start > most:
            start = (start + stop - most) // 2
            stop = start + most
        part = x[start:stop]
        data = part.cpu().numpy() if hasattr(part, "cpu") else part
        return Preview(block.read.start + start, np.array(data, dtype=np.float32))


def spread(n_rows: int, count: int) -> Iterator[int]:
    """Up to `count` rows spread evenly over the detector, without its rims."""
    picks = np.linspace(0, n_rows - 1, min(count, n_rows) + 2)[1:-1] if n_rows > 2 else np.arange(n_rows)
    yield from np.unique(picks.round().astype(int)).tolist()
