"""Small files in the layouts of beamlines, to be spoilt by the tests."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

COUNTS = np.random.default_rng(0).integers(1000, 3000, (20, 4, 6)).astype(np.uint16)
DEGREES = np.linspace(0, 171, 20)
RADIANS = np.deg2rad(DEGREES)
INTEGRALS = COUNTS.astype(np.float32) / 1000 - 1.5


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


def write_cil(
    path: Path,
    data=INTEGRALS,
    dims=("angle", "vertical", "horizontal"),
    angles=RADIANS,
    unit: str | None = "radian",
    new: bool = True,
    **attributes,
) -> Path:
    """A file of CIL's NEXUSDataWriter; `new` is its layout since 2021."""
    with h5py.File(path, "w") as file:
        file.attrs["creator"] = np.bytes_("NEXUSDataWriter.py")
        stored = file.create_dataset("entry1/tomo_entry/data/data", data=data)
        stored.attrs.update({f"dim{axis}": name for axis, name in enumerate(dims)} | attributes)
        name = "config/angles" if new else "data/rotation_angle"
        stored = file.create_dataset(f"entry1/tomo_entry/{name}", data=angles)
        if unit:
            stored.attrs["angle_unit"] = unit
    return path


def write_datasets(path: Path, attributes: dict | None = None, **datasets) -> Path:
    """A file of these datasets; ``__`` in a name stands for ``/``, and None leaves one out."""
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            if value is not None:
                file[name.replace("__", "/")] = value
        file.attrs.update(attributes or {})
    return path


def write_fxi(path: Path, **changes) -> Path:
    """A fly scan as FXI exports it."""
    datasets = {
        "img_tomo": COUNTS,
        "img_bkg": np.full((3, 4, 6), 4000, np.uint16),
        "img_dark": np.full((3, 4, 6), 100, np.uint16),
        "angle": np.linspace(80, -80, 20),
        "X_eng": 8.333,
        "scan_id": 4711,
        "note": "None",
        "Pixel Size": "38.2nm",
    }
    return write_datasets(path, **(datasets | changes))


def write_als(path: Path) -> Path:
    """Legacy ALS 8.3.2: a dataset a frame."""
    with h5py.File(path, "w") as file:
        group = file.create_group("run")
        group.attrs.update({"nangles": b"20\r", "arange": b"180.0\r", "pxsize": b"0.00065\r", "senergy": b"20000\r"})
        for at in range(20):
            group[f"run_0000_{at:04d}.tif"] = COUNTS[at : at + 1]
        for at in (0, 19):
            group[f"runbak_0000_{at:04d}.tif"] = np.full((1, 4, 6), 4000, np.uint16)
            group[f"rundrk_0000_{at:04d}.tif"] = np.full((1, 4, 6), 100, np.uint16)
    return path


def write_tiff(path: Path) -> Path:
    """A stack with its table of angles."""
    import tifffile

    tifffile.imwrite(path, COUNTS, imagej=True, compression=None)
    path.with_suffix(".csv").write_text("angle\n" + "\n".join(f"{a:g}" for a in DEGREES), encoding="utf-8")
    return path


def write_volumes(path: Path) -> Path:
    """A volume with history, as it is written here."""
    from napari_pfitre.io import write_volume
    from napari_pfitre.results import Provenance, Volume

    data = np.random.default_rng(1).normal(size=(3, 6, 6)).astype(np.float32)
    write_volume(Volume(data, (1e-8,) * 3, Provenance("fbp", angles_deg=tuple(DEGREES)), "v"), path)
    return path


#: One file of each layout: name → a function of the folder it goes to.
LAYOUTS = {
    "exchange": lambda folder: write_exchange(folder / "exchange.h5", chunks=(1, 4, 6), compression="gzip"),
    "nxtomo": lambda folder: write_nxtomo(folder / "nxtomo.nx"),
    "cil": lambda folder: write_cil(folder / "cil.nxs"),
    "fxi": lambda folder: write_fxi(folder / "fxi.h5"),
    "als": lambda folder: write_als(folder / "als.h5"),
    "tiff": lambda folder: write_tiff(folder / "stack.tif"),
    "volume": lambda folder: write_volumes(folder / "volume.h5"),
    "generic": lambda folder: write_datasets(folder / "generic.h5", run__camera=COUNTS, run__theta=DEGREES),
}
