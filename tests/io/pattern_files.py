"""Small diffraction patterns, and files of them as beamlines and programs write them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import tifffile

SHAPE = (20, 24, 28)


def counts(shape=SHAPE, at=None, photons=2e5, width=2.0, seed=0) -> np.ndarray:
    """Photons about a peak, in the middle unless told: a Gaussian with side lobes, and single ones everywhere."""
    rng = np.random.default_rng(seed)
    at = [n // 2 for n in shape] if at is None else at
    grids = np.meshgrid(*[np.arange(n) - p for n, p in zip(shape, at, strict=True)], indexing="ij")
    r = np.sqrt(sum(g.astype(float) ** 2 for g in grids))
    rate = np.exp(-((r / width) ** 2) / 2) + 2e-3 * np.exp(-((r / 4 / width) ** 2) / 2) * (1 + np.cos(2 * r))
    return rng.poisson(photons * rate / rate.sum() + 0.01).astype(np.int32)


def write_34idc(folder: Path, data: np.ndarray, number: int = 54, detector="34idcTIM2", region=None, spec=True) -> Path:
    """A raw scan as APS 34-ID-C leaves it, with its SPEC file, dark and white field two folders up."""
    n_frames, n_rows, n_columns = data.shape
    row, column = region or (0, 0)
    scan = folder / "AD34idc" / f"Sample_S{number:04d}"
    scan.mkdir(parents=True)
    for i, frame in enumerate(data):
        tifffile.imwrite(scan / f"Sample_S{number:04d}_{i:05d}.tif", frame)
    rng = np.random.default_rng(1)
    white = rng.normal(1000, 20, (512, 512)).astype(np.float32)
    dark = np.zeros((512, 512), np.int32)
    dark[row + 2, column + 3] = 50
    tifffile.imwrite(folder / "whitefield.tif", white)
    tifffile.imwrite(folder / "dark.tif", dark)
    if spec:
        (folder / "log.spec").write_text(
            "#F log.spec\n#E 1580609738\n#O0 Delta  Theta  Chi  Phi  Mu  Gamma  z-sample\n"
            "#O1 Monochr  camdist  Energy\n\n"
            f"#S {number}  ascan  th -0.3 0.7  {n_frames - 1} 0.25\n#D Tue Feb 04 12:28:23 2020\n"
            "#P0 32.174 0.2200042 90 -5 0 12.6346 10.2\n#P1 12.69 500 9\n"
            f"#UIMDET {detector}:\n#UIMR5  {column} {n_columns} {row} {n_rows} 1\n#N 3\n#L Theta  H  Monitor\n"
            + "".join(f"{0.005 * i} 0 3900\n" for i in range(n_frames))
        )
    return scan


def write_cxi(path: Path, data: np.ndarray, mask: np.ndarray | None = None, **extra) -> Path:
    """PyNX's input: joules, metres, 1 for a voxel not to be used."""
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 150
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["data"] = data
        detector["distance"], detector["x_pixel_size"], detector["y_pixel_size"] = 1.2, 5.5e-5, 5.6e-5
        if mask is not None:
            detector["mask"] = mask
        file["entry_1/instrument_1/source_1/energy"] = 9.0 * 1.602176634e-16
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
        for name, value in extra.items():
            file[name] = value
    return path


def write_eiger(folder: Path, data: np.ndarray, per_file: int = 8) -> Path:
    """A master of Dectris' older kind and its data files; one column is a gap."""
    data = data.astype(np.uint32)
    data[:, :, 5] = np.iinfo(np.uint32).max
    master = folder / "scan_master.h5"
    with h5py.File(master, "w") as file:
        file["entry/definition"] = "NXmx"
        detector = file.create_group("entry/instrument/detector")
        detector["detector_distance"], detector["x_pixel_size"], detector["y_pixel_size"] = 1.8, 7.5e-5, 7.5e-5
        detector["beam_center_x"], detector["beam_center_y"] = 11.0, 12.0
        pixel_mask = np.zeros(data.shape[1:], np.uint32)
        pixel_mask[3, 4] = 2
        detector["detectorSpecific/pixel_mask"] = pixel_mask
        detector["detectorSpecific/photon_energy"] = 8994.0
        detector["detectorSpecific/nimages"], detector["detectorSpecific/ntrigger"] = len(data), 1
        for at in range(0, len(data), per_file):
            name = f"scan_data_{at // per_file + 1:06d}.h5"
            with h5py.File(folder / name, "w") as part:
                part["entry/data/data"] = data[at : at + per_file]
                part["entry/data/data"].attrs["image_nr_low"] = at + 1
            file[f"entry/data/data_{at // per_file + 1:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
    return master


def write_bliss(folder: Path, data: np.ndarray, scans=("1.1", "2.1")) -> Path:
    """A master of ESRF ID01: the last of its scans has frames, in the detector's own file; the others only counters."""
    detector = folder / "scan0002" / "mpx1x4_0000.h5"
    detector.parent.mkdir()
    with h5py.File(detector, "w") as file:
        file["entry_0000/instrument/mpx1x4/data"] = data.astype(np.uint16)
    master = folder / "sample.h5"
    with h5py.File(master, "w") as file:
        for name in scans:
            entry = file.create_group(name)
            entry["title"] = f"ascan eta 17 18 {len(data) - 1} 1"
            motors = entry.create_group("instrument/positioners")
            for motor, value in {"mu": 0.0, "phi": 30.0, "nu": 4.0, "delta": 35.2, "mononrj": 9.0}.items():
                motors[motor] = value
            motors["eta"] = np.linspace(17, 18, len(data))
            entry["measurement/mon"] = np.ones(len(data))
        about = file.create_group(f"{scans[-1]}/instrument/mpx1x4")
        about["distance"], about["x_pixel_size"], about["y_pixel_size"] = 0.95, 5.5e-5, 5.5e-5
        about["beam_center_x"], about["beam_center_y"] = 14.0, 300.0
        file[f"{scans[-1]}/measurement/mpx1x4"] = h5py.ExternalLink(
            "scan0002/mpx1x4_0000.h5", "/entry_0000/instrument/mpx1x4/data"
        )
    return master


def write_cohere(folder: Path, data: np.ndarray, stage: str) -> Path:
    """An experiment of cohere after one of its steps."""
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config").write_text(
        'working_dir = "x"  // where\nexperiment_id = "scan"\nscan = "54"\nbeamline = "aps_34idc"\nroi = (0, 4)\n'
    )
    name = {"preprocessed_data": "prep_data.tif", "phasing_data": "data.tif"}[stage]
    (folder / stage).mkdir()
    values = np.sqrt(data) if stage == "phasing_data" else data
    tifffile.imwrite(folder / stage / name, values.astype(np.float32))
    return folder


def write_diffamp(path: Path, data: np.ndarray, points: np.ndarray, **changes) -> Path:
    """NSLS-II's input of ptychography: square roots, every frame shifted so that its middle is in the corners."""
    stored = {
        "diffamp": np.sqrt(np.fft.fftshift(data, axes=(1, 2))), "points": points, "x_range": 4.0, "y_range": 4.0,
        "dr_x": 0.1, "dr_y": 0.1, "z_m": 0.5, "lambda_nm": 0.1378, "ccd_pixel_um": 55.0, "angle": -31.5,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, value in {**stored, **changes}.items():
            file[name] = value
    return path


def write_npz(path: Path, data: np.ndarray) -> Path:
    """bcdi's arrays: the pattern, and 1 for a voxel not to be used."""
    mask = np.zeros(data.shape, np.uint8)
    mask[:, :, 3] = 1
    np.savez(path, data=data, mask=mask)
    return path


FIO = """!
! Comments
!
%c
ascan om 16 17.45 {last} 1.0
user p10user Acquisition started at Tue Feb 04 12:28:23 2020
!
! Parameter
!
%p
mu = 0
om = 16
phi = 3.5
del = 33.1
gam = 0.02
fmbenergy = 11000
title = a gold crystal
!
! Data
!
%d
 Col 1 om(encoder) DOUBLE
 Col 2 e4m DOUBLE
"""


def write_p10(folder: Path, data: np.ndarray, points: int | None = None) -> Path:
    """PETRA III P10: an Eiger's master in a folder of the scan's, which has the log."""
    scan = folder / "sample_00012"
    (scan / "e4m").mkdir(parents=True)
    master = write_eiger(scan / "e4m", data).rename(scan / "e4m" / "sample_00012_master.h5")
    n = points or len(data)
    rows = "".join(f" {16 + 0.05 * at:.4f} {at}\n" for at in range(n))
    (scan / "sample_00012.fio").write_text(FIO.format(last=n - 1) + rows, encoding="utf-8")
    return master


def write_soleil(folder: Path, data: np.ndarray, beamline: str = "SIXS") -> Path:
    """SIXS and CRISTAL: numbered columns whose long names say what they are, motors as groups."""
    path = folder / f"{beamline.lower()}_00123.nxs"
    root = {"SIXS": "com", "CRISTAL": "exp_0123"}[beamline]
    with h5py.File(path, "w") as file:
        measured = file.create_group(f"{root}/scan_data")
        measured["data_03"], measured["data_01"] = data.astype(np.uint16), np.linspace(0.25, 1.2, len(data))
        measured["epoch"] = np.arange(len(data)) * 1.5
        measured["data_01"].attrs["long_name"] = "i14-c-cx1-ex-mu/position"
        motors = file.create_group(f"{root}/{beamline}")
        where = "position_pre" if beamline == "SIXS" else "position"
        for name, value in {"i14-c-cx1-ex-mu": 0.25, "i14-c-cx1-ex-delta": 33.5, "i14-c-slits-gap": 7.0}.items():
            motors[f"{name}/{where}"] = [value]
        motors["i14-c-c02-op-mono/energy" if beamline == "SIXS" else "Monochromator/energy"] = [8.5]
    return path


def write_nanomax(folder: Path, data: np.ndarray, linked: bool = False) -> Path:
    """MAX IV NanoMAX: what the detector gave, or a link to it, and a snapshot of the motors in eV and degrees."""
    path = folder / "000123.h5"
    with h5py.File(path, "w") as file:
        place = "entry/measurement/eiger500k/frames"
        file[place] = h5py.ExternalLink("scan_000123_eiger.hdf5", place) if linked else data.astype(np.uint32)
        file["entry/measurement/gonphi"] = np.linspace(10, 10.95, len(data))
        for name, value in {"energy": 9500.0, "gontheta": 14.0, "gonphi": 10.0, "delta": 0.0, "gamma": 30.0}.items():
            file[f"entry/snapshots/post_scan/{name}"] = [value]
    return path


#: One file of each layout: name → a function of the folder it goes to.
LAYOUTS = {
    "cxi": lambda folder: write_cxi(folder / "cxi.cxi", counts(), np.zeros(SHAPE, np.uint8)),
    "diffamp": lambda folder: write_diffamp(folder / "diffamp.h5", counts(), np.zeros((2, SHAPE[0]))),
    "soleil": lambda folder: write_soleil(folder, counts()),
    "nanomax": lambda folder: write_nanomax(folder, counts()),
    "npz": lambda folder: write_npz(folder / "array.npz", counts()),
}
