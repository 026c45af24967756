"""Fluorescence maps, one file an angle: PyXRF at NSLS-II (HXN, SRX) and XRF-Maps at APS, a folder gathered to a stack.

PyXRF      /xrfmap/detsum/xrf_fit (element, row, column), xrf_fit_name; the angle is the attribute param_theta of
           /xrfmap/scan_metadata, in thousandths of a degree (param_theta_units)
XRF-Maps   /MAPS/XRF_Analyzed/{NNLS,Fitted,ROI}/Counts_Per_Sec (channel, row, column) with Channel_Names; before 2020
           /MAPS/XRF_fits or XRF_roi with channel_names; the angle is among the PVs (extra_pvs: names, values)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ..errors import FormatError, PfitreError, ScanError
from .angles import Angles, angle_unit
from .gathered import Gathered, in_natural_order
from .hdf5 import find, opened
from .hints import ReadHints
from .parts import Parts
from .stacks import Hdf5Frames, native
from .values import attribute, attribute_value, number, row, text
from .xrf_tomo import chosen_element, element_names

__all__ = ["NAME", "ONE", "detect", "is_map", "read", "refuse_one"]

NAME, ONE = "a folder of fluorescence maps", "a fluorescence map"
_SUFFIXES = (".h5", ".hdf5", ".nxs")
_MOST = 5000
#: dataset of maps, dataset of their names, in the order they are preferred
_LAYOUTS = (
    ("/xrfmap/detsum/xrf_fit", "/xrfmap/detsum/xrf_fit_name"),
    *((f"/MAPS/XRF_Analyzed/{fit}/Counts_Per_Sec", f"/MAPS/XRF_Analyzed/{fit}/Channel_Names")
      for fit in ("NNLS", "Fitted", "ROI")),
    ("/MAPS/XRF_fits", "/MAPS/channel_names"),
    ("/MAPS/XRF_roi", "/MAPS/channel_names"),
)  # fmt: skip
_ANGLE_PV = re.compile(r"theta|rot|angle|:m\d*\.RBV.*rot", re.IGNORECASE)


class _Map(NamedTuple):
    """One file of a folder."""

    path: Path
    dataset: str
    names: list[str]
    angle: float | None
    unit: str | None
    shape: tuple[int, int]
    dtype: np.dtype


def is_map(file: h5py.File) -> bool:
    return any(find(file, name) is not None for name in ("xrfmap/detsum", "MAPS", "MAPS_RAW"))


def refuse_one(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """One map is one angle; the scan is the folder."""
    raise FormatError(
        f"{path.name} holds the fluorescence maps of one angle; a scan is a folder with a file for each: "
        f"open the folder {path.parent.name}"
    )


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    return in_natural_order([path for path, _ in zip(found, range(_MOST), strict=False)])


def detect(path: Path) -> bool:
    """A folder whose first HDF5 file is a map."""
    try:
        files = _files(path) if path.is_dir() else []
        if len(files) < 2:
            return False
        with opened(files[0]) as file:
            return is_map(file)
    except (OSError, PfitreError):
        return False


def read(path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The maps of one element, a file an angle, in the order of the angles' files.

    Raises
    ------
    ScanError
        When an angle is missing or elements differ; as QuestionError while no element is chosen.
    """
    maps: list[_Map] = []
    left: list[Path] = []
    for file in _files(path):
        if (one := _look(file)) is None:
            left.append(file)
        else:
            maps.append(one)
    if left:
        notices.append(
            f"{len(left)} files of {path.name} hold no fitted maps and were left aside, such as {left[0].name}"
        )
    if not maps:
        raise FormatError(f"no file in {path.name} holds fitted maps; fit the spectra first (PyXRF, XRF-Maps)")
    index = chosen_element(maps[0].names, hints, path.name)
    element = maps[0].names[index]
    lacking = [one.path.name for one in maps if element not in one.names]
    if lacking:
        raise ScanError(f"{element} is not among the elements of {', '.join(lacking[:3])}; fit all maps alike")
    places = {one.path: (one.dataset, one.names.index(element)) for one in maps}

    def load(file: Path, rows: slice, columns: slice) -> np.ndarray:
        dataset, at = places[file]
        return Hdf5Frames(file, dataset, fixed={0: at}, new_axis=0)[0, rows, columns]

    stored = Gathered([one.path for one in maps], [one.shape for one in maps], native(maps[0].dtype), load)
    sizes = {one.shape for one in maps}
    if len(sizes) > 1:
        notices.append(
            f"the maps have {len(sizes)} sizes; smaller ones were filled up with zeros to {stored.shape[1:]}"
        )
    parts = Parts(NAME, path, maps[0].dataset, stored, ("angle", "row", "column"), _angles(maps, path), notices=notices)
    parts.quantity, parts.name = "emission", f"{path.name} {element}"
    parts.metadata = {"element": element, "elements": maps[0].names, "files": [one.path.name for one in maps]}
    return parts


def _look(path: Path) -> _Map | None:
    with opened(path) as file:
        for dataset, names in _LAYOUTS:
            stored = find(file, dataset)
            if not isinstance(stored, h5py.Dataset) or stored.ndim != 3 or stored.dtype.kind not in "iuf":
                continue
            found = element_names(find(file, names))
            if len(found) < stored.shape[0]:
                continue
            angle, unit = _angle(file)
            return _Map(path, dataset, found[: stored.shape[0]], angle, unit, stored.shape[1:], stored.dtype)
    return None


def _angle(file: h5py.File) -> tuple[float | None, str | None]:
    about = find(file, "xrfmap/scan_metadata")
    if (theta := number(attribute_value(about, "param_theta"))[0]) is not None:
        return theta, angle_unit(attribute(about, "param_theta_units")) or "mdeg"
    for name in ("theta", "angle"):
        stored = find(file, f"MAPS/{name}")
        values = row(stored)
        if values is not None and values.size:
            return float(values[0]), angle_unit(attribute(stored, "units")) or "deg"
    names = find(file, "MAPS/Scan/Extra_PVs/Names") or find(file, "MAPS/extra_pvs")
    values = find(file, "MAPS/Scan/Extra_PVs/Values")
    if isinstance(names, h5py.Dataset) and names.shape is not None and names.size < 20_000:
        listed = names[...]
        texts = [text(name) for name in (listed[0] if listed.ndim == 2 else listed)]
        if isinstance(values, h5py.Dataset) and values.shape is not None and values.size == len(texts):
            numbers = list(values[...])
        else:
            numbers = list(listed[1]) if listed.ndim == 2 and len(listed) > 1 else []
        for name, value in zip(texts, numbers, strict=False):
            if _ANGLE_PV.search(name) and (found := number(value)[0]) is not None:
                return found, "deg"
    return None, None


def _angles(maps: list[_Map], path: Path) -> Angles | None:
    """None unless each file states its angle: the question that follows takes a table."""
    units = {one.unit for one in maps}
    if any(one.angle is None for one in maps) or len(units) != 1:
        return None
    return Angles(np.array([one.angle for one in maps], float), units.pop(), f"the files of {path.name}")
