"""Layers that show a file which has grown since: the file is read again, and they show what it holds now.

A layer stays the object it is: its name, place, contrast and colours are as the user left them. Only projections as
they were loaded are renewed; what was prepared or reconstructed of them says what it was made from, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import PfitreError
from ..io import read_scan
from ..scans import Step, TomoScan
from ._io import loaded
from ._layers import LayerData, scan_layer, scan_of

__all__ = ["Renewal", "part", "read_again", "renew", "shown"]


class Renewal(NamedTuple):
    """What a file gives for one layer now."""

    layer: Any
    count: int  #: projections that the layer shows so far
    made: LayerData | PfitreError  #: the layer anew, or why there is none


def part(scan: TomoScan, rows: str | None, by: int) -> TomoScan:
    """Some rows, binned, of a scan; its history says that this was decided on loading."""
    from ..preprocess import bin, crop

    if rows is None and by == 1:
        return scan
    return bin(crop(scan, rows=rows), by).replace(step=Step("load", {"rows": rows, "bin": by}))


def shown(layers: Iterable[Any], path: Path) -> list[tuple[Any, TomoScan]]:
    """The layers that show projections of a file as they were loaded, and their scans."""
    scans = [(getattr(layer, "__wrapped__", layer), scan_of(layer)) for layer in layers]
    return [
        (layer, scan)
        for layer, scan in scans
        if isinstance(scan, TomoScan)
        and scan.source is not None
        and scan.source.path.resolve() == path.expanduser().resolve()
        and scan.history
        and scan.history[-1].name in ("read_scan", "load")
    ]


def read_again(layers: list[tuple[Any, TomoScan]]) -> list[Renewal]:
    """Read the files of some layers anew, with the hints and the part they were loaded with; touches no layer."""
    out: list[Renewal] = []
    for layer, scan in layers:
        made: LayerData | PfitreError
        try:
            made = scan_layer(_anew(scan))
        except PfitreError as error:
            made = error
        out.append(Renewal(layer, scan.shape[0], made))
    return out


def _anew(scan: TomoScan) -> TomoScan:
    assert scan.source is not None
    steps = {step.name: dict(step.parameters) for step in scan.history}  # of two readings, the later one
    hints = steps.get("read_scan", {})
    taken = steps["load"] if scan.history[-1].name == "load" else {"rows": None, "bin": 1}
    return part(loaded(read_scan(scan.source.path, **hints), hints), taken["rows"], taken["bin"])


def renew(renewal: Renewal) -> str:
    """Let a layer show what was read, in the main thread; what to tell of it."""
    layer, before, made = renewal
    if isinstance(made, PfitreError):
        return f"{layer.name} stays as it is: {made}"
    data, about, _ = made
    layer.data = data
    layer.scale, layer.translate = about["scale"], about["translate"]
    layer.axis_labels, layer.units = about["axis_labels"], about["units"]
    low, high = layer.contrast_limits_range
    new = about["contrast_limits"]
    layer.contrast_limits_range = (min(low, new[0]), max(high, new[1]))  # the limits themselves are the user's
    layer.metadata = {**layer.metadata, **about["metadata"]}  # last: it tells the widgets that the scan is another
    count = data.shape[0]
    more = count - before
    change = f"{abs(more)} {'more' if more > 0 else 'fewer'} than before" if more else "as many as before"
    return f"{layer.name}: {count} projections now, {change}"
