"""A scan as Data Exchange, as every APS-style tool reads it.

What the format has no place for goes to the group /napari_pfitre (see kept.py), for simulated scans with the truth
(/napari_pfitre/truth).
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ..results import Volume
from ..scans import TomoScan
from .atomic import replacing
from .kept import OWN, keep, keep_truth, not_counts

__all__ = ["told", "write"]

_BLOCK = 64_000_000
_DESCRIPTIONS = {
    "counts": "transmission",
    "transmission": "normalised transmission",
    "line integrals": "line integrals",
    "emission": "emission",
}


def write(scan: TomoScan, path: Path, truth: Volume | None = None) -> None:
    """Write block by block; what lies at `path` is replaced when all is written."""
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
        own = file.create_group(OWN)
        keep(own, scan)
        if truth is not None:
            keep_truth(own.create_group("truth"), truth)


def told(scan: TomoScan) -> str:
    """What other programs will take wrongly; empty when nothing."""
    return not_counts(scan, "Data Exchange", "'description' of /exchange/data, which few other programs read")


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
