"""NeXus NXtomo: projections, flats and darks in one stack, told apart by an image key (0, 1, 2; 3 is invalid).

The angles stand beside it, one for each frame of the stack. Where everything is, nxtomo_find.py knows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import h5py
import numpy as np

from ..errors import FormatError, ScanError
from ..scans import Quantity
from .angles import Angles, angle_unit
from .extras import frame_or_stack
from .hdf5 import beside, find, opened
from .hints import ReadHints
from .kept import OWN, recall
from .links import policy
from .nxtomo_find import Place, choose, groups, says_nxtomo
from .parts import Parts
from .stacks import open_stack
from .values import attribute, energy_kev, length, number, row, text

__all__ = ["detect", "read"]

NAME = "NeXus NXtomo"
INVALID = 3


def detect(file: h5py.File) -> bool:
    return any(says_nxtomo(group) or ("image_key" in group and "data" in group) for group in groups(file))


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The measurement in an NXtomo file, or the one that ``entry=`` names."""
    place = choose(file, hints, notices)
    dataset = hints.dataset or place.data
    angles = _angles(place)
    frames, present = open_stack(file, dataset, hints, notices, n_angles=None if angles is None else angles.count)
    parts = Parts(NAME, path, dataset, frames, ("angle", "row", "column"), angles, present=present, notices=notices)
    parts.keys = _keys(place, frames.shape[0], notices)
    values = None if angles is None else angles.values
    if angles is not None and values is not None and place.key is not None:
        stopped = frames.shape[0] < values.size == place.key.size
        parts.angles = replace(angles, values=values[: frames.shape[0]]) if stopped else angles
    if place.key is None:
        notices.append(f"{place.label} has no image key; every frame is taken for a projection")
        parts.flats = _beside(place, "flatfield")
        parts.darks = _beside(place, "darkfield")
    elif not np.any(parts.keys == 1):
        _reduced_beside(path, notices)
    _geometry(place, parts)
    _dxfile2nx(file, place, parts)
    name = find(place.root, "sample/name")
    title = find(place.root, "title")
    parts.name = (text(name) if isinstance(name, h5py.Dataset) else "") or (text(title) if title else "") or path.stem
    parts.metadata = {"entry": place.label}
    _kept(place, parts)
    return parts


def _angles(place: Place) -> Angles | None:
    values = row(place.angles)
    if place.angles is None or values is None:
        return None
    unit = angle_unit(attribute(place.angles, "units", "unit"))
    return Angles(
        values,
        unit,
        f"{place.angles.name} in {Path(place.angles.file.filename).name}",
    )


def _keys(place: Place, count: int, notices: list[str]) -> np.ndarray | None:
    """Frame types; alignment frames (control −1) and invalid ones get a type that nobody uses."""
    if place.key is None:
        return None
    stored = row(place.key)
    if stored is None:
        raise ScanError(f"the image key of {place.label} holds {place.key.dtype}, not numbers; pass dataset=")
    keys = np.round(np.clip(np.nan_to_num(stored, nan=INVALID), -INVALID, INVALID)).astype(int)
    invalid = (keys < 0) | (keys > 2)
    if place.control is not None and place.control.size == keys.size:
        control = row(place.control)
        back = np.zeros(keys.size, bool) if control is None else control < 0
        if back.any():
            notices.append(f"{back.sum()} alignment frames, taken after the scan (image_key_control −1), were left out")
        keys[back] = INVALID
        invalid &= ~back
    if keys.size > count:
        notices.append(f"the image key names {keys.size} frames, but {count} are stored: the scan was stopped early")
        keys, invalid = keys[:count], invalid[:count]
    if keys.size < count:
        raise ScanError(
            f"the image key of {place.label} names {keys.size} frames, but {count} are stored in {place.data}; pass "
            "dataset="
        )
    if invalid.any():
        notices.append(f"{invalid.sum()} frames are marked as invalid in the image key and were left out")
    keys[invalid] = INVALID
    return keys


def _kept(place: Place, parts: Parts) -> None:
    """What scan_nxtomo.py kept, of the frames that it wrote and of no others."""
    own = find(place.root, OWN)
    said = attribute(find(place.root.file, parts.dataset), "quantity")
    parts.quantity = next((quantity for quantity in get_args(Quantity) if quantity == said), None)
    if parts.dataset != f"{place.label.rstrip('/')}/instrument/detector/data" or not recall(own, parts):
        return
    parts.flats_placed = find(own, "flat_positions") is not None
    shifts = find(own, "shifts")
    keys = np.zeros(parts.stored.shape[0], int) if parts.keys is None else parts.keys
    projections = np.flatnonzero(keys == 0)
    if not (isinstance(shifts, h5py.Dataset) and shifts.shape == (projections.size, 2) and shifts.dtype.kind == "f"):
        return
    parts.shifts = np.zeros((keys.size, 2))
    parts.shifts[projections] = shifts[:]


def _beside(place: Place, name: str):
    stored = find(place.detector, name) if place.detector is not None else None
    if place.detector is None or not isinstance(stored, h5py.Dataset):
        return None
    return frame_or_stack(place.root.file, f"{place.detector.name}/{name}")


def _reduced_beside(path: Path, notices: list[str]) -> None:
    for what in ("flats", "darks"):
        other = path.with_name(f"{path.stem}_{what}.hdf5")
        if other.exists():
            notices.append(f"averaged {what} lie beside, in {other.name}; pass {what}='{other.name}' to use them")


def _geometry(place: Place, parts: Parts) -> None:
    notices = parts.notices
    sizes = []
    for axis in "yx":
        stored = None
        for group, name in ((place.detector, f"{axis}_pixel_size"), (place.root, f"sample/{axis}_pixel_size")):
            candidate = find(group, name) if group is not None else None
            stored = candidate if isinstance(candidate, h5py.Dataset) else stored
        if stored is not None:
            size, said = length(stored, unstated=("m", "um", "mm"))
            sizes.append(size)
            if said and said not in notices:
                notices.append(said)
    if sizes and (row := sizes[0]) and (column := sizes[-1]):
        parts.pixel_size = (row, column)
    for name in ("instrument/beam/incident_energy", "beam/incident_energy", "instrument/monochromator/energy"):
        stored = find(place.root, name)
        if isinstance(stored, h5py.Dataset) and parts.energy_kev is None:
            parts.energy_kev, said = energy_kev(stored)
            if parts.energy_kev == 1.0 and parts.pixel_size is None:
                parts.energy_kev, said = None, "the energy is exactly 1 keV, a placeholder, and is taken as unknown"
            notices += [said] if said else []
    half = find(place.detector, "half_acquisition") if place.detector is not None else None
    view = find(place.detector, "field_of_view") if place.detector is not None else None
    if (half is not None and number(half)[0]) or (view is not None and text(view).lower() == "half"):
        notices.append(
            "this is a half acquisition (360° with the axis near the detector's edge), which is not joined here: "
            "reconstruct it as it is only if the object fits into the frames"
        )
    for name in ("x_rotation_axis_pixel_position", "estimated_cor_from_motor"):
        stored = find(place.detector, name) if place.detector is not None else None
        value = number(stored)[0] if isinstance(stored, h5py.Dataset) else None
        if value is not None:
            notices.append(
                f"the file estimates the rotation axis at {value:g} pixels ({name}, which writers count from the "
                "middle or from the edge); it was not used, pass centre="
            )
            break


def _dxfile2nx(file: h5py.File, place: Place, parts: Parts) -> None:
    """nxtomomill's dxfile2nx makes angles up instead of copying them; its source tells when they differ."""
    stored = find(file, parts.dataset)
    if place.angles is None or not (isinstance(stored, h5py.Dataset) and stored.is_virtual) or parts.keys is None:
        return
    sources = {
        source.file_name for source in stored.virtual_sources() if source.dset_name.strip("/").startswith("exchange/")
    }
    if len(sources) != 1:
        return
    source = beside(parts.path, sources.pop())
    if source is None or not policy().allows(parts.path, source, parts.dataset):
        return
    try:
        with opened(source) as other:
            theta = find(other, "exchange/theta")
            original = row(theta)
    except FormatError:
        return
    values = None if parts.angles is None else parts.angles.values
    made = values[parts.keys == 0] if values is not None and values.size == parts.keys.size else None
    if original is None or made is None or original.size != made.size or np.allclose(original, made, atol=1e-3):
        return
    parts.notices.append(
        f"the angles here run from {made[0]:.6g} to {made[-1]:.6g}, but {source.name}, which this file was made "
        f"from, has {original[0]:.6g} to {original[-1]:.6g}; pass angles='{source.name}::/exchange/theta' to use "
        "those"
    )
