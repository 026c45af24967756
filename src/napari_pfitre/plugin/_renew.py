"""Layers that show a file which has changed since: the file is read again, and they show what it holds now.

A layer stays the object it is: its name, place in the list, contrast and colours are as the user left them, and what
was painted into a mask stays painted. Only what was loaded is renewed, projections, a pattern, a volume; what was
prepared or reconstructed of them says what it was made from, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import PfitreError
from ..io import read_scan
from ..scans import CdiScan, Step, TomoScan
from ._io import loaded, opened_volume
from ._layers import LayerData, about_of, scan_layers, scan_of

__all__ = ["Opened", "Renewal", "part", "read_again", "renew", "shown"]


class Opened(NamedTuple):
    """What was opened of a file, and the layers that show it."""

    layers: list[Any]  #: the one that holds the scan or the volume comes first, unless it was deleted
    what: str  #: projections, frames or slices
    before: tuple[int, ...]  #: shape of the data as they are shown
    read: Callable[[], list[LayerData]]


class Renewal(NamedTuple):
    """What a file gives for some layers now."""

    opened: Opened
    made: list[LayerData] | PfitreError  #: the layers anew, or why there are none

    @property
    def layer(self) -> Any:
        return self.opened.layers[0]


def part(scan: TomoScan, rows: str | None, by: int) -> TomoScan:
    """Some rows, binned, of a scan; its history says that this was decided on loading."""
    from ..preprocess import bin, crop

    if rows is None and by == 1:
        return scan
    return bin(crop(scan, rows=rows), by).replace(step=Step("load", {"rows": rows, "bin": by}))


def shown(layers: Iterable[Any], path: Path) -> list[Opened]:
    """What the layers show of a file as it was loaded."""
    path = path.expanduser().resolve()
    plain = [getattr(layer, "__wrapped__", layer) for layer in layers]
    found: list[Opened] = []
    volumes: dict[str, list[Any]] = {}
    for layer in plain:
        scan, kept = scan_of(layer), about_of(layer)
        file = kept.get("file")
        if scan is not None and _as_loaded(scan, path):
            token = kept.get("token")
            beside = [other for other in plain if token and about_of(other).get("of") == token]
            what = "projections" if isinstance(scan, TomoScan) else "frames"
            found.append(Opened([layer, *beside], what, scan.shape, partial(_scan_again, scan)))
        elif scan is None and file and Path(file["path"]).resolve() == path:
            volumes.setdefault(file["token"], []).append(layer)
    for parts in volumes.values():
        parts.sort(key=lambda layer: about_of(layer)["part"] != "")
        file = about_of(parts[0])["file"]
        again = partial(opened_volume, Path(file["path"]), file["links"])
        found.append(Opened(parts, "slices", tuple(getattr(parts[0].data, "shape", ())), again))
    return found


def _as_loaded(scan: TomoScan | CdiScan, path: Path) -> bool:
    return (
        scan.source is not None
        and scan.source.path.resolve() == path
        and bool(scan.history)
        and scan.history[-1].name in ("read_scan", "load")
    )


def read_again(opened: list[Opened]) -> list[Renewal]:
    """Read the files of some layers anew, with the hints and the part they were loaded with; touches no layer."""
    out: list[Renewal] = []
    for one in opened:
        made: list[LayerData] | PfitreError
        try:
            made = one.read()
        except PfitreError as error:
            made = error
        out.append(Renewal(one, made))
    return out


def _scan_again(scan: TomoScan | CdiScan) -> list[LayerData]:
    assert scan.source is not None
    steps = {step.name: dict(step.parameters) for step in scan.history}  # of two readings, the later one
    hints = steps.get("read_scan", {})
    new = loaded(read_scan(scan.source.path, **hints), hints)
    if isinstance(new, TomoScan) and scan.history[-1].name == "load":
        new = part(new, steps["load"]["rows"], steps["load"]["bin"])
    return scan_layers(new)


def renew(renewal: Renewal) -> str:
    """Let layers show what was read, in the main thread; what to tell of it."""
    (layers, what, before, _), made = renewal
    layer = layers[0]
    if isinstance(made, PfitreError):
        return f"{layer.name} stays as it is: {made}"
    parts = {_part(about): (data, about, kind) for data, about, kind in made}
    was = scan_of(layer)
    for other in reversed(layers):  # the first one last: it tells the widgets that the scan is another
        if (new := parts.get(_part({"metadata": other.metadata}))) is None or new[2] != other._type_string:
            continue
        _show(other, *new, was)
    shape = made[0][0].shape
    now = (shape[0], *shape[-2:])
    if what == "slices":
        if now == before:
            return f"{layer.name}: read again"
        return f"{layer.name}: read again, {' × '.join(map(str, now))} voxels now"
    more = now[0] - before[0]
    change = f"{abs(more)} {'more' if more > 0 else 'fewer'} than before" if more else "as many as before"
    return f"{layer.name}: {now[0]} {what} now, {change}"


def _part(about: dict[str, Any]) -> str:
    """Which of the layers of one file this is: the same when the file is read again."""
    kept = about_of(about)
    return str(kept["part"] if "part" in kept else kept["kind"] if "of" in kept else "")


def _show(layer: Any, data: Any, about: dict[str, Any], kind: str, was: TomoScan | CdiScan | None) -> None:
    if kind == "labels" and isinstance(was, CdiScan):
        data = _still_painted(np.asarray(layer.data), was.mask, np.array(data))
    layer.data = data
    for name in ("scale", "translate", "axis_labels", "units"):
        if name in about:
            setattr(layer, name, about[name])
    if kind == "image":
        low, high = layer.contrast_limits_range
        new = about["contrast_limits"]
        layer.contrast_limits_range = (min(low, new[0]), max(high, new[1]))  # the limits themselves are the user's
    layer.metadata = {**layer.metadata, **about["metadata"]}


def _still_painted(painted: np.ndarray, was: np.ndarray | None, mask: np.ndarray) -> np.ndarray:
    """The new mask of a pattern, with what was painted into or rubbed out of the old one, as far as there is place."""
    if painted.ndim != mask.ndim:
        return mask
    if was is not None and painted.ndim == 2 and was.ndim == 3:
        was = was.all(axis=0)
    old = np.broadcast_to(False if was is None else was, painted.shape)
    inside = tuple(slice(0, min(n, m)) for n, m in zip(painted.shape, mask.shape, strict=True))
    changed = (painted[inside] != 0) != old[inside]
    mask[inside] = np.where(changed, painted[inside], mask[inside])
    return mask
