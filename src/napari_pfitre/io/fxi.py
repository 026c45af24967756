"""NSLS-II FXI (18-ID) full-field microscope: img_tomo, img_bkg, img_dark and angle at the root, no attributes."""

from __future__ import annotations

from pathlib import Path

import h5py

from ..errors import FormatError
from .angles import Angles
from .extras import frame_or_stack
from .hdf5 import find
from .hints import ReadHints
from .parts import Parts
from .stacks import open_stack
from .values import energy_kev, length, number, row, text

__all__ = ["detect", "read"]

NAME = "NSLS-II FXI"


def detect(file: h5py.File) -> bool:
    return "img_tomo" in file


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """A fly scan or step scan as FXI's export writes it."""
    dataset = hints.dataset or "/img_tomo"
    frames, present = open_stack(file, dataset, hints, notices)
    angle = find(file, "angle")
    angles = None
    values = row(angle)
    if values is not None and values.size > 1:
        angles = Angles(values, None, f"/angle in {path.name}")
    parts = Parts(
        NAME, path, dataset, frames, ("angle", "row", "column"), angles, "deg", present=present, notices=notices
    )
    # The export reads the encoder from the first frame on: what it has too much is at the end.
    parts.surplus = "last"
    parts.flats = _frames(file, path, "img_bkg", notices)
    parts.darks = _frames(file, path, "img_dark", notices)
    energy = find(file, "X_eng")
    if isinstance(energy, h5py.Dataset) and energy.shape is not None and energy.size > 1:
        notices.append(f"X_eng lists {energy.size} energies, so this may be a spectroscopic scan; none was taken over")
    elif energy is not None:
        parts.energy_kev, sentence = energy_kev(energy, "keV")
        notices += [sentence] if sentence else []
    if (pixel := find(file, "Pixel Size")) is not None:
        size, sentence = length(pixel, unstated=("nm", "um"))
        if size is not None:
            parts.pixel_size = (size, size)
            sentence = sentence or (
                f"the pixel size {size * 1e9:g} nm is that of the unbinned camera; pass pixel_size= if the frames "
                "were binned"
            )
        notices += [sentence] if sentence else []
    identifier = number(find(file, "scan_id"))[0]
    parts.name = f"scan {identifier:.0f}" if identifier is not None else path.stem
    parts.metadata = {
        key: text(find(file, key))
        for key in ("note", "uid", "scan_time", "Magnification")
        if find(file, key) is not None
    }
    return parts


def _frames(file: h5py.File, path: Path, name: str, notices: list[str]):
    """The single frames when they were kept, otherwise their average."""
    for candidate in (name, f"{name}_avg"):
        stored = find(file, candidate)
        if not isinstance(stored, h5py.Dataset) or stored.shape is None or stored.size == 0:
            continue
        if stored.ndim > 3:
            raise FormatError(
                f"{candidate} in {path.name} has shape {stored.shape}; pass flats= and darks= with single frames"
            )
        if candidate != name:
            notices.append(f"{name} is not in the file; its average {candidate} was taken")
        return frame_or_stack(file, candidate)
    return None
