"""NSLS-II fluorescence tomography (xrf_tomo, PyXRF): maps of many elements at each angle, in one file.

/reconstruction/recon/proj or /reconstruction/fitting/data   (angle, element, row, column)
/reconstruction/fitting/elements                             names: Cu_K, bkg, compton, …
/exchange/theta                                              degrees

Older PyXRF keeps /element_data/<element>/data (angle, row, column) and /angle/data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError, QuestionError
from .angles import Angles, angle_unit
from .hdf5 import children, find
from .hints import ReadHints
from .parts import Parts
from .stacks import open_stack
from .values import attribute, row, text

__all__ = ["NAME", "chosen_element", "detect", "element_names", "read"]

NAME = "NSLS-II xrf_tomo"
_FITTING, _PROJECTIONS = "/reconstruction/fitting", "/reconstruction/recon/proj"
#: what the fit yields beside elements
_NO_ELEMENTS = ("bkg", "background", "compton", "elastic", "snip_bkg", "r_factor", "r_squared", "sel_cnt", "total_cnt")


def detect(file: h5py.File) -> bool:
    data = find(file, f"{_FITTING}/data")
    fitted = isinstance(data, h5py.Dataset) and data.ndim == 4 and "elements" in data.parent
    return fitted or (isinstance(find(file, "element_data"), h5py.Group) and find(file, "angle/data") is not None)


def element_names(stored: h5py.Dataset | h5py.Group | None) -> list[str]:
    """Names as a dataset of strings has them; at most a few hundred are expected."""
    if not isinstance(stored, h5py.Dataset) or stored.shape is None or stored.ndim != 1 or stored.size > 5000:
        return []
    return [text(name) for name in stored[:]] if stored.dtype.kind in "SOU" else []


def chosen_element(names: list[str], hints: ReadHints, name: str) -> int:
    """The number of the element that ``element=`` or ``index=`` names.

    Raises
    ------
    QuestionError
        When none is named, or one that is not there; elements are offered before background and scattering.
    """
    if hints.element is None and hints.index is not None and hints.index < len(names):
        return hints.index
    wanted = "" if hints.element is None else hints.element.strip().lower().replace("-", "_")
    found = [at for at, known in enumerate(names) if known.lower().replace("-", "_") in (wanted, f"{wanted}_k")]
    if len(names) == 1 and not wanted:
        return 0
    if len(found) == 1:
        return found[0]
    offered = sorted(names, key=lambda known: known.lower() in _NO_ELEMENTS or known.startswith("$"))
    what = f"no map of {hints.element}" if wanted else f"maps of {len(names)} elements"
    raise QuestionError(
        f"{name} has {what}; pass element= as one of {', '.join(offered[:12])}", hint="element", choices=tuple(offered)
    )


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The maps of one element over all angles."""
    if isinstance(find(file, "element_data"), h5py.Group) and find(file, f"{_FITTING}/data") is None:
        return _read_older(file, path, hints, notices)
    names = element_names(find(file, f"{_FITTING}/elements"))
    proj = find(file, _PROJECTIONS)
    dataset = hints.dataset or (_PROJECTIONS if isinstance(proj, h5py.Dataset) else f"{_FITTING}/data")
    stored = find(file, dataset)
    if isinstance(stored, h5py.Dataset) and stored.ndim == 4 and stored.shape[1] != len(names):
        raise FormatError(
            f"{dataset} in {path.name} holds {stored.shape[1]} maps at each angle for {len(names)} names of elements; "
            "pass dataset= and index="
        )
    index = chosen_element(names, hints, path.name)
    angles = _angles(file, "exchange/theta", path)
    frames, present = open_stack(file, dataset, replace(hints, index=index), notices, extra_axis=1)
    notices[:] = [notice for notice in notices if "number" not in notice or "was read" not in notice]
    parts = Parts(
        NAME, path, dataset, frames, ("angle", "row", "column"), angles, "deg", present=present, notices=notices
    )
    parts.quantity = "emission"
    parts.name = f"{path.stem} {names[index]}"
    parts.metadata = {"element": names[index], "elements": names}
    notices.append(
        f"{names[index]} was read from {dataset}; xrf_tomo turns the sample about the rows of its frames: pass "
        "rotation_axis='horizontal' if the axis lies across"
    )
    return parts


def _read_older(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    group = find(file, "element_data")
    assert isinstance(group, h5py.Group)  # `detect` saw it
    names = [name for name, thing in children(group) if isinstance(thing, h5py.Group)]
    if not names:
        raise FormatError(f"/element_data in {path.name} is empty; fit the spectra first (PyXRF)")
    name = names[chosen_element(names, hints, path.name)]
    dataset = hints.dataset or f"/element_data/{name}/data"
    frames, present = open_stack(file, dataset, hints, notices)
    angles = _angles(file, "angle/data", path)
    parts = Parts(
        NAME, path, dataset, frames, ("angle", "row", "column"), angles, "deg", present=present, notices=notices
    )
    parts.quantity, parts.name = "emission", f"{path.stem} {name}"
    parts.metadata = {"element": name, "elements": names}
    return parts


def _angles(file: h5py.File, name: str, path: Path) -> Angles | None:
    stored = find(file, name)
    values = row(stored)
    if values is None or not np.size(values):
        return None
    return Angles(values, angle_unit(attribute(stored, "units", "unit")), f"/{name} in {path.name}")
