"""A scan ready to reconstruct: the one the user prepared, or what `prepare` makes of it by default, made once."""

from __future__ import annotations

import weakref

from ..scans import CdiScan, TomoScan

__all__ = ["is_prepared", "ready"]

_made: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def is_prepared(scan: TomoScan | CdiScan) -> bool:
    """Whether the Prepare widget, or `prepare`, has seen this scan."""
    return any(step.name == "prepare" for step in scan.history)


def ready(scan: TomoScan | CdiScan, row: int | None = None) -> TomoScan | CdiScan:
    """The scan, prepared, or one row of it; may read the file and search the rotation axis, so call it in a thread."""
    from ..preprocess import crop
    from ..preprocess import ready as prepare

    if is_prepared(scan):
        made = scan
    else:
        made = _made.get(scan)
        if made is None:
            made = _made[scan] = prepare(scan)
    return made if row is None or isinstance(made, CdiScan) else crop(made, rows=f"{row}:{row + 1}")
