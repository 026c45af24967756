"""Malformed cases that lie in the frames: values no detector gives, patterns, parts that are missing, frames twice.

The numbers are those of `malformed_layouts`.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from beamline_files import COUNTS, DEGREES, write_datasets, write_exchange, write_nxtomo, write_pyxrf_folder
from malformed_layouts import exchange, with_value
from pattern_files import counts, write_cxi, write_diffamp, write_eiger

from napari_pfitre.errors import FormatError, QuestionError

PATTERN = counts()
FLATS = np.full((3, 4, 6), 4000, np.uint16)
LOGARITHM = -np.log(np.clip(COUNTS / 4000, 1e-3, 2))


#: number and what: file, what preparing says of it, and where its values are compared with those of the sound scan
PREPARED = {
    "27 a flat as dark as the darks": (
        exchange(flats=with_value(((slice(None), 0, 0), 100), data=FLATS)),
        "1 of 24 pixels have flats no brighter than darks; they are filled",
        np.s_[:, 1:, :],
    ),
    "29 zeros and less than the darks": (
        exchange(flats=FLATS, data=with_value(((2, 1, 1), 0), ((3, 1, 1), 40))),
        "0.42 % of the transmissions looked at are not positive; before −log raised to 0.0001",
        np.s_[:, 2:, :],
    ),
    "30 NaN and infinity": (
        exchange(flats=FLATS, data=with_value(((3, 1, 2), np.nan), ((5, 1, 2), np.inf), dtype="f4")),
        "0.42 % of the values looked at are not finite",
        np.s_[:, 2:, :],
    ),
    "31 the end of the type, 32 bits": (
        exchange(flats=FLATS, data=with_value(((slice(None), 0, 0), 2**32 - 1), dtype="u4")),
        "stand at the end of their type's range; such values are filled",
        np.s_[:, 1:, :],
    ),
    "31 the end of the type, 16 bits": (
        exchange(flats=FLATS, data=with_value(((slice(None), 0, 0), 65535))),
        "stand at the end of their type's range; such values are filled",
        np.s_[:, 1:, :],
    ),
    "32 counts below their darks": (
        exchange(flats=FLATS, data=with_value(((slice(None), 3, 3), 50))),
        "are not positive",
        np.s_[:, :3, :],
    ),
}


def in_place_of_data(make):
    def build(folder: Path) -> Path:
        path = write_exchange(folder / "scan.h5", flats=None, darks=None)
        with h5py.File(path, "a") as file:
            del file["exchange/data"]
            make(file["exchange"])
        return path

    return build


def two_detectors(first: str, second: str):
    def build(folder: Path) -> Path:
        path = write_nxtomo(folder / "scan.nx")
        with h5py.File(path, "a") as file:
            instrument = file["entry0000/instrument"]
            file.copy(instrument["detector"], instrument, second)
            instrument[f"{second}/data"][...] += 1
            instrument.move("detector", first)
        return path

    return build


def eiger_without(name: str):
    def build(folder: Path) -> Path:
        master = write_eiger(folder, PATTERN)
        (folder / name).unlink()
        return master

    return build


def cxi_image(shifted: int):
    def build(folder: Path) -> Path:
        path = folder / "image.cxi"
        write_datasets(path, cxi_version=160, entry_1__image_1__data=np.fft.ifftshift(PATTERN))
        with h5py.File(path, "a") as file:
            file["entry_1/image_1/data_space"] = "diffraction"
            file["entry_1/image_1/data_type"] = "intensity"
            file["entry_1/image_1/is_fft_shifted"] = shifted
        return path

    return build


SIZE = (20, 4, 6)

#: number and what: file, the error, what it says, its hint
REFUSED = {
    "12 two detectors": (
        two_detectors("pco1", "pco2"),
        QuestionError,
        "frames of 2 detectors; pass dataset= as one of /entry0000/instrument/pco1/data, /entry0000/instrument/pco2",
        "dataset",
    ),
    "28 a logarithm beside its flats": (
        exchange(data=LOGARITHM),
        QuestionError,
        r"flats .* hold about \d+ and the projections .* divided by the flats already, or their logarithm taken",
        "quantity",
    ),
    "28 a logarithm without flats": (
        exchange(data=LOGARITHM, flats=None, darks=None),
        QuestionError,
        "has no flats and its values run from",
        "quantity",
    ),
    "33 lists of different lengths": (
        in_place_of_data(lambda group: group.create_dataset("data", SIZE, h5py.vlen_dtype(np.int32))),
        FormatError,
        "holds object, not numbers",
        None,
    ),
    "33 references": (
        in_place_of_data(lambda group: group.create_dataset("data", SIZE, h5py.ref_dtype)),
        FormatError,
        "not numbers",
        None,
    ),
    "33 opaque bytes": (
        in_place_of_data(lambda group: group.create_dataset("data", data=np.zeros(SIZE, "V5"))),
        FormatError,
        "not numbers",
        None,
    ),
    "33 no frame": (
        in_place_of_data(lambda group: group.create_dataset("data", (0, 4, 6), "u2")),
        FormatError,
        "is empty",
        None,
    ),
    "34 a record of two parts": (
        in_place_of_data(
            lambda group: group.create_dataset("data", data=np.zeros(SIZE, [("real", "f4"), ("imag", "f4")]))
        ),
        FormatError,
        "holds complex numbers.*phase or amplitude",
        None,
    ),
    "43 five axes": (
        exchange(data=np.zeros((20, 2, 3, 4, 6), "u2"), flats=None, darks=None),
        FormatError,
        "projections have three axes, pass dataset=",
        None,
    ),
    "45 a log of monitors": (
        lambda folder: write_datasets(folder / "i.nxs", raw_data_1__monitor_1__data=np.zeros((1, 1, 50))),
        FormatError,
        "contains no images; it is an ISIS log",
        None,
    ),
    "48 a master without one of its data files": (
        eiger_without("scan_data_000002.h5"),
        FormatError,
        r"of which 1 is not beside it: scan_data_000002\.h5",
        None,
    ),
    "49 an image at the corners that calls itself unshifted": (
        cxi_image(0),
        QuestionError,
        "strongest values .* are at the corners of the array",
        "peak",
    ),
    "49 amplitudes of ptychography that are not shifted": (
        lambda folder: write_diffamp(folder / "scan.h5", PATTERN, np.zeros((2, 20)), diffamp=np.sqrt(PATTERN)),
        QuestionError,
        "most light is in the middle of the frames",
        "peak",
    ),
}


def renumbered(folder: Path) -> Path:
    master = write_eiger(folder, PATTERN)
    with h5py.File(master, "a") as file:
        file["entry/instrument/detector/detectorSpecific/nimages"][...] = 25
    return master


def data_file(folder: Path) -> Path:
    write_eiger(folder, PATTERN)
    return folder / "scan_data_000001.h5"


def map_twice(folder: Path) -> Path:
    """The file of one angle copied under another name, as when a scan is exported again."""
    maps = write_pyxrf_folder(folder / "maps")
    files = sorted(maps.glob("*.h5"))
    (maps / "scan2D_99999.h5").write_bytes(files[3].read_bytes())
    return maps


def last_is_the_first(folder: Path) -> Path:
    path = write_nxtomo(folder / "scan.nx", keys=(2, 1, *[0] * 21), degrees=[0, 0, *DEGREES, 0])
    with h5py.File(path, "a") as file:
        stored = file["entry0000/instrument/detector/data"]
        stored[22] = stored[2]
    return path


TWICE = with_value((7, COUNTS[3]))
AGAIN = np.where(np.arange(20) == 7, DEGREES[3], DEGREES)

#: number and what: file, hints, what the notices say, what holds of the scan
READ = {
    "12 the detector of the definition": (
        two_detectors("detector", "camera"),
        {},
        "there are also frames in /entry0000/instrument/camera/data (dataset=)",
        lambda s: (s.projections[2] == 1004).all(),  # the third of frames that hold their numbers
    ),
    "12 the detector asked for": (
        two_detectors("pco1", "pco2"),
        {"dataset": "/entry0000/instrument/pco2/data"},
        None,
        lambda s: (s.projections[2] == 1005).all(),
    ),
    "48 frames that were announced and are not there": (
        renumbered,
        {},
        "the master announces 25 frames and 20 are there",
        lambda s: s.shape[0] == 20,
    ),
    "48 data without their master": (
        data_file,
        {},
        "energy and distance are not in this file; the master has them",
        lambda s: s.energy_kev is None and s.distance is None and s.shape[0] == 8,
    ),
    "49 an image that says it is shifted": (
        cxi_image(1),
        {},
        "was moved to the middle (fftshift)",
        lambda s: np.array_equal(s.intensity[:], PATTERN),
    ),
    "49 amplitudes of ptychography": (
        lambda folder: write_diffamp(folder / "scan.h5", PATTERN, np.zeros((2, 20))),
        {},
        "squared to intensities and moved back to the middle",
        lambda s: np.allclose(s.intensity[:], PATTERN, rtol=1e-5),
    ),
    "49 the detector's own frames": (
        lambda folder: write_cxi(folder / "raw.cxi", PATTERN),
        {},
        None,
        lambda s: np.array_equal(s.intensity[:], PATTERN),
    ),
    "51 the same frame under the same angle": (
        exchange(data=TWICE, theta=AGAIN),
        {},
        "frames 3 and 7 hold the same values under the same angle, as when a file is used twice; exclude=7",
        lambda s: s.shape[0] == 20,
    ),
    "51 in numbers of the stored stack": (
        last_is_the_first,
        {"quantity": "counts"},
        "frames 2 and 22 hold the same values",
        lambda s: s.shape[0] == 21,
    ),
    "51 a map that lies in the folder twice": (
        map_twice,
        {"element": "Cu"},
        "hold the same values under the same angle",
        lambda s: s.shape[0] == 21,
    ),
}
