"""Formats that are recognised but hold no tomography scan that could be read as it stands; each says what it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import h5py

from .exchange import is_reconstruction
from .hdf5 import children, find, names
from .values import attribute, text

__all__ = ["FOREIGN", "is_volume", "metadata_only"]


def _has(*names: str):
    return lambda file: all(find(file, name) is not None or name in file for name in names)


def _bliss(file: h5py.File) -> bool:
    return any(
        re.fullmatch(r"(.*_)?\d+\.\d+", name) and find(file, f"{name}/measurement") is not None
        for name in names(file)[:200]
    )


def _eiger(file: h5py.File) -> bool:
    if "entry" not in file:
        return False
    definition = find(file, "entry/definition")
    named = isinstance(definition, h5py.Dataset) and text(definition) == "NXmx"
    data = find(file, "entry/data")
    numbered = isinstance(data, h5py.Group) and "data_000001" in data
    stored = find(file, "entry/data/data")
    numbered_frames = isinstance(stored, h5py.Dataset) and "image_nr_low" in stored.attrs
    return named or numbered or numbered_frames or _has("entry/instrument/detector/detectorSpecific")(file)


def _emd(file: h5py.File) -> bool:
    return any(
        isinstance(thing, h5py.Group)
        and ("emd_group_type" in thing.attrs or any("emd_group_type" in g.attrs for g in _groups(thing)))
        for _, thing in children(file)
    )


def _groups(group: h5py.Group) -> list[h5py.Group]:
    return [thing for _, thing in children(group) if isinstance(thing, h5py.Group)][:50]


def is_volume(file: h5py.File) -> bool:
    """Whether the file holds a reconstruction: ours, nabu's, NXtomoproc, or Data Exchange after reconstructing."""
    if is_reconstruction(find(file, "exchange/data")):
        return True
    for entry in (thing for _, thing in children(file) if isinstance(thing, h5py.Group)):
        definition = find(entry, "definition")
        if isinstance(definition, h5py.Dataset) and text(definition).lower() == "nxtomoproc":
            return True
        process = find(entry, "reconstruction")
        if isinstance(process, h5py.Group) and isinstance(find(process, "results/data"), h5py.Dataset):
            return True
    return attribute(find(file, "entry1/tomo_entry/data/data"), "data_type") == "ImageData"


def metadata_only(file: h5py.File) -> str:
    """What a file without images is, for the message; empty when nothing is known."""
    if _has("entry/scan/data/image_file")(file):
        return "a DESY log that names image files lying elsewhere; open those"
    if "raw_data_1" in file:
        return "an ISIS log of monitors without camera images"
    return ""


_GENERIC = "its frames can be read as a stack with dataset=, angles= and quantity="

#: place in the order of detection (before which format of our own), name, test, what to do
FOREIGN: tuple[tuple[str, str, Callable[[h5py.File], bool], str], ...] = (
    (
        "first",
        "CXI (coherent imaging)",
        _has("cxi_version"),
        "it holds diffraction patterns or their inversion, not a tomography scan",
    ),
    (
        "before exchange",
        "an NSLS-II xrf_tomo file",
        lambda file: (
            _has("reconstruction/fitting/data")(file) and "elements" in (find(file, "reconstruction/fitting") or ())
        ),
        "read one element's maps with dataset='/reconstruction/recon/proj' (or '/reconstruction/fitting/data'), "
        "index= its number in /reconstruction/fitting/elements, angles='::/exchange/theta' and quantity='emission'",
    ),
    ("after nxtomo", "a Dectris Eiger file", _eiger, f"it holds detector frames without rotation angles; {_GENERIC}"),
    (
        "after nxtomo",
        "an NSLS-II ptychography input",
        _has("diffamp", "lambda_nm", "z_m"),
        "it holds diffraction amplitudes of one view, not projections",
    ),
    (
        "after nxtomo",
        "a PyXRF map",
        _has("xrfmap/detsum"),
        "it holds the maps of one angle; a scan needs one for each, stacked into one file (xrf_tomo does it)",
    ),
    (
        "after nxtomo",
        "an APS XRF-Maps file",
        lambda file: "MAPS" in file or "MAPS_RAW" in file,
        "it holds the maps of one angle; a scan needs one for each, stacked into one file",
    ),
    (
        "after nxtomo",
        "an ESRF BLISS raw file",
        _bliss,
        "convert it with `nxtomomill h52nx` and open the NXtomo file that it writes",
    ),
    (
        "after als832",
        "a HyperSpy file",
        lambda file: "Experiments" in file or attribute(file, "file_format").lower() == "hyperspy",
        f"{_GENERIC}",
    ),
    (
        "after als832",
        "a Velox EMD file",
        _has("Data/Image"),
        "export the tilt series as TIFF and pass its tilt angles with angles=",
    ),
    ("after als832", "an EMD file (electron microscopy)", _emd, f"{_GENERIC}"),
    (
        "after als832",
        "a MATLAB file",
        lambda file: (
            "#refs#" in file or any("MATLAB_class" in thing.attrs for _, thing in children(file) if thing is not None)
        ),
        f"{_GENERIC} (axes come reversed: axis_order='column,row,angle')",
    ),
)
