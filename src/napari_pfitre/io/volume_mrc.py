"""Volumes as MRC of mode 2 (float32), as IMOD, ChimeraX and Dynamo open them; the history is in the extended header."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError
from ..frames import Mapped
from ..results import Provenance, Volume
from .atomic import replacing
from .mrc import MrcFrames, header
from .volume_hdf5 import Facts

__all__ = ["facts", "lazy", "write"]

_TYPE = b"PFIT"  #: of the extended header: JSON in UTF-8


def write(volume: Volume, path: Path) -> None:
    """Slice by slice; what lies at `path` is replaced when all is written."""
    import mrcfile

    shape = tuple(int(n) for n in volume.data.shape)
    about = {
        "name": volume.name,
        "unit": volume.unit,
        "voxel_size": volume.voxel_size,
        "provenance": None if volume.provenance is None else json.loads(volume.provenance.to_json()),
    }
    said = json.dumps(about).encode("utf-8")
    said += b" " * (-len(said) % 16)
    with replacing(path) as temporary:
        extended = np.frombuffer(said, "V1")
        with mrcfile.new_mmap(
            temporary, shape, mrc_mode=2, overwrite=True, extended_header=extended, exttyp=_TYPE.decode()
        ) as mrc:
            mrc.header.ispg = 1
            mrc.header.mz = shape[0]
            if volume.voxel_size is not None:
                z, y, x = (size * 1e10 for size in volume.voxel_size)
                mrc.voxel_size = (x, y, z)
            mrc.add_label(f"napari-pfitre: {volume.name}"[:80].encode("ascii", "replace").decode())
        low, high, total, squares = math.inf, -math.inf, 0.0, 0.0
        with open(temporary, "r+b") as file:  # what is written through a map stays in memory
            file.seek(-4 * math.prod(shape), os.SEEK_END)
            for at in range(shape[0]):
                values = np.asarray(volume.data[at], dtype="<f4")
                file.write(values.tobytes())
                low, high = min(low, float(values.min())), max(high, float(values.max()))
                total += float(values.sum(dtype=np.float64))
                squares += float(np.square(values, dtype=np.float64).sum())
        count = math.prod(shape)
        with mrcfile.mmap(temporary, "r+") as mrc:
            mrc.header.dmin, mrc.header.dmax, mrc.header.dmean = low, high, total / count
            mrc.header.rms = math.sqrt(max(0.0, squares / count - (total / count) ** 2))


def _about(path: Path) -> dict | None:
    with open(path, "rb") as file:
        head = file.read(1024)
        size = int.from_bytes(head[92:96], "little")
        if head[104:108] != _TYPE or not 0 < size < 1 << 30:
            return None
        said = file.read(size)
    try:
        about = json.loads(said.decode("utf-8"))
    except ValueError:
        return None
    return about if isinstance(about, dict) and {"name", "unit", "voxel_size", "provenance"} <= set(about) else None


def facts(path: Path) -> Facts:
    """What the file says of itself: all of it when `write` made it, the voxel size otherwise."""
    about = _about(path)
    if about is None:
        return Facts(path.stem, header(path).voxel_size, "", None)
    try:
        made = None if about["provenance"] is None else Provenance.from_json(json.dumps(about["provenance"]))
        voxel = None if about["voxel_size"] is None else tuple(float(size) for size in about["voxel_size"])
    except (TypeError, ValueError):
        raise FormatError(f"the history in {path.name} is damaged; copy it again") from None
    return Facts(str(about["name"]), voxel, str(about["unit"]), made)  # type: ignore[arg-type]


def lazy(path: Path) -> Volume:
    """The sections as a volume; values are read when they are asked for."""
    name, voxel, unit, provenance = facts(path)
    data: Any = Mapped(np.float32, MrcFrames(path))
    return Volume(data, voxel, provenance, name, unit)
