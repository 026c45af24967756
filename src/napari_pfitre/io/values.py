"""What small HDF5 values and attributes mean: text in any encoding, single numbers, lengths, energies.

Beamline files give one number as (), (1,) or (1, 1), one string as str, bytes, an array of either, or Latin-1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError

__all__ = ["attribute", "attribute_value", "energy_kev", "length", "number", "row", "text"]

#: Lengths outside this window are no pixel sizes: placeholders, other quantities, wrong units.
PIXEL_WINDOW = (0.9e-9, 1.1e-3)

#: Bytes; a string whose type claims more is a damaged one, and takes seconds to read.
LONGEST_TEXT = 1 << 20
#: Values; no scan has more frames.
LONGEST_ROW = 20_000_000

METRES = {
    "m": 1.0,
    "meter": 1.0,
    "metre": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "millimeter": 1e-3,
    "millimetre": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
    "micron": 1e-6,
    "micrometer": 1e-6,
    "micrometre": 1e-6,
    "nm": 1e-9,
    "nanometer": 1e-9,
    "nanometre": 1e-9,
    "pm": 1e-12,
    "å": 1e-10,
    "angstrom": 1e-10,
}
_KEV = {"kev": 1.0, "kiloelectron_volt": 1.0, "kiloelectronvolt": 1.0, "ev": 1e-3, "electron_volt": 1e-3}
_KEV |= {"electronvolt": 1e-3, "mev": 1e3, "j": 1 / 1.602176634e-16, "joule": 1 / 1.602176634e-16}


def text(value: Any) -> str:
    """A string from whatever HDF5 holds: a dataset, an attribute, bytes in UTF-8 or Latin-1, an array of them."""
    if isinstance(value, h5py.Dataset):
        if value.shape is None or value.size == 0 or value.dtype.kind not in "biufcSOU":
            return ""
        if value.dtype.itemsize > LONGEST_TEXT or value.size > 10_000:
            return ""
        value = value[()] if value.shape == () else value[(0,) * value.ndim]
    if value is None or isinstance(value, h5py.Empty | h5py.Group):
        return ""
    if isinstance(value, np.ndarray | list | tuple):
        flat = np.ravel(np.asarray(value, dtype=object))
        return text(flat[0]) if flat.size else ""
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    return str(value).split("\0")[0].strip()


def attribute(thing: h5py.HLObject | None, *names: str) -> str:
    """The first of some attributes that is there, as text; empty when none is, or when it cannot be read."""
    for name in names:
        try:
            if thing is not None and name in thing.attrs:
                return text(thing.attrs[name])
        except (OSError, KeyError, TypeError, ValueError, RuntimeError):
            continue
    return ""


def attribute_value(thing: h5py.HLObject | None, name: str) -> Any:
    """The value of an attribute as h5py gives it; None when there is none, or when it cannot be read."""
    try:
        return thing.attrs[name] if thing is not None and name in thing.attrs else None
    except (OSError, KeyError, TypeError, ValueError, RuntimeError):
        return None


def row(stored: Any) -> np.ndarray | None:
    """A dataset of real numbers as one row of floats; None when it is no such thing.

    Raises
    ------
    FormatError
        When it claims to be longer than any list of angles is.
    """
    if not isinstance(stored, h5py.Dataset) or stored.shape is None:
        return None
    if stored.dtype.kind in "SO":
        return _written_out(stored)
    if stored.dtype.kind not in "biuf":
        return None
    if stored.size > LONGEST_ROW:
        raise FormatError(
            f"{stored.name} in {Path(stored.file.filename).name} claims {stored.size} values where one for each frame "
            "is expected; the file is damaged"
        )
    return np.ravel(stored[()]).astype(float)


def _written_out(stored: h5py.Dataset) -> np.ndarray | None:
    """Numbers that somebody wrote as text, each by itself."""
    if (
        stored.size == 0
        or stored.size > 100_000
        or stored.dtype.itemsize > 64
        or h5py.check_string_dtype(stored.dtype) is None
    ):
        return None
    try:
        return np.array([float(text(value)) for value in np.ravel(stored[()])])
    except ValueError:
        return None


def number(value: Any) -> tuple[float | None, str]:
    """A number, and the unit written behind it: ``'38.2nm'`` → (38.2, 'nm'). None when there is no number."""
    if isinstance(value, h5py.Dataset):
        if value.shape is None or value.size == 0 or value.size > 64 or value.dtype.kind not in "biufSOU":
            return None, ""
        if value.dtype.itemsize > LONGEST_TEXT:
            return None, ""
        value = value[()]
    if value is None or isinstance(value, h5py.Group):
        return None, ""
    flat = np.ravel(np.asarray(value))
    if flat.size == 0:
        return None, ""
    first = flat[0]
    if isinstance(first, np.complexfloating | complex):
        return None, ""
    if isinstance(first, np.number | np.bool_ | int | float):
        return (float(first), "") if np.isfinite(first) else (None, "")
    found = re.fullmatch(r"([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*([a-zA-Zµμå_]*)", text(first))
    return (float(found[1]), found[2]) if found and np.isfinite(float(found[1])) else (None, "")


def length(value: Any, unit: str = "", *, unstated: tuple[str, ...] = ()) -> tuple[float | None, str]:
    """A pixel size in metres, and what there is to say about it.

    Parameters
    ----------
    value
        A number or a string such as ``'38.2nm'``, or a dataset of either with its unit in ``units``.
    unit
        Used when neither the string nor the dataset names one.
    unstated
        Units to try in turn while none is named; the first that gives 1 nm to 1 mm is taken.

    Returns
    -------
    (metres or None, sentence)
        The sentence is empty when the unit was stated and the size makes sense.
    """
    stated = attribute(value, "units", "unit") if isinstance(value, h5py.Dataset) else ""
    size, written = number(value)
    if size is None:
        return None, f"the pixel size {text(value)[:40]!r} is no number and was ignored" if text(value) else ""
    unit = written or stated or unit
    low, high = PIXEL_WINDOW
    if factor := _factor(unit, METRES):
        metres = size * factor
        if low <= metres <= high:
            return metres, ""
        return (
            None,
            f"the pixel size {size:g} {unit} makes no sense and is taken as unknown; pass pixel_size= in metres",
        )
    for guess in unstated:
        metres = size * METRES[guess]
        if low <= metres <= high:
            return (
                metres,
                f"the pixel size {size:g} has no unit and was read as {guess}; pass pixel_size= if that is wrong",
            )
    named = f" {unit}" if unit else ""
    return None, f"the pixel size {size:g}{named} has no unit that makes sense of it and is taken as unknown"


def metres(value: Any, least: float) -> float | None:
    """A length whose attribute gives its unit, or metres; None when it is less than `least`, which makes no sense."""
    size, written = number(value)
    unit = written or (attribute(value, "units", "unit") if isinstance(value, h5py.Dataset) else "")
    if size is None:
        return None
    found = size * (_factor(unit, METRES) or 1.0)
    return found if found >= least else None


def energy_kev(value: Any, unit: str = "") -> tuple[float | None, str]:
    """A photon energy in keV, and what there is to say about it; the unit is told from the magnitude when unstated."""
    stated = attribute(value, "units", "unit") if isinstance(value, h5py.Dataset) else ""
    size, written = number(value)
    if size is None or size <= 0:
        return None, ""
    unit = written or stated or unit
    factor = _factor(unit, _KEV)
    said = ""
    if factor is None or not 0.05 <= size * factor <= 1000:
        guess = "J" if size < 1e-10 else "keV" if size < 200 else "eV"
        factor = _KEV[guess.lower()]
        why = f"is given in {unit!r}" if unit else "has no unit"
        said = f"the energy {size:g} {why} and was read as {guess}"
    kev = size * factor
    return (kev, said) if 0.05 <= kev <= 1000 else (None, f"the energy {size:g} {unit} makes no sense and was ignored")


def _factor(unit: str, table: dict[str, float]) -> float | None:
    name = unit.strip().lower()
    return table.get(name) or table.get(name.removesuffix("s"))
