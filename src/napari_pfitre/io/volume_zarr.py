"""Volumes as OME-Zarr 0.4: blocks in a folder, at several resolutions, with voxel sizes; napari, Fiji, neuroglancer.

https://ngff.openmicroscopy.org/0.4: /0 is the volume, /1 its means over 2 × 2 × 2 voxels, and so on.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, first_line
from ..frames import LazyFrames
from ..results import Provenance, Volume
from .atomic import replacing_folder
from .values import METRES
from .volume_hdf5 import Facts

__all__ = ["facts", "is_volume", "lazy", "write"]

_KEY = "napari_pfitre"
_BLOCK = 64
_MOST_KEPT = 1_000_000_000  #: bytes of one layer of blocks
_SMALLEST = 64  #: no level has its longest side below


def write(volume: Volume, path: Path) -> None:
    """Block by block, one layer of blocks in memory; what lies at `path` is replaced when all is written."""
    import zarr

    about = {
        "name": volume.name,
        "unit": volume.unit,
        "voxel_size": volume.voxel_size,
        "provenance": None if volume.provenance is None else json.loads(volume.provenance.to_json()),
    }
    with replacing_folder(path) as temporary:
        root = zarr.create_group(str(temporary), zarr_format=2)
        shape = tuple(int(n) for n in volume.data.shape)
        level = _array(root, "0", shape)
        for start in range(0, shape[0], _BLOCK):
            stop = min(start + _BLOCK, shape[0])
            slab = np.empty((stop - start, *shape[1:]), np.float32)
            for at in range(start, stop):
                slab[at - start] = volume.data[at]
            level[start:stop] = slab
            del slab  # before the next one is made
        scales: list[tuple[float, ...]] = [(1.0, 1.0, 1.0)]
        while max(level.shape) > _SMALLEST and len(scales) < 12:
            step = tuple(2 if n > 1 else 1 for n in level.shape)
            level = _halved(root, str(len(scales)), level, step)
            scales.append(tuple(scale * by for scale, by in zip(scales[-1], step, strict=True)))
        root.attrs["multiscales"] = [_multiscales(volume, scales)]
        root.attrs[_KEY] = about


def _array(root: Any, name: str, shape: tuple[int, ...]) -> Any:
    chunks = tuple(min(n, _BLOCK) for n in shape)
    keys: Any = {"name": "v2", "separator": "/"}
    return root.create_array(name, shape=shape, chunks=chunks, dtype="float32", chunk_key_encoding=keys, fill_value=0.0)


def _halved(root: Any, name: str, level: Any, step: tuple[int, ...]) -> Any:
    shape = tuple(-(-n // by) for n, by in zip(level.shape, step, strict=True))
    out = _array(root, name, shape)
    starts = [range(0, n, _BLOCK) for n in shape[:2]]
    for corner in itertools.product(*starts):  # rows of blocks along x
        goal = tuple(slice(at, min(at + _BLOCK, n)) for at, n in zip(corner, shape, strict=False))
        source = tuple(slice(span.start * by, span.stop * by) for span, by in zip(goal, step, strict=False))
        block = np.asarray(level[source])
        for axis, by in enumerate(step):
            if by > 1:
                # an odd end is a mean of what is there
                edges = np.arange(0, block.shape[axis], by)
                counts = np.minimum(by, block.shape[axis] - edges).reshape([-1 if a == axis else 1 for a in range(3)])
                block = np.add.reduceat(block, edges, axis=axis) / counts.astype(np.float32)
        out[goal] = block.astype(np.float32)
    return out


def _multiscales(volume: Volume, scales: list[tuple[float, ...]]) -> dict[str, Any]:
    size = (1.0, 1.0, 1.0) if volume.voxel_size is None else tuple(metres * 1e6 for metres in volume.voxel_size)
    unit = {} if volume.voxel_size is None else {"unit": "micrometer"}
    return {
        "version": "0.4",
        "name": volume.name,
        "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"],
        "datasets": [
            {
                "path": str(at),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [s * by for s, by in zip(size, scale, strict=True)]},
                    {
                        "type": "translation",  # the middle of the first voxel, which is that of several finer ones
                        "translation": [s * (by - 1) / 2 for s, by in zip(size, scale, strict=True)],
                    },
                ],
            }
            for at, scale in enumerate(scales)
        ],
        "type": "mean",
    }


def is_volume(path: Path) -> bool:
    """Whether a folder is a Zarr group with multiscales, of version 0.4 or later."""
    return path.is_dir() and _attributes(path) is not None


def _attributes(path: Path) -> dict | None:
    for name in (".zattrs", "zarr.json"):
        try:
            said = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        said = said.get("attributes", said) if isinstance(said, dict) and name == "zarr.json" else said
        said = said.get("ome", said) if isinstance(said, dict) else said
        if isinstance(said, dict) and isinstance(said.get("multiscales"), list) and said["multiscales"]:
            return said
    return None


def facts(path: Path) -> Facts:
    """What the folder says of its volume."""
    said = _attributes(path)
    if said is None:
        raise FormatError(f"{path.name} is no OME-Zarr folder (its .zattrs names no multiscales); name another")
    own = said.get(_KEY)
    if isinstance(own, dict):
        try:
            made = None if own["provenance"] is None else Provenance.from_json(json.dumps(own["provenance"]))
            voxel = None if own["voxel_size"] is None else tuple(float(size) for size in own["voxel_size"])
            return Facts(str(own["name"]), voxel, str(own["unit"]), made)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):  # another version's, or damaged: the standard's fields remain
            pass
    first = said["multiscales"][0]
    try:
        axes = [axis for axis in first["axes"] if axis.get("type") == "space"]
        scale = next(t["scale"] for t in first["datasets"][0]["coordinateTransformations"] if t["type"] == "scale")[-3:]
        factors = [METRES[str(axis["unit"]).lower()] for axis in axes]
        z, y, x = (float(s) * factor for s, factor in zip(scale, factors, strict=True))
        return Facts(str(first.get("name") or path.stem), (z, y, x), "", None)
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError):
        return Facts(path.stem, None, "", None)


def array(path: Path) -> Any:
    """The volume at full resolution, not read yet.

    Raises
    ------
    FormatError
        When it is not there or has more than three axes of length above one.
    """
    import zarr

    said = _attributes(path)
    try:
        stored = zarr.open_group(str(path), mode="r")[said["multiscales"][0]["datasets"][0]["path"]]  # type: ignore[index]
        shape = tuple(stored.shape)  # type: ignore[union-attr]
    except Exception as error:  # zarr, its stores and codecs: each complains in its own way
        raise FormatError(f"{path.name} is a damaged OME-Zarr folder ({first_line(error)}); copy it again") from None
    if len([n for n in shape if n > 1]) > 3 or len(shape) < 2:
        raise FormatError(f"{path.name} has shape {shape}; a volume has three axes, save one channel and one time")
    return stored


class _Blocks(LazyFrames):
    """The last three axes of an array, read region by region."""

    def __init__(self, path: Path):
        self.path, self.stored = path, array(path)
        self.shape = ((1,) * 3 + tuple(self.stored.shape))[-3:]
        self.dtype = np.dtype(np.float32)

        self._layer: tuple[int, np.ndarray] | None = None  # blocks are unpacked whole, and read slice after slice

    @property
    def chunks(self) -> tuple[int, int, int]:
        z, y, x = ((1,) * 3 + tuple(self.stored.chunks))[-3:]
        return int(z), int(y), int(x)

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        deep = self.chunks[0]
        first = frames.start // deep * deep
        last = min(first + deep, self.shape[0])
        whole = (rows, columns) == (slice(0, self.shape[1]), slice(0, self.shape[2]))
        if not whole or frames.stop > last or 4 * deep * self.shape[1] * self.shape[2] > _MOST_KEPT:
            return self._values(frames, rows, columns)
        kept = self._layer
        if kept is None or kept[0] != first:
            self._layer = kept = None  # before the next one is read
            kept = self._layer = (first, self._values(slice(first, last), rows, columns))
        return kept[1][frames.start - first : frames.stop - first].copy()

    def _values(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        key = ((0,) * self.stored.ndim + (frames, rows, columns))[-self.stored.ndim :]
        try:
            out = np.asarray(self.stored[key], dtype=np.float32)
        except Exception as error:  # as above
            raise FormatError(
                f"a block of {self.path.name} cannot be read ({first_line(error)}); copy it again"
            ) from None
        return out.reshape(tuple(span.stop - span.start for span in (frames, rows, columns)))


def lazy(path: Path) -> Volume:
    """The volume at full resolution; blocks are read when they are asked for."""
    name, voxel, unit, provenance = facts(path)
    data: Any = _Blocks(path)
    return Volume(data, voxel, provenance, name, unit)
