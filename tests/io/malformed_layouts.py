"""Malformed cases that lie in the layout of a file: what is missing, contradicts itself or can be read in two ways.

The numbers are those of the list that the readers were written against.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from beamline_files import COUNTS, DEGREES, write_cil, write_datasets, write_exchange, write_fxi, write_nxtomo

from napari_pfitre.errors import FormatError, QuestionError, ScanError


def exchange(**changes):
    return lambda folder: write_exchange(folder / "scan.h5", **changes)


def nxtomo(**changes):
    return lambda folder: write_nxtomo(folder / "scan.nx", **changes)


def with_value(*values, data=COUNTS, dtype=None):
    """Frames with some of their values replaced."""
    out = data.astype(dtype or data.dtype)
    for at, value in values:
        out[at] = value
    return out


def also(build, **datasets):
    """A file with further datasets; ``__`` stands for ``/``."""

    def make(folder: Path) -> Path:
        path = build(folder)
        with h5py.File(path, "a") as file:
            for name, value in datasets.items():
                file[name.replace("__", "/")] = value
        return path

    return make


def two_entries(folder: Path) -> Path:
    write_nxtomo(folder / "scan.nx")
    return write_nxtomo(folder / "scan.nx", entry="entry0001", mode="a")


def pixel(size, unit):
    def make(folder: Path) -> Path:
        path = write_nxtomo(folder / "scan.nx")
        with h5py.File(path, "a") as file:
            for axis in "xy":
                stored = file.create_dataset(f"entry0000/instrument/detector/{axis}_pixel_size", data=size)
                if unit:
                    stored.attrs["units"] = unit
        return path

    return make


def energy(value, unit):
    def make(folder: Path) -> Path:
        path = write_exchange(folder / "scan.h5")
        with h5py.File(path, "a") as file:
            stored = file.create_dataset("measurement/instrument/monochromator/energy", data=[value])
            if unit:
                stored.attrs["units"] = unit
        return path

    return make


SHORT = np.linspace(0, 171, 17)
TURNS = np.linspace(0, 720, 20, endpoint=False)
WEDGE = np.deg2rad(np.linspace(-3, 3, 20))

#: number and what: file, the error, what it says, its hint
REFUSED = {
    "11 nothing recognised": (
        lambda folder: write_datasets(folder / "x.h5", a=COUNTS, b=COUNTS[:, :2]),
        QuestionError,
        r"no layout that is known.*candidates: /a \(20, 4, 6\)",
        "dataset",
    ),
    "12 two entries": (two_entries, QuestionError, "2 measurements.*entry0000, /entry0001", "entry"),
    "13 no theta": (exchange(theta=None), QuestionError, "20 projections .*no angles", "angles"),
    "14 three angles too few": (exchange(theta=SHORT), QuestionError, "17 angles .* for 20 projections", "angles"),
    "14 one too many": (exchange(theta=np.linspace(0, 180, 21)), QuestionError, "21 angles .* for 20 proj", "drop"),
    "15 NaN": (
        exchange(theta=np.where(np.arange(20) == 3, np.nan, DEGREES)),
        ScanError,
        "1 of 20 angles.*index 3",
        None,
    ),
    "15 inf": (exchange(theta=np.where(np.arange(20) == 5, np.inf, DEGREES)), ScanError, "not numbers", None),
    "15 all zero": (exchange(theta=np.zeros(20)), ScanError, "all 20 angles .* are 0°.*not recorded", None),
    "16 a wedge of 3 degrees or radians": (
        exchange(theta=WEDGE * 57.3, unit=None),
        QuestionError,
        "could be radians or deg",
        "angle_unit",
    ),
    "16 degrees or thousandths": (
        exchange(theta=np.linspace(0, 1800, 20), unit=None),
        QuestionError,
        "degrees .* or thousandths",
        "angle_unit",
    ),
    "16 radians that are degrees": (exchange(unit="rad"), QuestionError, "says radians, but .* turns", "angle_unit"),
    "21 two projections": (exchange(data=COUNTS[:2], theta=DEGREES[:2]), ScanError, "not a tomography scan", None),
    "23 two axes fit": (
        lambda folder: write_exchange(folder / "s.h5", data=np.zeros((20, 20, 6), "u2") + 5, flats=None, darks=None),
        QuestionError,
        "2 axes",
        "axis_order",
    ),
    "24 flats of another region": (
        exchange(flats=np.zeros((3, 4, 5), "u2") + 9),
        ScanError,
        "flats .* 4 rows × 5 columns and the projections 4 × 6",
        None,
    ),
    "25 no flats, values of a transmission": (
        exchange(data=COUNTS / 3000.0, flats=None, darks=None),
        QuestionError,
        "has no flats and its values run from",
        "quantity",
    ),
    "33 strings": (exchange(data=np.full((20, 4, 6), b"x"), flats=None, darks=None), FormatError, "not numbers", None),
    "33 null dataspace": (
        lambda folder: write_datasets(folder / "x.h5", exchange__data=h5py.Empty("u2"), exchange__theta=DEGREES),
        FormatError,
        "empty|no images",
        None,
    ),
    "34 complex": (exchange(data=COUNTS.astype("c8"), flats=None, darks=None), FormatError, "phase or amplitude", None),
    "38 key too short": (nxtomo(count=30), ScanError, "names 23 frames, but 30 are stored", None),
    "38 no projection": (nxtomo(keys=np.ones(20, int)), ScanError, "marks none of them as a projection", None),
    "38 words": (lambda folder: _words_for_keys(folder), ScanError, "image key .* not numbers", None),
    "43 many energies": (
        exchange(data=np.stack([COUNTS] * 3, 1), flats=None, darks=None),
        QuestionError,
        "3 elements, energies or channels",
        "index",
    ),
    "44 a reconstruction": (
        also(lambda folder: write_exchange(folder / "r.h5", axes="z:y:x", theta=None)),
        FormatError,
        "reconstructed volume",
        None,
    ),
    "45 a log": (
        lambda folder: write_datasets(folder / "l.h5", entry__scan__data__image_file__value=np.arange(3)),
        FormatError,
        "contains no images; it is a DESY log",
        None,
    ),
}


def _words_for_keys(folder: Path) -> Path:
    path = write_nxtomo(folder / "scan.nx")
    with h5py.File(path, "a") as file:
        del file["entry0000/instrument/detector/image_key"]
        file["entry0000/instrument/detector/image_key"] = np.full(23, b"projection")
    return path


def all_angles(scan):
    return np.rad2deg(scan.angles)


#: number and what: file, hints, what the notices say (None: nothing need be said), what holds of the scan
READ = {
    "14 an angle for every frame": (nxtomo(), {}, None, lambda s: np.allclose(all_angles(s), np.arange(20) * 9)),
    "16 thousandths by their size": (
        exchange(theta=DEGREES * 1000, unit=None),
        {},
        "thousandths of a degree",
        lambda s: np.allclose(all_angles(s), DEGREES),
    ),
    "16 the user is believed": (
        exchange(theta=WEDGE, unit="degrees"),
        {"angle_unit": "rad"},
        None,
        lambda s: np.allclose(s.angles, WEDGE),
    ),
    "17 two turns": (exchange(theta=TURNS), {}, "cover 684°", lambda s: s.shape[0] == 20),
    "18 descending": (exchange(theta=DEGREES[::-1]), {}, None, lambda s: np.allclose(all_angles(s), DEGREES[::-1])),
    "18 golden angle": (
        exchange(theta=np.arange(20) * 111.246 % 180),
        {},
        None,
        lambda s: np.array_equal(s.projections[7], COUNTS[7]),
    ),
    "19 return frames": (
        nxtomo(keys=[0] * 20 + [0, 0], control=[0] * 20 + [-1, -1], degrees=[*np.arange(20) * 9.0, 90, 0]),
        {"quantity": "counts"},
        "2 alignment frames",
        lambda s: s.shape[0] == 20,
    ),
    "19 repeated": (
        exchange(theta=np.append(DEGREES[:-1], 0)),
        {},
        "1 of 20 angles repeat",
        lambda s: s.shape[0] == 20,
    ),
    "20 a wedge within the list": (
        exchange(theta=np.append(np.linspace(-72, -2, 10), np.linspace(94, 108, 10))),
        {},
        None,
        lambda s: round(max(w.width for w in s.missing_wedges)) == 96,
    ),
    "21 few projections": (exchange(data=COUNTS[:8], theta=DEGREES[:8]), {}, "only 8 projections", lambda s: True),
    "22 one row": (exchange(data=COUNTS[:, :1]), {}, None, lambda s: s.shape == (20, 1, 6)),
    "23 sinograms": (
        exchange(data=COUNTS.transpose(1, 0, 2), flats=None, darks=None),
        {},
        "read as row, angle, column",
        lambda s: np.array_equal(s.projections[:], COUNTS),
    ),
    "26 no darks": (exchange(darks=None), {}, "no darks; zero is taken", lambda s: s.darks is None),
    "27 flats of zeros": (exchange(flats=np.zeros((1, 4, 6), "u2")), {}, "placeholder", lambda s: s.flats is None),
    "28 line integrals": (
        lambda folder: write_cil(folder / "c.nxs"),
        {},
        "taken as line integrals",
        lambda s: s.quantity == "line integrals",
    ),
    "30 NaN in frames": (
        exchange(data=with_value(((3, 1, 2), np.nan), dtype="f4")),
        {},
        None,
        lambda s: np.isnan(s.projections[3, 1, 2]),
    ),
    "31 masked pixels": (
        exchange(data=with_value(((slice(None), 0, 0), 2**32 - 1), dtype="u4")),
        {},
        None,
        lambda s: s.projections.dtype == np.uint32,
    ),
    "35 big endian": (
        exchange(data=COUNTS.astype(">u2")),
        {},
        None,
        lambda s: s.projections[:].dtype == np.dtype("=u2"),
    ),
    "35 half floats": (exchange(data=COUNTS.astype("f2")), {}, None, lambda s: s.projections.dtype == np.float32),
    "35 booleans": (
        exchange(data=COUNTS > 2000, flats=None, darks=None),
        {"quantity": "transmission"},
        None,
        lambda s: s.projections.dtype == np.uint8,
    ),
    "37 zeros at the end": (
        exchange(data=with_value((slice(16, 20), 0))),
        {},
        "last 4 of 20 projections",
        lambda s: s.shape[0] == 16,
    ),
    "38 floats": (nxtomo(key_dtype=float), {}, None, lambda s: len(s.flats) == 2),
    "38 invalid": (nxtomo(keys=(2, 1, *[0] * 20, 3)), {}, "1 frames are marked as invalid", lambda s: s.shape[0] == 20),
    "38 no key at all": (
        lambda folder: _without_key(folder),
        {"quantity": "counts"},
        "has no image key",
        lambda s: s.shape[0] == 23,
    ),
    "39 a metre": (pixel(1.0, "m"), {}, "1 m makes no sense", lambda s: s.pixel_size is None),
    "39 zero": (pixel(0.0, "um"), {}, "makes no sense", lambda s: s.pixel_size is None),
    "39 words": (
        lambda folder: write_fxi(folder / "f.h5", **{"Pixel Size": "about 20"}),
        {},
        "is no number",
        lambda s: s.pixel_size is None,
    ),
    "39 a number with its unit": (
        lambda folder: write_fxi(folder / "f.h5"),
        {},
        None,
        lambda s: abs(s.pixel_size[0] - 38.2e-9) < 1e-15,
    ),
    "40 eV called nothing": (
        energy(8333.0, None),
        {},
        "8333 has no unit and was read as eV",
        lambda s: abs(s.energy_kev - 8.333) < 1e-9,
    ),
    "40 joules": (energy(2.03e-15, "J"), {}, None, lambda s: abs(s.energy_kev - 12.67) < 0.01),
    "40 keV that are eV": (energy(20000.0, "keV"), {}, "read as eV", lambda s: abs(s.energy_kev - 20) < 1e-9),
    "41 Latin-1": (lambda folder: _latin(folder), {}, None, lambda s: "Löß" in s.name),
    "47 a horizontal axis": (
        exchange(),
        {"rotation_axis": "horizontal"},
        None,
        lambda s: np.array_equal(s.projections[2], COUNTS[2].T),
    ),
    "50 names with spaces and accents": (lambda folder: _renamed(folder), {}, None, lambda s: s.shape == COUNTS.shape),
}


def _without_key(folder: Path) -> Path:
    path = write_nxtomo(folder / "scan.nx", degrees=np.arange(23) * 7.0)
    with h5py.File(path, "a") as file:
        del file["entry0000/instrument/detector/image_key"]
    return path


def _latin(folder: Path) -> Path:
    path = write_exchange(folder / "scan.h5")
    with h5py.File(path, "a") as file:
        file["measurement/sample/name"] = np.bytes_("Löß 7\r".encode("latin-1"))
        file["exchange/theta"].attrs["units"] = np.array([b"degrees"])
        file["exchange/data"].attrs["axes"] = h5py.Empty("S1")
    return path


def _renamed(folder: Path) -> Path:
    inner = folder / ("Messung März, 2. Teil " + "x" * 150)
    inner.mkdir()
    return write_exchange(folder / "scan.h5").rename(inner / "Probe №3 (neu).h5")
