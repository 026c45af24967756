"""What the steps are built from: layers over a stack, and a look at a part of it.

Every step lays a `LazyFrames` over the projections; a region asked of the top layer is pulled through all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ScanError
from ..frames import LazyFrames
from ..scans import Frames, TomoScan

__all__ = ["Layer", "Pointwise", "blocks", "require", "sample"]

FRAMES_SAMPLED = 16


class Layer(LazyFrames):
    """A float32 stack of its parent's shape."""

    def __init__(self, parent: Frames):
        self.parent = parent
        n, height, width = parent.shape
        self.shape = (int(n), int(height), int(width))
        self.dtype = np.dtype(np.float32)

    def pull(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        """A region of the parent as a new float32 array."""
        return np.array(self.parent[frames, rows, columns], dtype=np.float32)


class Pointwise(Layer):
    """Every value by itself; `function` takes and gives a float32 block and may change the one it was given."""

    def __init__(self, parent: Frames, function: Callable[[np.ndarray], np.ndarray]):
        super().__init__(parent)
        self.function = function

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        return self.function(self.pull(frames, rows, columns))


def sample(stack: Frames, values: int = 1 << 20) -> np.ndarray:
    """A stack as a whole when it is small, else some rows about the middle of frames spread over it.

    Rows are taken together, so that neither frame-wise nor sinogram-wise chunks in a file make this expensive.
    """
    n, height, width = stack.shape
    if n * height * width <= values:
        return np.asarray(stack[:])
    count = min(n, FRAMES_SAMPLED)
    band = int(np.clip(values // (count * width), 1, height))
    start = (height - band) // 2
    chosen = np.unique(np.linspace(0, n - 1, count).round().astype(int))
    return np.stack([np.asarray(stack[int(i), start : start + band]) for i in chosen])


def blocks(span: slice, values_each: int, values: int = 1 << 24) -> list[slice]:
    """Consecutive parts of a span of rows (or frames) that hold about `values` values each."""
    length = max(1, values // max(1, values_each))
    return [slice(a, min(a + length, span.stop)) for a in range(span.start, span.stop, length)]


def require(scan: TomoScan, step: str, *quantities: str, advice: str) -> None:
    """Raise ScanError when the scan's values are none of `quantities`."""
    if scan.quantity not in quantities:
        raise ScanError(f"{step} needs {' or '.join(quantities)}, but {scan.name} holds {scan.quantity}; {advice}")
    if np.dtype(scan.projections.dtype).kind not in "buif":
        raise ScanError(
            f"{step} needs real numbers, but {scan.name} holds {np.dtype(scan.projections.dtype)}; "
            "choose amplitude or phase when reading it"
        )
