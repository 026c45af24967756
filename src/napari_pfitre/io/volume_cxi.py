"""Results of coherent imaging as CXI 1.6, laid out as PyNX and cdiutils have them, so that these and bcdi open them.

/cxi_version                      160
/entry_1                          program_name, title, data_1/data → image_1/data
  image_1                         data_space = real, data_type = electron density, is_fft_shifted = 0
    data (z, y, x)                complex64, stored as compound (r, i); float32 for a volume without a phase
    support, mask                 0 / 1; bit 0x10000 of the mask is "inside support"
    image_size, image_center      (x, y, z): metres, voxels
    process_1                     command, configuration/provenance (JSON), configuration/tree, results/<figure>
  result_N                        data, title, units: displacement, strain and further companions
  source_1/energy                 joules

Lengths are metres; `image_size` is that of the whole box.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError
from ..frames import LazyFrames, Mapped
from ..results import Provenance, Volume
from . import cxi
from .atomic import replacing, tree
from .hdf5 import children, find, opened
from .presence import present
from .values import row, text
from .volume_hdf5 import Facts, frames_of

__all__ = ["facts", "is_volume", "lazy", "shape", "write"]

_INSIDE = 0x10000
_JOULES_PER_KEV = 1.602176634e-16
_UNITS = {"displacement": "m", "strain": "1", "spread of phase": "rad", "spread of amplitude": "1"}


def write(volume: Volume, path: Path) -> None:
    """Slice by slice; what lies at `path` is replaced when all is written."""
    made = volume.provenance
    phase, support = volume.layers.get("phase"), volume.layers.get("support")
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["cxi_version"] = 160
        file["number_of_entries"] = 1
        entry = file.create_group("entry_1")
        entry["program_name"] = f"napari-pfitre {version('napari-pfitre')}"
        entry["title"] = volume.name
        if made is not None and made.started:
            entry["start_time"] = made.started
        image = entry.create_group("image_1")
        image["data_space"], image["data_type"], image["is_fft_shifted"] = "real", "electron density", 0
        image["unit"] = volume.unit
        n_z, n_y, n_x = volume.data.shape
        image["image_center"] = [n_x // 2, n_y // 2, n_z // 2]
        if volume.voxel_size is not None:
            z, y, x = volume.voxel_size
            image["image_size"] = [n_x * x, n_y * y, n_z * z]
            image["voxel_size"] = [z, y, x]  # not of CXI: the very numbers, for reading back
        dtype = np.float32 if phase is None else np.complex64
        data = image.create_dataset("data", volume.data.shape, dtype, chunks=(1, n_y, n_x))
        for at in range(n_z):
            values = np.asarray(volume.data[at], np.float32)
            data[at] = values if phase is None else values * np.exp(1j * np.asarray(phase[at], np.float64))
        packed: dict[str, Any] = {"shape": volume.data.shape, "chunks": (1, n_y, n_x), "compression": "gzip"}
        if support is not None:
            inside = image.create_dataset("support", dtype=np.uint8, **packed)
            bits = image.create_dataset("mask", dtype=np.uint32, **packed)
            for at in range(n_z):
                inside[at] = np.asarray(support[at]) > 0.5
                bits[at] = inside[at].astype(np.uint32) * _INSIDE
        if made is not None:
            _history(image, made)
            if made.energy_kev is not None:
                entry.create_group("source_1")["energy"] = made.energy_kev * _JOULES_PER_KEV
        others = [name for name in volume.layers if name not in ("phase", "support")]
        for number, name in enumerate(others, 1):
            result = entry.create_group(f"result_{number}")
            values = volume.layers[name]
            stored = result.create_dataset("data", dtype=np.dtype(values.dtype).newbyteorder("="), **packed)
            for at in range(n_z):
                stored[at] = np.asarray(values[at])
            result["title"] = name
            if unit := _UNITS.get(name):
                stored.attrs["units"] = result["units"] = unit
        entry.create_group("data_1")["data"] = h5py.SoftLink("/entry_1/image_1/data")


def _history(image: h5py.Group, made: Provenance) -> None:
    process = image.create_group("process_1")
    process["command"] = made.recipe
    configuration = process.create_group("configuration")
    configuration["provenance"] = made.to_json()
    tree(configuration.create_group("tree"), dataclasses.asdict(made))
    results = process.create_group("results")
    for group, figures in ({"": made.figures} | dict(made.compared)).items():
        for name, value in figures.items():
            results[f"{group}/{name.replace('/', '_')}".lstrip("/")] = value


def is_volume(path: Path) -> bool:
    """Whether a file called .cxi holds a result."""
    if path.suffix.lower() != ".cxi" or not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with opened(path) as file:
            return cxi.is_result(file)
    except FormatError:
        return False


def _image(file: h5py.File, path: Path) -> h5py.Group:
    image = cxi.result_group(file)
    if image is None:
        raise FormatError(f"{path.name} holds a pattern and no result; open it as a scan (read_scan)")
    return image


def shape(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Of the result, and its type."""
    with opened(path) as file:
        data = _image(file, path)["data"]
        return tuple(data.shape), data.dtype


def facts(path: Path) -> Facts:
    """What the file says of its result."""
    with opened(path) as file:
        return _facts(_image(file, path), path)


def _facts(image: h5py.Group, path: Path) -> Facts:
    provenance = None
    stored = find(image, "process_1/configuration/provenance")
    if isinstance(stored, h5py.Dataset):
        try:
            provenance = Provenance.from_json(text(stored))
        except (ValueError, TypeError, AttributeError):  # of another program, or damaged
            provenance = None
    title = text(find(image.parent, "title")) if provenance is not None else ""
    return Facts(title or path.stem, _voxel(image), text(find(image, "unit")) or "amplitude", provenance)


def _voxel(image: h5py.Group) -> tuple[float, float, float] | None:
    own, size = find(image, "voxel_size"), find(image, "image_size")
    if isinstance(own, h5py.Dataset) and own.shape == (3,):
        z, y, x = (float(v) for v in own[()])
        return z, y, x
    values = row(size) if isinstance(size, h5py.Dataset) else None
    if values is None or len(values) != 3 or not all(0 < v < 1e-2 for v in values):
        return None
    n_z, n_y, n_x = image["data"].shape[-3:]
    return float(values[2]) / n_z, float(values[1]) / n_y, float(values[0]) / n_x


def lazy(path: Path) -> Volume:
    """The newest result in a file: of modes the first; phase and support as layers. Values are read when asked for.

    Raises
    ------
    FormatError
        When there is none, or it has no three axes.
    """
    with opened(path) as file:
        image = _image(file, path)
        stored = image["data"]
        _, trouble = present(stored, 0)
        if trouble:
            raise FormatError(trouble)
        if stored.ndim not in (3, 4):
            raise FormatError(f"the result in {path.name} has shape {stored.shape}; one of three axes can be shown")
        data = frames_of(stored, {0: 0} if stored.ndim == 4 else None)
        name, voxel, unit, provenance = _facts(image, path)
        layers: dict[str, Any] = {}
        if data.dtype.kind == "c" or data.dtype.names:
            layers["phase"] = Mapped(np.float32, data, function=lambda values: np.angle(_complex(values)))
        if (support := _support(image, data.shape)) is not None:
            layers["support"] = support
        for child, group in children(image.parent):
            extra = find(group, "data") if isinstance(group, h5py.Group) and child.startswith("result_") else None
            if isinstance(extra, h5py.Dataset) and extra.shape == data.shape:
                layers[text(find(group, "title")) or child] = frames_of(extra)
        values: Any = Mapped(np.float32, data, function=lambda values: _magnitude(_complex(values)))
        return Volume(values, voxel, provenance, name, unit, layers)


def _complex(values: np.ndarray) -> np.ndarray:
    """A compound that h5py does not take for complex, as complex; anything else as it is."""
    if not values.dtype.names:
        return values
    real, imaginary = (values[key] for key in values.dtype.names)
    return real + 1j * imaginary


def _magnitude(values: np.ndarray) -> np.ndarray:
    return np.abs(values) if np.iscomplexobj(values) else values


def _support(image: h5py.Group, shape: tuple[int, ...]) -> LazyFrames | None:
    inside = find(image, "support")
    if isinstance(inside, h5py.Dataset) and inside.shape == shape:
        return Mapped(np.float32, frames_of(inside), function=lambda values: values != 0)
    mask = find(image, "mask")
    if not isinstance(mask, h5py.Dataset) or mask.shape != shape or mask.dtype.kind not in "iu":
        return None
    bits = Mapped(np.float32, frames_of(mask), function=lambda values: (values.astype(np.int64) & _INSIDE) != 0)
    return bits if any(bits[at].any() for at in range(shape[0])) else None
