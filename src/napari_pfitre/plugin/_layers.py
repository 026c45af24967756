"""Scans and volumes ⇄ napari layers: the only file that knows layer metadata, scales, units and axis labels.

Projections are shown as (angle, 1, row, column) in (deg, nm, nm, nm). The axis of length one lies over the whole height
of the volume, so that projections and a volume (z, y, x) share units and sliders; napari drops every unit of a viewer
whose layers disagree about one axis.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames, Mapped
from ..results import Provenance, Volume
from ..scans import CdiScan, TomoScan
from ._patterns import Held, crystal_layers, held_volume, is_crystal, pattern_layers
from ._shown import behind, lazy

__all__ = [
    "LayerData",
    "about_of",
    "captions_of",
    "contrast_limits",
    "from_file",
    "kept_scan",
    "provenance_of",
    "scan_layer",
    "scan_layers",
    "scan_of",
    "shown_axis",
    "sweep_layer",
    "volume_layers",
    "volume_of",
]

LayerData = tuple[Any, dict[str, Any], str]

_KEY = "pfitre"
_SCAN = "pfitre_scan"
_SAMPLES = 200_000
_FRAME_BYTES = 8_000_000  # read at most this much of one frame to find contrast limits


def scan_layers(scan: TomoScan | CdiScan, name: str = "") -> list[LayerData]:
    """A scan as it is shown: projections, or a pattern with its mask."""
    return pattern_layers(scan, name) if isinstance(scan, CdiScan) else [scan_layer(scan, name)]


def scan_layer(scan: TomoScan, name: str = "") -> LayerData:
    """The projections of a scan as lazy image data; `scan_of` gives the scan back from the layer."""
    frames = scan.projections
    data = lazy(frames, _place(scan)) if isinstance(frames, LazyFrames) else np.asarray(frames)
    data, about = _projections(data, np.rad2deg(scan.angles), scan.pixel_size)
    kept = {"kind": "scan", "quantity": scan.quantity, "notices": list(scan.notices), "captions": about.pop("captions")}
    look = {"name": name or scan.name, "contrast_limits": contrast_limits(frames), "colormap": "gray"}
    return data, {**about, **look, "metadata": {_KEY: kept, _SCAN: Held(scan)}}, "image"


def _projections(data: Any, degrees: np.ndarray, pixel_size: tuple[float, float] | None) -> tuple[Any, dict[str, Any]]:
    """Frames (angle, row, column) as they stand beside a volume, (angle, 1, row, column), and where; with captions."""
    n_angles, n_rows, _ = data.shape
    unit, (row, column) = _length(pixel_size, 2)
    start, step, even = _regular(degrees)
    reverse = step < 0  # napari's sliders run upwards
    if reverse:
        start, step = float(degrees[-1]), -step
    height = n_rows * row
    text = [f"projection {i} of {n_angles} · {angle:.2f}°" for i, angle in enumerate(degrees, 1)]
    return (data[::-1] if reverse else data)[:, np.newaxis], {
        "scale": (step, height, row, column),
        "translate": (start, (height - row) / 2, 0.0, 0.0),
        "units": ("deg", unit, unit, unit),
        "axis_labels": ("angle" if even else "projection", "z", "y", "x"),
        "rgb": False,
        "captions": text[::-1] if reverse else text,
    }


def _place(scan: TomoScan) -> str:
    """Where frames come from and as of when, for the name that napari's cache knows them by."""
    source, modified = scan.source, 0
    if source is not None and source.path.exists():
        modified = source.path.stat().st_mtime_ns
    return scan.name if source is None else f"{source.path}:{source.dataset}:{modified}"


def _regular(degrees: np.ndarray) -> tuple[float, float, bool]:
    """First angle and step when the angles are evenly spaced; otherwise 0 and 1, the slider counts projections."""
    steps = np.diff(degrees)
    if steps.size and abs(steps.mean()) > 1e-9 and np.abs(steps - steps.mean()).max() < 0.02 * abs(steps.mean()):
        return float(degrees[0]), float(steps.mean()), True
    return 0.0, 1.0, False


def _length(metres: Sequence[float] | None, n: int) -> tuple[str, tuple[float, ...]]:
    """Lengths in nm, or in pixels while no size is known; ten digits are enough for a scale."""
    if metres is None:
        return "pixel", (1.0,) * n
    return "nm", tuple(float(f"{m * 1e9:.10g}") for m in metres)


def sweep_layer(stack: np.ndarray, centres: Sequence[float], scan: TomoScan, name: str) -> LayerData:
    """One slice reconstructed for several rotation axes, (centre, y, x), on a slider of its own.

    It is seen at every angle and height, as the projections beside it are.
    """
    unit, (row, column) = _length(scan.pixel_size, 2)
    step = float(centres[1] - centres[0]) if len(centres) > 1 else 1.0
    height = scan.shape[1] * row
    return (
        stack[:, np.newaxis, np.newaxis],
        {
            "name": name,
            "scale": (step, 1000.0, height, column, column),
            "translate": (float(centres[0]), float(np.rad2deg(scan.angles).mean()), (height - row) / 2, 0.0, 0.0),
            "units": ("pixel", "deg", unit, unit, unit),
            "axis_labels": ("centre", "angle", "z", "y", "x"),
            "contrast_limits": contrast_limits(stack),
            "colormap": "gray",
            "rgb": False,
            "metadata": {_KEY: {"kind": "sweep", "captions": [f"rotation axis at column {c:.2f}" for c in centres]}},
        },
        "image",
    )


def volume_layers(volume: Volume, name: str = "", first_slice: int = 0) -> list[LayerData]:
    """A volume and its companions as image data; complex values as amplitude and phase, which napari can show.

    `first_slice` places a slab at its height in the whole volume. Companions start hidden: they lie on the volume.
    What is lazy stays so, but for a crystal, whose surface needs all of it.
    """
    if is_crystal(volume):
        return crystal_layers(volume, name)
    unit, scale = _length(volume.voxel_size, 3)
    shared = {
        "scale": scale,
        "translate": (first_slice * scale[0], 0.0, 0.0),
        "units": (unit,) * 3,
        "axis_labels": ("z", "y", "x"),
        "rgb": False,
    }
    about = {
        "kind": "volume",
        "unit": volume.unit,
        "voxel_size": volume.voxel_size,
        "provenance": None if volume.provenance is None else dataclasses.asdict(volume.provenance),
    }
    title = name or volume.name
    parts = {title: volume.data} | {f"{title} · {what}": values for what, values in volume.layers.items()}
    layers: list[LayerData] = []
    for whole, values in parts.items():
        for part, data, look in _real_parts(whole, values):
            if whole != title:
                look = {**look, **({} if "phase" in part else _look(data)), "visible": False}
            shown = lazy(data, part) if isinstance(data, LazyFrames) else data
            layers.append((shown, {"name": part, "metadata": {_KEY: dict(about)}, **shared, **look}, "image"))
    if volume.residual is not None and volume.provenance is not None:
        layers.append(_residual_layer(volume.residual, volume.provenance, f"{title} · residual"))
    return layers


def _residual_layer(residual: np.ndarray, provenance: Provenance, name: str) -> LayerData:
    """What a volume leaves of its data, at their place and angles; hidden at first."""
    degrees = np.array(provenance.angles_deg)
    if len(degrees) != len(residual):
        degrees = np.arange(len(residual), dtype=float)
    shown = lazy(residual, name) if isinstance(residual, LazyFrames) else residual
    data, about = _projections(shown, degrees, provenance.pixel_size)
    kept = {"kind": "residual", "captions": about.pop("captions")}
    return data, {**about, "name": name, **_look(residual), "visible": False, "metadata": {_KEY: kept}}, "image"


def _look(data: np.ndarray) -> dict[str, Any]:
    """Grey from dark to bright; what has both signs in colours that part at zero."""
    low, high = contrast_limits(data)
    if low < 0 < high and min(-low, high) > 0.2 * max(-low, high):
        most = max(-low, high)
        return {"colormap": "PiYG", "contrast_limits": (-most, most)}
    return {"colormap": "gray", "contrast_limits": (low, high)}


def _real_parts(name: str, data: np.ndarray):
    if not np.issubdtype(data.dtype, np.complexfloating):
        yield name, data, {"colormap": "gray", "contrast_limits": contrast_limits(data)}
        return
    amplitude, phase = _values(np.abs, data), _values(np.angle, data)
    yield f"{name} · amplitude", amplitude, {"colormap": "gray", "contrast_limits": contrast_limits(amplitude)}
    yield f"{name} · phase", phase, {"colormap": "twilight", "contrast_limits": (-np.pi, np.pi)}


def _values(function: Any, data: Any) -> Any:
    """A function of each value, worked out when it is asked for where the values are read so."""
    return Mapped(np.float32, data, function=function) if isinstance(data, LazyFrames) else function(data)


def contrast_limits(data: Any) -> tuple[float, float]:
    """Percentiles 0.5 and 99.5 of a sample of the finite values, and never an empty range."""
    sample = _sample(data)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    if high <= low:  # nearly everything is one value: let the few others show
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else (low, low + 1.0)


def _sample(data: Any) -> np.ndarray:
    """At most about 200 000 values from three places of a stack, as float64; complex data are not expected."""
    n_frames, n_rows, n_columns = data.shape
    rows = max(1, min(n_rows, _FRAME_BYTES // max(1, n_columns * data.dtype.itemsize)))
    top = (n_rows - rows) // 2
    picked = sorted({n_frames // 6, n_frames // 2, n_frames - 1 - n_frames // 6})
    parts = [np.asarray(data[i, top : top + rows, :]).ravel() for i in picked]
    values = np.concatenate(parts)
    with np.errstate(invalid="ignore"):  # a damaged float may be a NaN that signals
        return values[:: max(1, values.size // _SAMPLES)].astype(float)


def about_of(layer: Any) -> dict[str, Any]:
    """What is kept about a layer, or about the attributes of one that is not made yet."""
    metadata = layer.get("metadata") if isinstance(layer, dict) else layer.metadata
    about = (metadata or {}).get(_KEY)
    return about if isinstance(about, dict) else {}


def from_file(layers: list[LayerData], path: Path, links: str | None, title: str) -> list[LayerData]:
    """Layers of a volume that know the file they were read from, and which of them is which."""
    file = {"path": str(path), "links": links, "token": uuid.uuid4().hex}
    for _, about, _ in layers:
        metadata = about.setdefault("metadata", {})
        part = about["name"].removeprefix(title)
        metadata[_KEY] = {**metadata.get(_KEY, {}), "file": file, "part": part}
    return layers


def scan_of(layer: Any) -> TomoScan | CdiScan | None:
    """The scan behind a layer, or None when the layer shows something else (or was given other data)."""
    return kept_scan(layer.data, {"metadata": layer.metadata})


def kept_scan(data: Any, meta: dict[str, Any]) -> TomoScan | CdiScan | None:
    """`scan_of`, of a layer's data and attributes as a writer gets them."""
    held = meta.get("metadata", {}).get(_SCAN)
    if not isinstance(held, Held):
        return None
    if isinstance(held.scan, CdiScan):
        return held.scan if tuple(data.shape) == held.scan.shape else None
    n_angles, n_rows, n_columns = held.scan.shape
    return held.scan if tuple(data.shape) == (n_angles, 1, n_rows, n_columns) else None


def captions_of(layer: Any) -> list[str]:
    """What the first axis of a layer means at each of its steps; empty when its slider says enough."""
    return about_of(layer).get("captions", [])


def shown_axis(layer: Any, dims: Any) -> float:
    """The rotation axis that a sweep's slider stands at."""
    first, step = float(layer.translate[0]), float(layer.scale[0])
    at = round((dims.point[dims.ndim - layer.ndim] - first) / step)
    return first + step * min(max(at, 0), layer.data.shape[0] - 1)


def provenance_of(layer: Any) -> Provenance | None:
    """How a layer's volume was made, when it was made by a recipe."""
    values = about_of(layer).get("provenance")
    return None if values is None else _provenance(values)


def _provenance(values: dict[str, Any]) -> Provenance:
    return Provenance(**{f.name: values[f.name] for f in dataclasses.fields(Provenance) if f.name in values})


def volume_of(data: Any, meta: dict[str, Any]) -> Volume:
    """What a writer saves for a layer: its values as they are, its voxel size in metres, its history.

    Raises
    ------
    FormatError
        When the layer is no stack of real values.
    """
    if (whole := held_volume(data, meta)) is not None:
        return whole
    name = meta.get("name", "volume")
    stored = behind(data)  # read again while it is written: never more than some slices are in memory
    values: Any = np.asarray(data) if stored is None else stored
    if values.ndim == 2:
        values = values[np.newaxis]
    if values.ndim != 3 or values.dtype.kind not in "fiub":
        raise FormatError(
            f"a volume has three axes (z, y, x) of real numbers, but layer {name!r} has shape {values.shape} of "
            f"{values.dtype}; save one volume at a time"
        )
    about = meta.get("metadata", {}).get(_KEY, {})
    provenance = about.get("provenance")
    return Volume(
        data=values.astype(np.float32, copy=False) if stored is None else Mapped(np.float32, stored),
        voxel_size=_voxel_size(meta, about),
        provenance=None if provenance is None else _provenance(provenance),
        name=name,
        unit=about.get("unit", ""),
    )


def _voxel_size(meta: dict[str, Any], about: dict[str, Any]) -> tuple[float, float, float] | None:
    """Metres from scale and units; the very numbers of the volume while nobody has changed the scale."""
    import pint

    units = [pint.Unit(str(unit)) for unit in meta.get("units", ())][-3:]
    scale = [float(s) for s in meta.get("scale", ())][-3:]
    if len(scale) == 2:  # a flat image: its one slice is as thick as a pixel is high
        units, scale = [units[0], *units], [scale[0], *scale]
    if len(units) != 3 or not all(unit.is_compatible_with("m") for unit in units):
        return None
    metres = tuple(float((s * unit).to("m").magnitude) for s, unit in zip(scale, units, strict=True))
    known = about.get("voxel_size")
    return tuple(known) if known is not None and np.allclose(known, metres, rtol=1e-8, atol=0) else metres
