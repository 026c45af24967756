"""Diffraction patterns and the crystals that come of them ⇄ napari layers.

A pattern is shown as counts with a small gamma, which opens up five decades as a logarithm would and leaves the numbers
under the pointer what they are. It is drawn in the crystal's box, voxel for voxel, so that both share sliders and
units; a length on it means nothing. Its mask is a Labels layer to paint in; Prepare takes what is painted. A crystal is
its amplitude, its phase in colours that go round as phases do, and what was derived, shown where the crystal is.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..frames import LazyFrames
from ..results import Volume
from ..scans import CdiScan, Step
from ._shown import lazy

__all__ = ["crystal_layers", "held_volume", "is_crystal", "painted", "pattern_about", "pattern_layers"]

LayerData = tuple[Any, dict[str, Any], str]

GAMMA = 0.2  #: what napari's slider goes down to; a single count shows beside a peak of 1e5
_KEY, _SCAN, _VOLUME = "pfitre", "pfitre_scan", "pfitre_volume"
_PAINTABLE = 200_000_000  #: voxels; in larger patterns the mask is that of a frame


class Held:
    """Something kept beside its layer; a duplicated layer shares it rather than copying gigabytes."""

    def __init__(self, what: Any):
        self.scan = self.volume = what

    def __deepcopy__(self, memo) -> Held:
        return self

    def __repr__(self) -> str:
        return f"<{type(self.scan).__name__} {self.scan.name}>"


def pattern_layers(scan: CdiScan, name: str = "") -> list[LayerData]:
    """Counts, the mask to paint in, and the peak where it is known; the scan can be had back from the first."""
    title = name or scan.name
    frames = scan.intensity
    data = lazy(frames, title) if isinstance(frames, LazyFrames) else frames
    unit, scale = "pixel", (1.0, 1.0, 1.0)
    if scan.geometry is not None:
        unit, scale = "nm", _sizes(scan)
    shared = {"axis_labels": ("frame", "row", "column"), "units": (unit,) * 3, "scale": scale}
    token = uuid.uuid4().hex
    kept = {"kind": "pattern", "notices": list(scan.notices), "token": token}
    look = {
        "name": title,
        "colormap": "magma",
        "gamma": GAMMA,
        "contrast_limits": (0.0, _brightest(scan)),
        "rgb": False,
        "metadata": {_KEY: kept, _SCAN: Held(scan)},
    }
    layers: list[LayerData] = [(data, {**shared, **look}, "image")]
    layers.append(_mask_layer(scan, f"{title} · mask", token, shared))
    if scan.centre is not None:
        about = {
            **shared, "name": f"{title} · peak", "size": max(4, min(scan.shape) / 12), "symbol": "cross",
            "face_color": "transparent", "border_color": "cyan", "border_width": 0.1, "visible": False,
            "metadata": {_KEY: {"kind": "peak", "of": token}},
        }  # fmt: skip
        layers.append((np.array([scan.centre]), about, "points"))
    return layers


def _sizes(scan: CdiScan) -> tuple[float, float, float]:
    """Edges of a voxel of the crystal to come, nm."""
    assert scan.geometry is not None
    z, y, x = (float(f"{n:.10g}") for n in np.linalg.norm(scan.geometry.voxels(scan.shape), axis=1) * 1e9)
    return z, y, x


def _mask_layer(scan: CdiScan, name: str, token: str, shared: dict[str, Any]) -> LayerData:
    """What was not measured, as a label of its own colour; one frame for all where the pattern is very large."""
    small = int(np.prod(scan.shape)) <= _PAINTABLE
    shape = scan.shape if small else scan.shape[1:]
    mask = np.zeros(shape, np.uint8)
    if scan.mask is not None:
        mask[...] = scan.mask if small or scan.mask.ndim == 2 else scan.mask.all(axis=0)
    about = {
        "name": name, "opacity": 0.5, "visible": bool(mask.any()), "metadata": {_KEY: {"kind": "mask", "of": token}},
    }  # fmt: skip
    axes = shared if small else {key: value[1:] for key, value in shared.items()}
    return mask, {**axes, **about}, "labels"


def _brightest(scan: CdiScan) -> float:
    """The largest value of the frame with most light among some, without the marks of gaps."""
    from ..preprocess.cdi_survey import invalid, mask_of

    n = scan.shape[0]
    best = 1.0
    for i in sorted({*range(0, n, max(1, n // 12)), n // 2}):
        frame = np.asarray(scan.intensity[i])
        mask = mask_of(scan, slice(i, i + 1))
        seen = frame[~(invalid(frame) | (mask if mask.ndim == 2 else mask[0]))]
        if seen.size:
            best = max(best, float(np.percentile(seen, 99.999)))
    return best


def painted(layer: Any, layers: Iterable[Any], scan: CdiScan) -> CdiScan:
    """The scan with what is painted in its Labels layer as the mask; the scan itself when nothing was changed."""
    token = layer.metadata.get(_KEY, {}).get("token")
    for other in layers:
        about = other.metadata.get(_KEY, {}) if isinstance(getattr(other, "metadata", None), dict) else {}
        if about.get("kind") == "mask" and about.get("of") == token:
            mask = np.asarray(other.data) != 0
            if mask.shape not in (scan.shape, scan.shape[1:]):
                continue
            same = not mask.any() if scan.mask is None else np.array_equal(np.broadcast_to(scan.mask, mask.shape), mask)
            return scan if same else scan.replace(Step("paint_mask", {"masked": int(mask.sum())}), mask=mask)
    return scan


def pattern_about(scan: CdiScan) -> str:
    """A pattern in a few words: 201 frames of 256 × 256, 9 keV, step 0.005°, …"""
    n_frames, n_rows, n_columns = scan.shape
    words = [f"pattern of {n_frames} frames of {n_rows} × {n_columns} pixels"]
    if scan.energy_kev is not None:
        words.append(f"{scan.energy_kev:.5g} keV")
    if scan.rocking_step is not None:
        words.append(f"step {abs(np.rad2deg(scan.rocking_step)):.4g}°")
    if "oversampling" in scan.metadata:
        words.append("oversampling " + " × ".join(f"{ratio:.3g}" for ratio in scan.metadata["oversampling"]))
        words.append(f"{scan.metadata['photons']:.3g} photons")
    if scan.geometry is not None:
        words.append("voxels " + " × ".join(f"{size:.3g}" for size in _sizes(scan)) + " nm")
        words.append(f"d = {scan.geometry.spacing * 1e10:.4f} Å")
    elif scan.positions is not None:
        words.append("ptychography: to be looked at")
    else:
        words.append("angles not known: no voxel size")
    return "\n".join([" · ".join(words), *(f"Note: {notice}" for notice in scan.notices)])


def is_crystal(volume: Volume) -> bool:
    """Whether a volume is the amplitude of a complex object, with its phase as a layer."""
    return "phase" in volume.layers


def crystal_layers(volume: Volume, name: str = "") -> list[LayerData]:
    """Amplitude, phase, support, surface coloured by phase, displacement and strain where known.

    The amplitude's layer keeps the whole result, and a file written from it holds all of it.
    """
    title = name or volume.name
    unit, scale = ("pixel", (1.0,) * 3)
    if volume.voxel_size is not None:
        unit, scale = "nm", tuple(float(f"{m * 1e9:.10g}") for m in volume.voxel_size)
    shared = {"scale": scale, "translate": (0.0,) * 3, "units": (unit,) * 3, "axis_labels": ("z", "y", "x")}
    about = {
        "kind": "volume",
        "unit": volume.unit,
        "voxel_size": volume.voxel_size,
        "provenance": None if volume.provenance is None else dataclasses.asdict(volume.provenance),
    }
    support = np.asarray(volume.layers["support"]) > 0.5 if "support" in volume.layers else volume.data > 0.3
    top = float(np.nanmax(volume.data)) or 1.0
    made: list[LayerData] = [(
        volume.data,
        {"name": title, "colormap": "gray", "contrast_limits": (0.0, top), "rgb": False, **shared,
         "metadata": {_KEY: dict(about), _VOLUME: Held(volume)}},
        "image",
    )]  # fmt: skip
    for what, values in volume.layers.items():
        if what == "support":
            continue
        look, inside = _look(what, values, support)
        part = {"name": f"{title} · {look.pop('label', what)}", "rgb": False, "visible": what == "phase", **look}
        made.append((inside, {**shared, **part, "metadata": {_KEY: {**about, "kind": "companion"}}}, "image"))
    edge = {"name": f"{title} · support", "opacity": 0.6, "visible": False, "metadata": {_KEY: {"kind": "support"}}}
    made.append((support.astype(np.uint8), {**shared, **edge}, "labels"))
    surface = _surface(volume, support, title, shared)
    return [*made, surface] if surface is not None else made


def _look(what: str, values: np.ndarray, support: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Colours that suit a companion, and its values with nothing where the crystal is not."""
    values = np.asarray(values, dtype=np.float32)
    if what == "displacement":
        values = values * np.float32(1e9)
    inside = np.where(support, values, np.nan).astype(np.float32)
    if what == "phase":
        return {"colormap": "twilight_shifted", "contrast_limits": (-np.pi, np.pi), "label": "phase (rad)"}, inside
    seen = values[support] if support.any() else np.zeros(1)
    most = float(np.percentile(np.abs(seen), 99)) or 1.0
    if what in ("displacement", "strain"):
        label = "displacement (nm)" if what == "displacement" else what
        return {"colormap": "PiYG", "contrast_limits": (-most, most), "label": label}, inside
    return {"colormap": "viridis", "contrast_limits": (0.0, most)}, inside


def _surface(volume: Volume, support: np.ndarray, title: str, shared: dict[str, Any]) -> LayerData | None:
    """The crystal's surface at half of its amplitude, each point in the colour of its phase; for the 3-D view."""
    from scipy import ndimage
    from skimage.measure import marching_cubes

    amplitude = np.asarray(volume.data, np.float32)
    if not support.any() or min(amplitude.shape) < 2:
        return None
    level = 0.5 * float(np.median(amplitude[support]))
    if not amplitude.min() < level < amplitude.max():
        return None
    points, faces, _, _ = marching_cubes(amplitude, level)
    phase = np.asarray(volume.layers["phase"])
    # a phase is interpolated as a complex number: half way between π and −π is π, not 0
    field = [ndimage.map_coordinates(part, points.T, order=1) for part in (np.cos(phase), np.sin(phase))]
    values = np.arctan2(field[1], field[0]).astype(np.float32)
    about = {
        "name": f"{title} · surface, colour of the phase", "colormap": "twilight_shifted",
        "contrast_limits": (-np.pi, np.pi), "shading": "smooth", "visible": False,
        "metadata": {_KEY: {"kind": "surface"}},
    }  # fmt: skip
    return (points.astype(np.float32), faces, values), {**shared, **about}, "surface"


def held_volume(data: Any, meta: dict[str, Any]) -> Volume | None:
    """The whole result behind a crystal's amplitude, while its layer still shows that."""
    held = meta.get("metadata", {}).get(_VOLUME)
    if not isinstance(held, Held) or getattr(data, "shape", None) != held.volume.data.shape:
        return None
    if data is held.volume.data or np.shares_memory(np.asarray(data), held.volume.data):
        return dataclasses.replace(held.volume, name=meta.get("name", held.volume.name))
    return None
