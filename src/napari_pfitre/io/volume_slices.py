"""Volumes as a folder of TIFF images, one a slice (recon_00000.tiff, …), as tomopy and tomocupy write them; with the
history in volume.json beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ..errors import FormatError
from ..frames import LazyFrames
from ..results import Provenance, Volume
from .atomic import replacing_folder
from .gathered import in_natural_order
from .tiff_frames import TiffFrames
from .volume_hdf5 import Facts

__all__ = ["facts", "is_volume", "lazy", "slices", "write"]

_ABOUT = "volume.json"


def write(volume: Volume, path: Path) -> None:
    """One float32 image a slice; the folder appears when all is written."""
    with replacing_folder(path) as temporary:
        options: dict = {}
        if volume.voxel_size is not None:
            _, y, x = volume.voxel_size
            options = {"resolution": (1e-2 / x, 1e-2 / y), "resolutionunit": "CENTIMETER"}
        for at in range(volume.data.shape[0]):
            image = np.asarray(volume.data[at], dtype=np.float32)
            tifffile.imwrite(temporary / f"recon_{at:05d}.tiff", image, metadata=None, **options)
        about = {
            "name": volume.name,
            "unit": volume.unit,
            "voxel_size": volume.voxel_size,
            "provenance": None if volume.provenance is None else json.loads(volume.provenance.to_json()),
        }
        (temporary / _ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def is_volume(path: Path) -> bool:
    """Whether `write` made this folder, or one that names its slices alike."""
    return (path.is_dir() and (path / _ABOUT).is_file()) or bool(slices(path))


def slices(path: Path) -> list[Path]:
    """Its images in the order of their numbers."""
    if not path.is_dir():
        return []
    found = [file for file in path.iterdir() if file.suffix in (".tif", ".tiff") and file.stem.startswith("recon")]
    return in_natural_order(found)


def facts(path: Path) -> Facts:
    """What volume.json says; the name of the folder otherwise."""
    try:
        about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
        made = None if about["provenance"] is None else Provenance.from_json(json.dumps(about["provenance"]))
        voxel = None if about["voxel_size"] is None else tuple(float(size) for size in about["voxel_size"])
        return Facts(about["name"], voxel, about["unit"], made)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError):
        return Facts(path.name, None, "", None)


class _Slices(LazyFrames):
    """One image a slice."""

    def __init__(self, files: list[Path]):
        self.files = files
        self.shape, self.dtype = (len(files), *TiffFrames(files[0]).shape[1:]), np.dtype(np.float32)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        out = np.empty((frames.stop - frames.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for at, file in enumerate(self.files[frames]):
            image = TiffFrames(file)
            if image.shape[1:] != self.shape[1:]:
                raise FormatError(f"{file.name} is {image.shape[1:]} where {self.files[0].name} is {self.shape[1:]}")
            out[at] = image[0, rows, columns]
        return out


def lazy(path: Path) -> Volume:
    """The slices in the order of their numbers, read when they are asked for."""
    files = slices(path)
    if not files:
        raise FormatError(f"{path.name} holds no slices (recon_00000.tiff, …); name the folder that does")
    data: Any = _Slices(files)
    name, voxel, unit, provenance = facts(path)
    return Volume(data, voxel, provenance, name, unit)
