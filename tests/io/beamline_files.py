"""Small files in the layouts of beamlines, to be spoilt by the tests."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

COUNTS = np.random.default_rng(0).integers(1000, 3000, (20, 4, 6)).astype(np.uint16)
DEGREES = np.linspace(0, 171, 20)


def write_exchange(
    path: Path,
    data=COUNTS,
    theta=DEGREES,
    unit: str | None = "degrees",
    flats: int | np.ndarray | None = 3,
    darks: int | np.ndarray | None = 2,
    axes: str | None = None,
    **options,
) -> Path:
    """A Data Exchange file; `options` go to h5py's create_dataset for the projections."""
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("exchange/data", data=data, **options)
        if axes:
            stored.attrs["axes"] = axes
        if theta is not None:
            angles = file.create_dataset("exchange/theta", data=theta)
            if unit is not None:
                angles.attrs["units"] = unit
        for name, value, level in (("data_white", flats, 4000), ("data_dark", darks, 100)):
            if isinstance(value, int):
                value = np.full((value, *np.shape(data)[1:]), level, np.uint16)
            if value is not None:
                file[f"exchange/{name}"] = value
    return path


def write_nxtomo(
    path: Path,
    keys=(2, 1, *([0] * 20), 1),
    degrees=None,
    unit: str | None = "degree",
    key_dtype=int,
    control=None,
    count: int | None = None,
    entry: str = "entry0000",
    mode: str = "w",
) -> Path:
    """An NXtomo entry; frame i holds the value 1000 + i everywhere."""
    keys = np.asarray(keys)
    count = len(keys) if count is None else count
    data = np.broadcast_to((1000 + np.arange(count, dtype=np.uint16))[:, None, None], (count, 4, 6))
    if degrees is None:
        degrees = np.where(keys == 0, np.cumsum(keys == 0) * 9.0 - 9, 0)
    with h5py.File(path, mode) as file:
        group = file.create_group(entry)
        group["definition"] = "NXtomo"
        group["instrument/detector/data"] = data
        group["instrument/detector/image_key"] = keys.astype(key_dtype)
        if control is not None:
            group["instrument/detector/image_key_control"] = np.asarray(control)
        angles = group.create_dataset("sample/rotation_angle", data=degrees)
        if unit is not None:
            angles.attrs["units"] = unit
    return path
