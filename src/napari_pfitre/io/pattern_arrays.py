"""Patterns as bare arrays: .npz and .npy from bcdi, cdiutils, PyNX, 3D-CDI-NN and AutoPhaseNN; TIFF when told so.

An array says nothing about itself; the names that these programs give to keys and files do. bcdi, cdiutils and PyNX
keep intensity under ``data`` and 1 for a bad voxel under ``mask`` (or ``data``, in a file whose name says mask);
3D-CDI-NN writes amplitudes from 0 to 1 to ``ft_crop….npy``; AutoPhaseNN keeps amplitude and object as ``arr_0``
and ``arr_1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import FormatError, QuestionError
from ..scans import CdiScan
from .hints import ReadHints
from .masks import hinted_mask, settled_mask
from .numpy_files import NpyFrames, arrays_of, is_numpy, keys_of
from .patterns import Pattern, Values, assemble_pattern
from .tiff_frames import TiffFrames

__all__ = ["NAME", "detect", "detect_tiff", "read", "read_tiff"]

NAME = "an array of NumPy"
TIFF = "a TIFF stack of a pattern"
_DATA = ("data", "I", "intensity", "diffraction", "arr_0")
#: keys of what bcdi and cdiutils write after the inversion
_RESULT = ({"amp", "phase"}, {"amplitude", "phase"}, {"amp", "bulk"})
_ANGLES = {"angles", "theta", "thetas", "angle"}


def detect(path: Path) -> bool:
    """A file of numpy's that brings no angles with it, as one of projections would."""
    return path.is_file() and is_numpy(path) and not _ANGLES & {key.lower() for key in keys_of(path)}


def detect_tiff(path: Path, hints: ReadHints) -> bool:
    """A TIFF file that the user calls a pattern."""
    return hints.technique == "cdi" and path.suffix.lower() in (".tif", ".tiff") and path.is_file()


def read(path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """The array that is the pattern, with its mask.

    Raises
    ------
    FormatError
        When the file holds a result or only a mask.
    QuestionError
        When it holds several arrays, or the numbers allow two readings.
    """
    found = arrays_of(path) or {}
    key = _key(found, path, hints)
    data = found[key]
    if data.dtype.kind == "c":
        raise FormatError(
            f"{path.name} holds complex numbers: a result, or a pattern whose phases are known already; what was "
            "measured is real, give that file"
        )
    stored = NpyFrames(path) if key == "" and data.ndim == 3 and data.dtype.kind in "biuf" else np.array(data)
    pattern = Pattern(NAME, path, key, stored, notices=notices, name=path.stem)
    pattern.values = _values(path, key, found)
    pattern.mask = _mask(path, found, data.shape, hints, notices)
    if hints.axis_order is None:
        notices.append("the axes are taken as frame, row, column; pass axis_order= if they are stored otherwise")
    return assemble_pattern(pattern, hints)


def read_tiff(path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """The frames of a TIFF file, in its order, as intensity or what `values` says."""
    frames = TiffFrames(path)
    pattern = Pattern(TIFF, path, "", frames, notices=notices, name=path.stem)
    pattern.mask = hinted_mask(hints, path, frames.shape) if hints.mask else None
    return assemble_pattern(pattern, hints)


def _key(found: Mapping[str, np.ndarray], path: Path, hints: ReadHints) -> str:
    if hints.dataset is not None:
        key = hints.dataset.strip("/")
        if key not in found:
            raise FormatError(f"{path.name} has no array {key!r}; it has {', '.join(found)}")
        return key
    if "" in found:
        return ""
    if any(result <= set(found) for result in _RESULT):
        raise FormatError(
            f"{path.name} holds {', '.join(list(found)[:6])}: the result of an inversion, not a pattern; give the file "
            "with the measured intensity"
        )
    if re.search(r"mask", path.stem, re.IGNORECASE) and not {"I", "intensity"} & set(found):
        raise FormatError(f"{path.name} is a mask by its name; open the pattern, and name this file with mask=")
    for key in _DATA:
        if key in found:
            return key
    solid = [key for key in found if found[key].ndim == 3]
    if len(solid) == 1:
        return solid[0]
    raise QuestionError(
        f"{path.name} holds {', '.join(list(found)[:8])}; which is the pattern? pass dataset=",
        hint="dataset",
        choices=tuple(solid or found),
    )


def _values(path: Path, key: str, found: Mapping[str, np.ndarray]) -> Values | None:
    if path.stem.startswith("ft_crop") or (key == "arr_0" and "arr_1" in found):
        return "amplitude"
    if key in ("I", "intensity") or "pynx" in path.stem:
        return "intensity"
    return None


def _mask(
    path: Path, found: Mapping[str, np.ndarray], shape: tuple[int, ...], hints: ReadHints, notices: list[str]
) -> np.ndarray | None:
    if hints.mask:
        return hinted_mask(hints, path, shape)
    if "mask" in found and found["mask"].shape in (shape, shape[-2:]):
        return settled_mask(found["mask"], hints, "mask", path)
    for pattern, other in ((r"_data$", "_mask"), (r"_pynx_norm_", "_maskpynx_"), (r"_pynx_", "_maskpynx_")):
        if re.search(pattern, path.stem):
            file = path.with_name(re.sub(pattern, other, path.stem) + path.suffix)
            if file != path and file.is_file() and (beside := arrays_of(file)) is not None:
                for values in beside.values():
                    if values.shape in (shape, shape[-2:]):
                        notices.append(f"the mask is from {file.name}, which lies beside it")
                        return settled_mask(values, hints, file.name, path)
    return None
