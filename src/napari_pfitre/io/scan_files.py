"""`write_scan`: a scan as Data Exchange, as every APS-style tool reads it.

What the format has no place for goes to the group /napari_pfitre: centre, exact pixel size, quantity, history, flat
positions, and for simulated scans the truth (/napari_pfitre/truth).
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from ..results import Volume
from ..scans import TomoScan
from .atomic import replacing, target
from .exchange import OWN

__all__ = ["write_scan"]

_BLOCK = 64_000_000


def write_scan(scan: TomoScan, path: str | Path, truth: Volume | None = None, *, overwrite: bool = False) -> Path:
    """Write a scan, block by block; what lies at `path` is replaced when all is written.

    Parameters
    ----------
    truth
        The object that a simulated scan shows; kept in a group of its own, which no reader takes for data.
    """
    source = scan.source.path if scan.source is not None else None
    path = target(path, overwrite=overwrite, sources=(source,))
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["implements"] = "exchange:measurement" if truth is None else "exchange:measurement:napari_pfitre"
        exchange = file.create_group("exchange")
        exchange["title"] = "tomography_raw_projections"
        unit = "counts" if scan.quantity in ("counts", "emission") else "1"
        _stack(exchange, "data", scan.projections, "theta:y:x", unit).attrs["description"] = _DESCRIPTIONS[
            scan.quantity
        ]
        for name, stack in (("data_white", scan.flats), ("data_dark", scan.darks)):
            if stack is not None:
                _stack(exchange, name, stack, f"theta{name.removeprefix('data')}:y:x", "counts")
        theta = exchange.create_dataset("theta", data=np.rad2deg(scan.angles))
        theta.attrs["units"] = "degrees"
        if scan.shifts is not None:
            for column, axis in enumerate("yx"):
                exchange.create_dataset(f"data_shift_{axis}", data=scan.shifts[:, column]).attrs["units"] = "pixels"
        _measurement(file, scan)
        _own(file.create_group(OWN), scan)
        if truth is not None:
            _truth(file[OWN].create_group("truth"), truth)
    return path


_DESCRIPTIONS = {
    "counts": "transmission",
    "transmission": "normalised transmission",
    "line integrals": "line integrals",
    "emission": "emission",
}


def _stack(group: h5py.Group, name: str, stack, axes: str, unit: str) -> h5py.Dataset:
    stored = group.create_dataset(
        name, tuple(stack.shape), np.dtype(stack.dtype).newbyteorder("="), chunks=(1, *stack.shape[1:])
    )
    frame = int(np.prod(stack.shape[1:])) * stored.dtype.itemsize
    step = max(1, _BLOCK // max(1, frame))
    for start in range(0, len(stack), step):
        stored[start : start + step] = np.asarray(stack[start : start + step])
    stored.attrs["axes"] = axes
    stored.attrs["units"] = unit
    return stored


def _measurement(file: h5py.File, scan: TomoScan) -> None:
    file["measurement/sample/name"] = scan.name
    instrument = file.create_group("measurement/instrument")
    if scan.pixel_size is not None:
        size = instrument.create_dataset("detection_system/objective/resolution", data=[scan.pixel_size[1] * 1e6])
        size.attrs["units"] = "microns"
    if scan.energy_kev is not None:
        instrument.create_dataset("monochromator/energy", data=[scan.energy_kev]).attrs["units"] = "keV"


def _own(group: h5py.Group, scan: TomoScan) -> None:
    group.attrs["about"] = "what Data Exchange has no place for, as napari-pfitre keeps it"
    for name in ("centre", "energy_kev", "pixel_size"):
        if (value := getattr(scan, name)) is not None:
            group.attrs[name] = value  # exact: the standard's place holds µm
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


def _truth(group: h5py.Group, truth: Volume) -> None:
    group.attrs["about"] = "the object the projections were simulated from, (z, y, x); not measured"
    stored = group.create_dataset("data", truth.data.shape, np.float32, chunks=(1, *truth.data.shape[1:]))
    for at in range(truth.data.shape[0]):
        stored[at] = truth.data[at]
    stored.attrs["axes"] = "z:y:x"
    stored.attrs["units"] = truth.unit
    group.attrs["name"] = truth.name
    if truth.voxel_size is not None:
        group.attrs["voxel_size"] = truth.voxel_size
