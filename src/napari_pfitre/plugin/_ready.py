"""A scan ready to reconstruct: the one the user prepared, or what `prepare` makes of it by default, made once."""

from __future__ import annotations

import weakref

from ..scans import TomoScan

__all__ = ["is_prepared", "ready"]

_made: weakref.WeakKeyDictionary[TomoScan, TomoScan] = weakref.WeakKeyDictionary()


def is_prepared(scan: TomoScan) -> bool:
    """Whether the Prepare widget, or `prepare`, has seen this scan."""
    return any(step.name == "prepare" for step in scan.history)


def ready(scan: TomoScan, row: int | None = None) -> TomoScan:
    """The scan, prepared, or one row of it; may read the file and search the rotation axis, so call it in a thread."""
    from ..preprocess import crop, prepare

    if is_prepared(scan):
        made = scan
    else:
        made = _made.get(scan)
        if made is None:
            made = _made[scan] = prepare(scan)
    return made if row is None else crop(made, rows=f"{row}:{row + 1}")
