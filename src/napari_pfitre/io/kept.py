"""What a format has no place for, in a group of our own beside the standard's fields: `keep` and `recall`.

In Data Exchange it is /napari_pfitre, in NXtomo napari_pfitre in the entry. Centre, exact pixel size and energy,
quantity and name are attributes; history, notices and metadata JSON; `flat_positions` is a dataset, as `shifts` are
in NXtomo.
"""

from __future__ import annotations

import json
from typing import get_args

import h5py
import numpy as np

from ..results import Volume
from ..scans import Quantity, Step, TomoScan
from .hdf5 import find
from .parts import Parts
from .values import attribute, attribute_value, number, row, text

__all__ = ["OWN", "keep", "keep_truth", "not_counts", "recall"]

OWN = "napari_pfitre"


def keep(group: h5py.Group, scan: TomoScan) -> None:
    """Write what the scan knows and the format around the group cannot say."""
    group.attrs["about"] = "what the format has no place for, as napari-pfitre keeps it"
    for name in ("centre", "energy_kev", "pixel_size"):
        if (value := getattr(scan, name)) is not None:
            group.attrs[name] = value  # exact: the standard's place may hold other units
    group.attrs["quantity"] = scan.quantity
    group.attrs["name"] = scan.name
    steps = [{"name": step.name, "parameters": dict(step.parameters)} for step in scan.history]
    # datasets, because an attribute holds no more than 64 kB
    group["history"] = json.dumps(steps, default=_plain)
    group["notices"] = json.dumps(list(scan.notices))
    group["metadata"] = json.dumps(dict(scan.metadata), default=_plain)
    if scan.flat_positions is not None:
        group["flat_positions"] = np.asarray(scan.flat_positions, int)


def _plain(value):
    """NumPy's numbers and arrays, and paths, as JSON values."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def keep_truth(group: h5py.Group, truth: Volume) -> None:
    """The object that a simulated scan shows."""
    group.attrs["about"] = "the object the projections were simulated from, (z, y, x); not measured"
    stored = group.create_dataset("data", truth.data.shape, np.float32, chunks=(1, *truth.data.shape[1:]))
    for at in range(truth.data.shape[0]):
        stored[at] = truth.data[at]
    stored.attrs["axes"] = "z:y:x"
    stored.attrs["units"] = truth.unit
    group.attrs["name"] = truth.name
    if truth.voxel_size is not None:
        group.attrs["voxel_size"] = truth.voxel_size


def recall(group: h5py.Group | h5py.Dataset | None, parts: Parts) -> bool:
    """Put what `keep` wrote into the parts; False when there is nothing of it."""
    if not isinstance(group, h5py.Group):
        return False
    for name in ("centre", "energy_kev"):
        if (value := number(attribute_value(group, name))[0]) is not None:
            setattr(parts, name, value)
    sizes = attribute_value(group, "pixel_size")
    if isinstance(sizes, np.ndarray) and sizes.shape == (2,) and sizes.dtype.kind == "f" and (sizes > 0).all():
        parts.pixel_size = (float(sizes[0]), float(sizes[1]))
    said = attribute(group, "quantity")
    parts.quantity = next((quantity for quantity in get_args(Quantity) if quantity == said), None)
    parts.name = attribute(group, "name") or parts.name
    positions = row(find(group, "flat_positions"))
    if positions is not None and parts.flats is not None and positions.size == len(parts.flats):
        parts.flat_positions = np.nan_to_num(positions, nan=0, posinf=0, neginf=0).astype(int)
    try:
        metadata, history, notices = (
            json.loads(text(find(group, name)) or empty)
            for name, empty in (("metadata", "{}"), ("history", "[]"), ("notices", "[]"))
        )
        parts.history = tuple(Step(str(step["name"]), dict(step["parameters"])) for step in history)
        parts.metadata = dict(metadata)
        parts.notices[:0] = [str(notice) for notice in notices]
    except (ValueError, TypeError, KeyError):
        parts.notices.append(f"what {group.name} says of the scan's history is damaged and was ignored")
    return True


def not_counts(scan: TomoScan, layout: str, where: str) -> str:
    """What other programs take wrongly in a layout for counts, where `where` says otherwise; empty when nothing."""
    if scan.quantity == "counts":
        return ""
    wrong = "their flat field" if scan.quantity == "transmission" else "their flat field and logarithm"
    return (
        f"{layout} is for counts of a detector, and these are {scan.quantity}: that stands in the attribute {where}; "
        f"leave out {wrong} there"
    )
