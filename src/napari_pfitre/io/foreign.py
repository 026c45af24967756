"""Files that are told by the program that wrote them, wherever they keep their frames; and logs without any."""

from __future__ import annotations

import re
from pathlib import Path

import h5py

from .hdf5 import children, find
from .values import text

__all__ = ["is_eiger", "is_matlab", "metadata_only"]


def _has(*names: str):
    return lambda file: all(find(file, name) is not None or name in file for name in names)


def is_eiger(file: h5py.File) -> bool:
    """Whether a Dectris detector wrote the file, or a beamline in its layout."""
    if "entry" not in file:
        return False
    definition = find(file, "entry/definition")
    named = isinstance(definition, h5py.Dataset) and text(definition) == "NXmx"
    data = find(file, "entry/data")
    numbered = isinstance(data, h5py.Group) and "data_000001" in data
    stored = find(file, "entry/data/data")
    numbered_frames = isinstance(stored, h5py.Dataset) and (
        "image_nr_low" in stored.attrs or re.search(r"_data_\d{6}\.", Path(file.filename).name) is not None
    )
    return named or numbered or numbered_frames or _has("entry/instrument/detector/detectorSpecific")(file)


def metadata_only(file: h5py.File) -> str:
    """What a file without images is, for the message; empty when nothing is known."""
    if _has("entry/scan/data/image_file")(file):
        return "a DESY log that names image files lying elsewhere; open those"
    if "raw_data_1" in file:
        return "an ISIS log of monitors without camera images"
    return ""


def is_matlab(file: h5py.File) -> bool:
    """Whether MATLAB wrote the file (.mat of version 7.3), which stores axes in reverse."""
    return "#refs#" in file or any("MATLAB_class" in thing.attrs for _, thing in children(file) if thing is not None)
