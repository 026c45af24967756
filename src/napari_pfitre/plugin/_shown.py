"""Frames as a canvas asks for them: what cannot be read is blank, and told, where napari would stop drawing.

A file that a layer shows may be overwritten, moved or deleted at any time. An error in the middle of napari's slicing
leaves the layers above undrawn and comes as a traceback; and outside of napari's own loop Qt ends the program over it.
"""

from __future__ import annotations

import time
import uuid
from typing import Any
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
from napari.utils.notifications import show_warning

from ..errors import ChangedError, PfitreError
from ..frames import LazyFrames

__all__ = ["Shown", "behind", "lazy"]

_PAUSE = 15.0  # s before the same is told again: a slider asks for many frames
_told: dict[str, float] = {}
_shown: WeakValueDictionary[str, Shown] = WeakValueDictionary()  # by the name of the array that shows them


class Shown(LazyFrames):
    """The frames of a stack; those that cannot be read are NaN, or zeros where there is no NaN."""

    def __init__(self, parent: LazyFrames):
        self.parent = parent
        self.shape, self.dtype = parent.shape, parent.dtype

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        try:
            return self.parent[frames, rows, columns]
        except (PfitreError, OSError) as error:
            _tell(_sentence(error))
        shape = tuple(span.stop - span.start for span in (frames, rows, columns))
        return np.full(shape, np.nan if self.dtype.kind in "fc" else 0, self.dtype)


def _sentence(error: Exception) -> str:
    """What to do comes first: napari shows the first forty letters until the user unfolds the rest."""
    if not isinstance(error, ChangedError):
        return f"Shown blank: {error}"
    if error.gone:
        return f"File gone, frames are blank: {error}, or bring it back and press Look again in the Load widget"
    return f"Press Look again in Load, frames are blank until then: {error}"


def _tell(text: str) -> None:
    now = time.monotonic()
    if now - _told.get(text, -_PAUSE) >= _PAUSE:
        _told[text] = now
        show_warning(text)


def lazy(frames: LazyFrames, where: str) -> da.Array:
    """One task a frame. The name is never used twice: napari caches blocks by it, and files get rewritten."""
    shown = Shown(frames)
    name = f"{where}:{uuid.uuid4().hex}"
    _shown[name] = shown
    return da.from_array(shown, chunks=(1, *frames.shape[1:]), name=name, meta=np.empty((0, 0, 0), frames.dtype))


def behind(data: Any) -> LazyFrames | None:
    """The stack that `lazy` made an array of, where what cannot be read is an error; None for any other array."""
    shown = _shown.get(data.name) if isinstance(data, da.Array) else None
    return None if shown is None else shown.parent
