"""Volumes as MRC of mode 2 (float32), as IMOD, ChimeraX and Dynamo open them; the history is in the extended header."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..results import Provenance, Volume
from .atomic import replacing
from .mrc import MrcFrames, header
from .volume_hdf5 import Facts

__all__ = ["facts", "read", "write"]

_TYPE = b"PFIT"  #: of the extended header: JSON in UTF-8


def write(volume: Volume, path: Path) -> None:
    """Slice by slice, through a memory map; what lies at `path` is replaced when all is written."""
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
            low, high, total, squares = math.inf, -math.inf, 0.0, 0.0
            for at in range(shape[0]):
                values = np.asarray(volume.data[at], dtype=np.float32)
                mrc.data[at] = values
                low, high = min(low, float(values.min())), max(high, float(values.max()))
                total += float(values.sum(dtype=np.float64))
                squares += float(np.square(values, dtype=np.float64).sum())
            count = math.prod(shape)
            mean = total / count
            mrc.header.dmin, mrc.header.dmax, mrc.header.dmean = low, high, mean
            mrc.header.rms = math.sqrt(max(0.0, squares / count - mean**2))
            mrc.header.ispg = 1
            mrc.header.mz = shape[0]
            if volume.voxel_size is not None:
                z, y, x = (size * 1e10 for size in volume.voxel_size)
                mrc.voxel_size = (x, y, z)
            mrc.add_label(f"napari-pfitre: {volume.name}"[:80].encode("ascii", "replace").decode())


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


def read(path: Path) -> Volume:
    """The sections as a volume."""
    name, voxel, unit, provenance = facts(path)
    return Volume(np.ascontiguousarray(MrcFrames(path)[:], np.float32), voxel, provenance, name, unit)
