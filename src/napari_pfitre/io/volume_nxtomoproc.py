"""Volumes as NeXus NXtomoproc, the definition for reconstructions: Mantid Imaging and NeXus tools open it.

/entry          NXentry: title, definition = NXtomoproc; default = data
  instrument/source   NXsource
  sample/name
  reconstruction      NXprocess: program, version, date, parameters/{raw_file, provenance (JSON), tree}
  data                NXdata: data (z, y, x), z, y, x in metres
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np

from ..results import Volume
from .atomic import replacing, tree

__all__ = ["write"]


def write(volume: Volume, path: Path) -> None:
    """Write slice by slice; what lies at `path` is replaced when all is written."""
    about = volume.provenance
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "napari-pfitre"})
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["title"] = volume.name
        entry["definition"] = "NXtomoproc"
        source = _group(_group(entry, "instrument", "NXinstrument"), "source", "NXsource")
        source["type"], source["name"], source["probe"] = "Synchrotron X-ray Source", "unknown", "x-ray"
        _group(entry, "sample", "NXsample")["name"] = volume.name
        process = _group(entry, "reconstruction", "NXprocess")
        process["program"], process["version"] = "napari-pfitre", version("napari-pfitre")
        process["date"] = (about.started if about else "") or datetime.now(UTC).isoformat(timespec="seconds")
        parameters = _group(process, "parameters", "NXparameters")
        parameters["raw_file"] = str(about.source.get("path", "")) if about else ""
        if about is not None:
            parameters["provenance"] = about.to_json()
            tree(_group(parameters, "tree", "NXcollection"), dataclasses.asdict(about))
        data = _group(entry, "data", "NXdata")
        data.attrs.update({"signal": "data", "axes": ["z", "y", "x"]})
        shape = tuple(volume.data.shape)
        stored = data.create_dataset("data", shape, np.float32, chunks=(1, *shape[1:]))
        for at in range(shape[0]):
            stored[at] = np.asarray(volume.data[at])
        stored.attrs.update({"interpretation": "image", "units": volume.unit})
        sizes = volume.voxel_size or (1.0, 1.0, 1.0)
        for axis, count, size in zip("zyx", shape, sizes, strict=True):
            positions = data.create_dataset(axis, data=np.arange(count) * size)
            if volume.voxel_size is not None:
                positions.attrs.update({"units": "m", "voxel_size": size})


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group
