"""APS Data Exchange: /exchange/data, data_white, data_dark, theta. Written at APS, ALS, SLS, Sirius, SESAME and here.

The group /napari_pfitre holds what the format has no place for (see kept.py); it is read back when it is there.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames, Transposed
from .angles import Angles, angle_unit
from .extras import frame_or_stack
from .hdf5 import find
from .hints import AXES, Axes, ReadHints
from .kept import OWN, recall
from .parts import Parts
from .stacks import open_stack
from .values import attribute, energy_kev, length, number, row, text

__all__ = ["detect", "read"]

NAME = "APS Data Exchange"
_INSTRUMENT = "measurement/instrument"
_OBJECTIVE = f"{_INSTRUMENT}/detection_system/objective"
_ROTATION = "process/acquisition/rotation"


def detect(file: h5py.File) -> bool:
    data = find(file, "exchange/data")
    if isinstance(data, h5py.Dataset):
        return data.shape is not None and data.ndim >= 3
    exchange = find(file, "exchange")
    return isinstance(exchange, h5py.Group) and ("data" in exchange or "implements" in file)


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """Projections, flats, darks and angles of a Data Exchange file."""
    dataset = hints.dataset or "/exchange/data"
    exchange = find(file, "exchange")
    if isinstance(exchange, h5py.Group) and not len(exchange):
        raise FormatError(f"{path.name} is Data Exchange without images: /exchange is empty, it holds metadata only")
    stored = find(file, dataset)
    axes_text = attribute(stored, "axes") if stored is not None else ""
    if is_reconstruction(stored):
        raise FormatError(
            f"{dataset} in {path.name} is a reconstructed volume (axes {axes_text or 'z:y:x'}), not projections; "
            "open it as a volume"
        )
    angles = _angles(file, path, notices)
    n_angles = None if angles is None else angles.count
    frames, present = open_stack(file, dataset, hints, notices, n_angles=n_angles)
    parts = Parts(NAME, path, dataset, frames, _axes(axes_text), angles, present=present, notices=notices)
    parts.name = text(find(file, "measurement/sample/name")) or path.stem
    _flats(file, parts)
    _geometry(file, parts)
    if dataset == "/exchange/data":
        recall(find(file, OWN), parts)
    return parts


def is_reconstruction(dataset: h5py.Dataset | h5py.Group | None) -> bool:
    """Whether /exchange/data is what tomocupy and tomopy-cli put there after reconstructing."""
    if not isinstance(dataset, h5py.Dataset):
        return False
    axes = attribute(dataset, "axes").replace(" ", "").lower()
    return axes == "z:y:x" or attribute(dataset, "description").lower() == "recondata"


def _axes(axes: str) -> Axes | None:
    names = {"theta": "angle", "angle": "angle", "y": "row", "z": "row", "x": "column"}
    found = [names.get(part.strip().lower(), "") for part in axes.split(":")]
    if sorted(found) == sorted(AXES):
        return found[0], found[1], found[2]
    return ("angle", "row", "column") if axes.lower().startswith("theta") else None


def _angles(file: h5py.File, path: Path, notices: list[str]) -> Angles | None:
    for name, implied in (("exchange/theta", None), ("omegas", "rad")):
        theta = find(file, name)
        values = row(theta)
        if isinstance(theta, h5py.Dataset) and values is not None and values.size > 1:
            unit = angle_unit(attribute(theta, "units", "unit")) or implied
            return Angles(values, unit, f"{theta.name} in {path.name}")
    data = find(file, "exchange/data")
    start, step, planned, extent = (
        number(find(file, f"{_ROTATION}/{name}"))[0]
        for name in ("rotation_start", "rotation_step", "num_angles", "range")
    )
    count = data.shape[0] if isinstance(data, h5py.Dataset) else 0
    if planned is not None and int(planned) == count and (step or extent):
        step = step or (extent or 0.0) / (count - 1)
        start = start or 0.0
        notices.append(
            f"{path.name} has no angles; they were made from the planned rotation ({_ROTATION}: start {start:g}°, step "
            f"{step:g}°, {count} angles); pass angles= if the scan ran otherwise"
        )
        return Angles(start + step * np.arange(count), "deg", f"{_ROTATION} in {path.name}")
    if planned is not None and planned > 0:
        plan = f"{int(planned)} angles" + (f" in steps of {step:g}°" if step else "")
        notices.append(f"the scan was planned with {plan}; {count} projections are stored")
    return None


def _flats(file: h5py.File, parts: Parts) -> None:
    """Flats and darks, before and after; their positions when that is known."""
    count = parts.stored.shape[0]
    flats: list[tuple[LazyFrames, int | None]] = []
    for name, position in (("data_white_pre", 0), ("data_white", None), ("bright", None), ("data_white_post", count)):
        if (stack := _frames(file, name, parts)) is not None:
            flats.append((stack, position))
    darks = [stack for name in ("data_dark", "dark") if (stack := _frames(file, name, parts)) is not None]
    if flats:
        parts.flats = flats[0][0] if len(flats) == 1 else Joined([stack for stack, _ in flats])
        if all(position is not None for _, position in flats):
            parts.flat_positions = np.concatenate([np.full(len(stack), position) for stack, position in flats])
    elif value := _constant(file, "flat_fields/flat_field_value"):
        parts.flats = _one_value(value, parts)
        parts.notices.append(f"there are no flats, but the file states their value: {value:g} in every pixel")
    if darks:
        parts.darks = darks[0] if len(darks) == 1 else Joined(darks)
    elif parts.flats is not None and (value := _constant(file, "dark_fields/dark_field_value")):
        parts.darks = _one_value(value, parts)
        parts.notices.append(f"there are no darks, but the file states their value: {value:g} in every pixel")


def _frames(file: h5py.File, name: str, parts: Parts) -> LazyFrames | None:
    stored = find(file, f"exchange/{name}")
    if not isinstance(stored, h5py.Dataset) or stored.shape is None or stored.size == 0 or stored.ndim not in (2, 3):
        return None
    stack: LazyFrames = frame_or_stack(file, f"/exchange/{name}")
    wanted = _frame_shape(parts)
    if tuple(stack.shape[1:]) != wanted and (stack.shape[0], stack.shape[2]) == wanted:
        stack = Transposed(stack, (1, 0, 2))  # a stack of sinograms, like the projections beside it
    if "dark" not in name and len(stack) <= 2 and not np.any(stack[:]):
        parts.notices.append(f"{stored.name} holds nothing but zeros (a placeholder) and was dropped")
        return None
    return stack


def _frame_shape(parts: Parts) -> tuple[int, int]:
    axes = parts.axes
    count = None if parts.angles is None else parts.angles.count
    shape = parts.stored.shape
    if axes is None:
        axes = ("row", "angle", "column") if count == shape[1] != shape[0] else ("angle", "row", "column")
    return shape[axes.index("row")], shape[axes.index("column")]


def _constant(file: h5py.File, name: str) -> float:
    return (number(thing)[0] or 0.0) if (thing := find(file, f"process/acquisition/{name}")) is not None else 0.0


def _one_value(value: float, parts: Parts) -> np.ndarray:
    return np.full((1, *_frame_shape(parts)), value, np.float32)


class Joined(LazyFrames):
    """Stacks of equal frames, one behind the other."""

    def __init__(self, stacks: list[LazyFrames]):
        self.stacks = stacks
        self.shape = (sum(len(stack) for stack in stacks), *stacks[0].shape[1:])
        self.dtype = np.result_type(*(stack.dtype for stack in stacks))
        shapes = {tuple(stack.shape[1:]) for stack in stacks}
        if len(shapes) > 1:
            raise FormatError(
                f"the flats before and after the scan have different frames ({shapes}); pass flats= with one of them"
            )

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        parts, start = [], 0
        for stack in self.stacks:
            low, high = max(frames.start - start, 0), min(frames.stop - start, len(stack))
            if low < high or not len(self):
                parts.append(np.asarray(stack[low:high, rows, columns], dtype=self.dtype))
            start += len(stack)
        empty = (0, rows.stop - rows.start, columns.stop - columns.start)
        return np.concatenate(parts) if parts else np.empty(empty, self.dtype)


def _geometry(file: h5py.File, parts: Parts) -> None:
    said: list[str] = []
    size = None
    for name in (f"{_OBJECTIVE}/resolution", f"{_INSTRUMENT}/detector/actual_pixel_size_x"):
        if size is None and (stored := find(file, name)) is not None:
            size, sentence = length(stored, unstated=("um", "mm", "m"))
            said += [sentence] if sentence and size is None else []
    detector = next(
        (d for n in ("pixel_size_x", "pixel_size") if (d := find(file, f"{_INSTRUMENT}/detector/{n}")) is not None),
        None,
    )
    if size is None and detector is not None:
        size, sentence = length(detector, unstated=("um", "mm", "m"))
        magnification = find(file, f"{_OBJECTIVE}/magnification")
        factor = number(magnification)[0] if magnification is not None else None
        if size and factor and factor > 0:
            size /= factor
            sentence = f"the pixel size is the detector's divided by the magnification {factor:g}"
        elif size:
            sentence = sentence or f"the pixel size {size:.4g} m is the detector's; pass pixel_size= if optics magnify"
        said += [sentence] if sentence else []
    if size is not None:
        parts.pixel_size = (size, size)
    if (energy := find(file, f"{_INSTRUMENT}/monochromator/energy")) is not None:
        parts.energy_kev, sentence = energy_kev(energy)
        said += [sentence] if sentence else []
    shifts = [find(file, f"exchange/data_shift_{axis}") for axis in "yx"]
    columns = [row(stored) for stored in shifts]
    known = next((c.size for c in columns if c is not None), 0)
    if known and all(c is None or c.size == known for c in columns):
        pair = np.stack([np.zeros(known) if c is None else c for c in columns], axis=1)
        if known == parts.stored.shape[0] and np.any(pair):
            parts.shifts = pair
    parts.notices += said
