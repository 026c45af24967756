"""Volumes as ImageJ's TIFF: slices with their voxel size in µm.

The exact voxel size, name, unit and history travel as JSON in ImageJ's own property "Info": Fiji shows it under
Image > Show Info.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ..errors import FormatError
from ..frames import Mapped
from ..results import Provenance, Volume
from .atomic import replacing
from .tiff_frames import TiffFrames, opened_tiff
from .volume_hdf5 import Facts

__all__ = ["facts", "is_volume", "lazy", "write"]

_KEY = "napari_pfitre"
_IMAGEJ_LIMIT = 4_000_000_000


def write(volume: Volume, path: Path) -> None:
    """One file of float32 slices; over 4 GB BigTIFF without ImageJ's description (Fiji: through Bio-Formats)."""
    data = volume.data
    shape = tuple(int(n) for n in data.shape)
    n_bytes = 4 * math.prod(shape)
    about = {
        _KEY: 1,
        "name": volume.name,
        "unit": volume.unit,
        "shape": shape,  # TIFF readers drop axes of length 1
        "voxel_size": volume.voxel_size,
        "provenance": None if volume.provenance is None else volume.provenance.to_json(),
    }
    options: dict = {"photometric": "minisblack", "contiguous": True}
    big = n_bytes > _IMAGEJ_LIMIT
    metadata: dict = {"axes": "ZYX", "Info": json.dumps(about)}
    if volume.voxel_size is not None:
        z, y, x = (size * 1e6 for size in volume.voxel_size)
        metadata |= {"spacing": z, "unit": "um"}
        options["resolution"] = (1 / x, 1 / y)
    slices = (np.asarray(data[at], dtype=np.float32) for at in range(shape[0]))  # never all of them in memory
    with replacing(path) as temporary:
        if big:
            tifffile.imwrite(
                temporary,
                slices,
                shape=shape,
                dtype=np.float32,
                bigtiff=True,
                description=json.dumps(about),
                metadata=None,
            )
        else:
            tifffile.imwrite(
                temporary, slices, shape=shape, dtype=np.float32, imagej=True, metadata=metadata, **options
            )


def _about(path: Path) -> dict | None:
    with opened_tiff(path) as tif:
        said = (tif.imagej_metadata or {}).get("Info", "") if tif.is_imagej else tif.pages.first.description
    try:
        about = json.loads(said)
    except (TypeError, ValueError):
        return None
    whole = {_KEY, "name", "unit", "shape", "voxel_size", "provenance"}
    return about if isinstance(about, dict) and whole <= set(about) else None


def is_volume(path: Path) -> bool:
    """Whether `write` made this file."""
    try:
        return _about(path) is not None
    except FormatError:
        return False


def facts(path: Path) -> Facts:
    """What a TIFF stack says about itself: all of it when `write` made it, the voxel size when ImageJ did."""
    about = _about(path)
    if about is not None:
        provenance = None if about["provenance"] is None else Provenance.from_json(about["provenance"])
        voxel = None if about["voxel_size"] is None else tuple(about["voxel_size"])
        return Facts(about["name"], voxel, about["unit"], provenance)
    size = TiffFrames(path).resolution
    with opened_tiff(path) as tif:
        spacing = (tif.imagej_metadata or {}).get("spacing") if tif.is_imagej else None
    voxel = None if size is None else ((spacing * 1e-6 if spacing else size), size, size)
    return Facts(path.stem, voxel, "1/pixel", None)


def lazy(path: Path) -> Volume:
    """A volume from any TIFF stack; values are read when they are asked for."""
    data: Any = Mapped(np.float32, TiffFrames(path))
    about = _about(path)
    if about is not None and tuple(about["shape"]) != data.shape:  # an axis of length 1 that TIFF readers dropped
        data = data[:].reshape(about["shape"])
    name, voxel, unit, provenance = facts(path)
    return Volume(data, voxel, provenance, name, unit)
