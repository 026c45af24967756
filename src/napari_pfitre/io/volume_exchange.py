"""Volumes as Data Exchange has them after reconstructing: /exchange/data with axes z:y:x, as tomopy-cli."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np

from ..results import Volume
from .atomic import replacing, tree
from .kept import OWN

__all__ = ["write"]


def write(volume: Volume, path: Path) -> None:
    """Write slice by slice; what lies at `path` is replaced when all is written."""
    about = volume.provenance
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["implements"] = "exchange:process"
        exchange = file.create_group("exchange")
        exchange["title"] = "tomography_reconstruction"
        exchange.attrs["name"] = volume.name
        shape = tuple(volume.data.shape)
        stored = exchange.create_dataset("data", shape, np.float32, chunks=(1, *shape[1:]))
        for at in range(shape[0]):
            stored[at] = np.asarray(volume.data[at])
        stored.attrs.update({"axes": "z:y:x", "units": volume.unit, "description": "ReconData"})
        stored.attrs["command"] = f"napari-pfitre {version('napari-pfitre')} {about.recipe if about else ''}".strip()
        if volume.voxel_size is not None:
            exchange.attrs["voxel_size"] = volume.voxel_size
            size = file.create_dataset(
                "measurement/instrument/detection_system/objective/resolution", data=[volume.voxel_size[2] * 1e6]
            )
            size.attrs["units"] = "microns"
        if about is not None:
            file[f"{OWN}/provenance"] = about.to_json()
            tree(file.create_group("process/napari_pfitre"), dataclasses.asdict(about))
