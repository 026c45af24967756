"""CXI 1.x, the coherent imaging data bank's format, as PyNX, cdiutils and beamlines write it: patterns in, results out.

/entry_N/data_1/data is normally a link to /entry_N/instrument_1/detector_1/data or to /entry_N/image_1/data.
Everything is in SI units: energy in joules, lengths in metres. `mask` is a bit field: the bits below 0x1000 say what is
wrong with a pixel, 0x1000 and above what is in it. PyNX writes 1 for a pixel not to be used, which is bit 0 of that
field.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError, QuestionError, ScanError
from ..frames import LazyFrames
from ..scans import CdiScan, Source
from .extras import images
from .hdf5 import find, names, require
from .hints import ReadHints
from .masks import hinted_mask, settled_mask
from .patterns import Pattern, Values, assemble_pattern
from .ptychography import Unpacked, of_places, told_of_places
from .stacks import open_stack
from .values import energy_kev, number, text

__all__ = ["NAME", "RESULT", "detect", "entries", "is_result", "read", "result_group"]

NAME = "CXI (coherent imaging)"
RESULT = "a CXI result"
BAD_BITS = 0x7FF
_PLACES = ("data_1/data", "instrument_1/detector_1/data", "image_1/data")


def detect(file: h5py.File) -> bool:
    """Whether it says so, or is called so and has an entry."""
    return "cxi_version" in file or (Path(file.filename).suffix.lower() == ".cxi" and "entry_1" in file)


def entries(file: h5py.File) -> list[str]:
    """``entry_1`` and so on; aliases such as ``entry_last`` are left out."""
    return sorted((n for n in names(file) if re.fullmatch(r"entry_\d+", n)), key=lambda n: int(n[6:]))


def result_group(file: h5py.File, entry: str | None = None) -> h5py.Group | None:
    """The newest image that is an object and no pattern: complex, in real space, or with a support."""
    for name in reversed(entries(file)) if entry is None else [entry.strip("/")]:
        group = find(file, name)
        for child in names(group) if isinstance(group, h5py.Group) else ():
            image = find(group, child)
            if child.startswith("image_") and isinstance(image, h5py.Group) and _object(image):
                return image
    return None


def _object(image: h5py.Group) -> bool:
    data = find(image, "data")
    if not isinstance(data, h5py.Dataset) or data.shape is None:
        return False
    if text(find(image, "data_space")) == "diffraction":
        return False
    is_complex = data.dtype.kind == "c" or set(data.dtype.names or ()) in ({"r", "i"}, {"real", "imag"})
    return is_complex or text(find(image, "data_space")) == "real" or "support" in image


def is_result(file: h5py.File) -> bool:
    """Whether the file holds an inversion that `read_volume` reads."""
    return detect(file) and result_group(file) is not None


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """The pattern of the entry named, or of the only one; frames of many places of a sample to be looked at.

    Raises
    ------
    ScanError
        When there is no stack of three axes; as QuestionError for several entries.
    """
    entry = _entry(file, path, hints)
    dataset = hints.dataset or _dataset(file, path, entry)
    stored = require(file, dataset)
    if stored.ndim == 2:
        raise ScanError(
            f"{dataset} in {path.name} is one frame of {stored.shape[0]} × {stored.shape[1]} pixels; a rocking scan "
            "has three axes (frame, row, column): give the whole stack"
        )
    group = stored.parent
    frames, here = open_stack(file, dataset, hints, notices)
    detector = find(file, f"{entry}/instrument_1/detector_1")
    source = find(file, f"{entry}/instrument_1/source_1")
    pattern = Pattern(NAME, path, dataset, frames, notices=notices, name=path.stem)
    pattern.values, shifted = _values(group), number(find(group, "is_fft_shifted"))[0]
    # a file that says nothing holds frames as the detector gave them; one that mentions shifting is looked at
    pattern.peak = "detector" if shifted is None and not group.name.split("/")[-1].startswith("image") else None
    pattern.shifted = bool(shifted)
    pattern.mask = _mask(file, entry, group, stored.shape, hints, path)
    pattern.energy_kev, said = _energy(source, find(file, f"{entry}/instrument_1/beam_1"))
    notices += [said] if said else []
    pattern.distance = number(find(detector, "distance"))[0] if isinstance(detector, h5py.Group) else None
    pattern.pixel_size = _pixels(detector)
    positions = None if hints.technique == "cdi" else _positions(file, entry, stored.shape)
    if positions is None:
        return assemble_pattern(pattern, hints)
    return _ptychography(pattern, frames, positions, here, hints)


def _positions(file: h5py.File, entry: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """(frame, 2), (y, x) in metres, where the beam met the sample: it is the sample whose translation CXI keeps."""
    for place in ("sample_1/geometry_1/translation", "data_1/translation", "instrument_1/detector_1/translation"):
        stored = find(file, f"{entry}/{place}")
        if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "iuf" or len(shape) != 3:
            continue
        if stored.shape in ((shape[0], 3), (shape[0], 2)) and len(np.unique(stored[()], axis=0)) > 1:
            return -np.asarray(stored[()], dtype=float)[:, 1::-1]
    return None


def _ptychography(
    pattern: Pattern, frames: LazyFrames, positions: np.ndarray, here: np.ndarray, hints: ReadHints
) -> CdiScan:
    """Frames as they are stored, squared where they are amplitudes; nothing of them is a rocking scan."""
    path, notices = pattern.path, pattern.notices
    if squared := (hints.values or pattern.values) == "amplitude":
        notices.append("the file holds amplitudes; they were squared to intensities")
    if shifted := hints.peak == "corner":
        notices.append("the middle of each pattern was in its corners and was moved back, as asked")
    elif pattern.shifted:
        notices.append("the file calls its patterns FFT-shifted; they are shown as stored, peak='corner' moves them")
    unpacked = Unpacked(frames, squared=squared, shifted=shifted)
    shown, positions = of_places(unpacked, positions, here, hints, path)
    notices += told_of_places(len(here), len(shown))
    notices.append("pass technique='cdi' if they are a rocking scan after all")
    mask = pattern.mask if pattern.mask is None or pattern.mask.ndim == 2 else None
    pixel = (hints.pixel_size, hints.pixel_size) if hints.pixel_size else pattern.pixel_size
    return CdiScan(
        shown, mask, None, hints.energy_kev or pattern.energy_kev, pattern.distance, pixel, positions=positions,
        name=pattern.name, source=Source(path.absolute(), pattern.dataset, pattern.format),
        notices=tuple(dict.fromkeys(notices)), metadata={"technique": "ptychography"},
    )  # fmt: skip


def _entry(file: h5py.File, path: Path, hints: ReadHints) -> str:
    known = entries(file)
    if hints.entry is not None:
        if find(file, hints.entry.strip("/")) is None:
            raise ScanError(f"{path.name} has no {hints.entry}; it has {', '.join(known) or 'no entry'}")
        return hints.entry.strip("/")
    if len(known) > 1 and hints.dataset is None:
        raise QuestionError(
            f"{path.name} holds {len(known)} entries ({', '.join(known[:6])}); pass entry= for one of them",
            hint="entry",
            choices=tuple(known),
        )
    if not known:
        raise FormatError(f"{path.name} is CXI without an entry_1; it holds no data, get it again")
    return known[0]


def _dataset(file: h5py.File, path: Path, entry: str) -> str:
    for place in _PLACES:
        found = find(file, f"{entry}/{place}")
        if isinstance(found, h5py.Dataset) and found.dtype.kind in "biuf" and found.ndim >= 2:
            return f"/{entry}/{place}"
    for place in _PLACES:
        if place in file[entry]:
            require(file, f"{entry}/{place}")  # says why what is named is not there
    found_images = [image.path for image in images(file) if image.dataset.dtype.kind in "biuf" and len(image.shape) > 1]
    if len(found_images) == 1:
        return found_images[0]
    raise QuestionError(
        f"{path.name} has no data where CXI keeps it; pass dataset= as one of {', '.join(found_images[:6]) or 'none'}",
        hint="dataset",
        choices=tuple(found_images),
    )


def _values(group: h5py.Group) -> Values | None:
    kind = text(find(group, "data_type")).lower()
    if "amplitude" in kind:
        return "amplitude"
    if kind == "intensity" or group.name.split("/")[-1].startswith("detector"):
        return "intensity"
    return None


def _mask(
    file: h5py.File, entry: str, group: h5py.Group, shape: tuple[int, ...], hints: ReadHints, path: Path
) -> np.ndarray | None:
    if hints.mask:
        return hinted_mask(hints, path, shape)
    for place in (find(group, "mask"), find(file, f"{entry}/instrument_1/detector_1/mask")):
        if isinstance(place, h5py.Dataset) and place.shape in (shape, shape[-2:]):
            values = place[()]
            if hints.mask_means is None and values.dtype.kind in "iu" and values.max(initial=0) > 1:
                return (values.astype(np.int64) & BAD_BITS) != 0
            return settled_mask(values, hints, place.name, path)
    return None


def _energy(source: Any, beam: Any) -> tuple[float | None, str]:
    if isinstance(source, h5py.Group) and isinstance(stored := find(source, "energy"), h5py.Dataset):
        return energy_kev(stored, "J")
    for group, name in ((source, "wavelength"), (beam, "incident_wavelength")):
        length = number(find(group, name))[0] if isinstance(group, h5py.Group) else None
        if length and length > 0:
            return energy_kev(1.98644586e-25 / length, "J")
    return None, ""


def _pixels(detector: Any) -> tuple[float, float] | None:
    if not isinstance(detector, h5py.Group):
        return None
    column, row = (number(find(detector, name))[0] for name in ("x_pixel_size", "y_pixel_size"))
    return (row, column) if row and column else None
