"""What a run remembers, so that its volume can be made again."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import device_name
from ..options import as_dict
from ..results import Provenance, Volume
from ..scans import CdiScan, Step, TomoScan

if TYPE_CHECKING:
    import torch

__all__ = ["Journal"]

_PACKAGES = ("napari-pfitre", "numpy", "torch", "finufft", "numba", "algotom", "tomopy", "h5py")


class Journal:
    """Opened when a run starts; makes the volume, with its history, when it ends."""

    def __init__(self, recipe: str, scan: TomoScan, options: Any, device: torch.device):
        self.recipe, self.scan, self.options, self.device = recipe, scan, options, device
        self.started = datetime.datetime.now().astimezone()
        self._clock = time.perf_counter()

    def note(self, step: Step) -> None:
        """Something that was done to the data within the run."""
        self.scan = self.scan.replace(step)

    def volume(self, data: np.ndarray, *, partial: bool, figures: Mapping[str, float], notices: tuple[str, ...] = ()):
        """The finished, or stopped, volume."""
        scan = self.scan
        size = scan.pixel_size
        provenance = Provenance(
            recipe=self.recipe,
            options=as_dict(self.options),
            source=source_of(scan),
            shape=scan.shape,
            angles_deg=tuple(np.rad2deg(scan.angles).tolist()),
            centre=scan.centre,
            pixel_size=size,
            energy_kev=scan.energy_kev,
            history=tuple({"name": step.name, "parameters": dict(step.parameters)} for step in scan.history),
            notices=(*scan.notices, *notices),
            versions=versions_used(),
            device=device_name(self.device),
            started=self.started.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self._clock, 3),
            partial=partial,
            figures={name: float(value) for name, value in figures.items()},
        )
        voxel = None if size is None else (size[0], size[1], size[1])
        return Volume(data, voxel, provenance, name=f"{scan.name} · {self.recipe}")


def source_of(scan: TomoScan | CdiScan) -> dict[str, Any]:
    """The file a scan came from, and by what it is known again."""
    if scan.source is None:
        return {"name": scan.name}
    facts: dict[str, Any] = {
        "path": str(scan.source.path),
        "dataset": scan.source.dataset,
        "format": scan.source.format,
    }
    try:
        status = scan.source.path.stat()
    except OSError:  # moved away since it was read; the path is still worth keeping
        return facts
    modified = datetime.datetime.fromtimestamp(status.st_mtime).astimezone()
    return {**facts, "bytes": status.st_size, "modified": modified.isoformat(timespec="seconds")}


def versions_used() -> dict[str, str]:
    """Of the packages that have a part in the result."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
