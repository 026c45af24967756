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


MAPS = np.random.default_rng(2).random((20, 3, 4, 6)).astype(np.float32)
ELEMENTS = ["Cu_K", "Fe_K", "compton"]


def write_xrf_tomo(path: Path, proj: bool = True, elements=ELEMENTS) -> Path:
    """Maps of all angles in one file, as xrf_tomo stacks them."""
    with h5py.File(path, "w") as file:
        file["exchange/theta"] = DEGREES
        file["reconstruction/fitting/data"] = MAPS * 7
        file["reconstruction/fitting/elements"] = [name.encode() for name in elements]
        if proj:
            file["reconstruction/recon/proj"] = MAPS
    return path


def write_pyxrf_folder(folder: Path, mdeg=DEGREES * 1000, sizes: bool = False) -> Path:
    """A map a file, as PyXRF fits them; with `sizes` every third is a column narrower."""
    folder.mkdir(exist_ok=True)
    for at, theta in enumerate(mdeg):
        with h5py.File(folder / f"scan2D_{9998 + at}.h5", "w") as file:
            file["xrfmap/detsum/xrf_fit"] = MAPS[at, :, :, : 5 if sizes and at % 3 == 0 else 6]
            file["xrfmap/detsum/xrf_fit_name"] = [name.encode() for name in ELEMENTS]
            about = file.create_group("xrfmap/scan_metadata")
            about.attrs.update({"param_theta": theta, "param_theta_units": "mdeg", "file_format": "NSLS2-XRF-MAP"})
    return folder


def write_xrf_maps_folder(folder: Path, degrees=DEGREES) -> Path:
    """A map a file, as XRF-Maps fits them, the angle among the PVs."""
    folder.mkdir(exist_ok=True)
    for at, theta in enumerate(degrees):
        with h5py.File(folder / f"2xfm_{at:04d}.mda.h5", "w") as file:
            group = file.create_group("MAPS/XRF_Analyzed/NNLS")
            group["Counts_Per_Sec"] = MAPS[at]
            group["Channel_Names"] = [name.encode() for name in ELEMENTS]
            file["MAPS/Scan/Extra_PVs/Names"] = [b"2xfm:dwell", b"2xfm:m53.THETA"]
            file["MAPS/Scan/Extra_PVs/Values"] = [b"0.1", f"{theta:g}".encode()]
    return folder


def write_bliss_tomo(path: Path, rotations: tuple[str, ...] = ("hrsrot",)) -> Path:
    """Darks, flats and projections as three scans, the frames behind links."""
    with h5py.File(path.with_name("pco_0000.h5"), "w") as raw:
        raw["darks"], raw["flats"], raw["frames"] = (
            np.full((2, 4, 6), 100, "u2"),
            np.full((3, 4, 6), 4000, "u2"),
            COUNTS,
        )
    with h5py.File(path, "w") as file:
        for at, (kind, title) in enumerate(
            {"darks": "dark images", "flats": "reference images", "frames": "projections"}.items(), 1
        ):
            scan = file.create_group(f"{at}.1")
            scan["title"] = title
            scan["measurement/pcolinux"] = h5py.ExternalLink("pco_0000.h5", f"/{kind}")
            scan["instrument/positioners/energy"] = 19.0
        for name in rotations:
            file[f"3.1/measurement/{name}"] = DEGREES
        file["3.1/measurement/timer_trig"] = np.full(20, 0.1)
    return path


def write_emd(path: Path, axis: int = 0, unit: str = "[deg]", name: str = "angles") -> Path:
    """A tilt series as tomviz saves it; `axis` is that of the angles."""
    with h5py.File(path, "w") as file:
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.moveaxis(COUNTS, 0, axis)
        for at in range(3):
            count = group["data"].shape[at]
            stored = group.create_dataset(f"dim{at + 1}", data=DEGREES if at == axis else np.arange(count) * 2.0)
            stored.attrs["name"] = name if at == axis else "xyz"[at]
            stored.attrs["units"] = unit if at == axis else "[n_m]"
    return path


def write_velox(path: Path, tilts=RADIANS) -> Path:
    """Frames last, a column of JSON for each."""
    texts = [
        f'{{"Stage": {{"AlphaTilt": "{t:.9f}"}}, "BinaryResult": {{"PixelSize": {{"width": "2e-9"}}}}}}' for t in tilts
    ]
    metadata = np.zeros((400, len(tilts)), np.uint8)
    for at, said in enumerate(texts):
        metadata[: len(said), at] = np.frombuffer(said.encode(), np.uint8)
    return write_datasets(path, Data__Image__abc__Data=np.moveaxis(COUNTS, 0, 2), Data__Image__abc__Metadata=metadata)


def write_hyperspy(path: Path) -> Path:
    """A signal with a tilt axis of scale and offset."""
    with h5py.File(path, "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        group = file.create_group("Experiments/series")
        group["data"] = COUNTS
        for at, (name, unit, scale) in enumerate([("tilt", "°", 9.0), ("y", "nm", 3.0), ("x", "nm", 3.0)]):
            axis = group.create_group(f"axis-{at}")
            axis.attrs.update({"name": name, "units": unit, "scale": scale, "offset": 0.0, "size": COUNTS.shape[at]})
    return path


def write_savu(path: Path, axis: int = 0) -> Path:
    """A processed stack with its axes named, as Savu leaves it."""
    names = ["detector_y", "detector_x"]
    names.insert(axis, "rotation_angle")
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/final_result_tomo")
        group["data"] = np.moveaxis(INTEGRALS, 0, axis)
        group["rotation_angle"] = DEGREES
        group["rotation_angle"].attrs["units"] = "degrees"
        for name, count in (("detector_y", 4), ("detector_x", 6)):
            group[name] = np.arange(count)
        group.attrs.update({"signal": "data", "axes": names, "NX_class": "NXdata"})
    return path


LAYOUTS |= {
    "xrf_tomo": lambda folder: write_xrf_tomo(folder / "xrf_tomo.h5"),
    "bliss": lambda folder: write_bliss_tomo(folder / "bliss.h5"),
    "emd": lambda folder: write_emd(folder / "tilt.emd"),
    "velox": lambda folder: write_velox(folder / "velox.emd"),
    "hyperspy": lambda folder: write_hyperspy(folder / "series.hspy"),
    "savu": lambda folder: write_savu(folder / "savu.nxs"),
}
