"""Angles: from a file, a table, a range or a list; in degrees, radians or thousandths of a degree, stated or not."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FormatError, QuestionError, ScanError
from .hdf5 import opened, require
from .sniff import identify
from .values import attribute, row

__all__ = ["Angles", "angle_unit", "check_angles", "parse_angles", "span_text", "to_radians"]

_UNITS = {"deg": 1.0, "rad": 180 / np.pi, "mdeg": 1e-3}
_SPELLINGS = {
    "deg": ("deg", "degs", "degree", "degrees", "°", "[deg]"),
    "rad": ("rad", "rads", "radian", "radians", "[rad]"),
    "mdeg": ("mdeg", "millidegree", "millidegrees", "milli_degree"),
}
_NAMES = re.compile(r"angle|theta|rotation|tilt|omega|phi", re.IGNORECASE)


def angle_unit(spelling: str) -> str | None:
    """``"deg"``, ``"rad"`` or ``"mdeg"`` for any spelling met in files; None for anything else."""
    wanted = spelling.strip().lower()
    return next((unit for unit, names in _SPELLINGS.items() if wanted in names), None)


@dataclass(frozen=True)
class Angles:
    """Angles as they were found: numbers, or a range still to be divided."""

    values: np.ndarray | None  #: in `unit`
    unit: str | None  #: None when nothing says
    origin: str  #: where they come from, for messages
    start: float = 0.0  #: of the range, when `values` is None
    stop: float = 180.0
    inclusive: bool = False

    @property
    def count(self) -> int | None:
        """How many there are; None for a range."""
        return None if self.values is None else self.values.size

    def for_count(self, count: int) -> np.ndarray:
        """As many values as there are frames, for a range; the values themselves otherwise."""
        if self.values is not None:
            return self.values
        return np.linspace(self.start, self.stop, count, endpoint=self.inclusive)


def parse_angles(hint: str, source: Path) -> Angles:
    """What ``angles=`` means: a range, numbers, a text file, or ``FILE::/dataset`` (``::/dataset`` for `source`)."""
    hint = hint.strip()
    if found := re.fullmatch(r"([-+\d.eE]+):([-+\d.eE]+)(:inclusive|:exclusive)?", hint):
        try:
            start, stop = float(found[1]), float(found[2])
        except ValueError:
            raise ScanError(f"angles={hint!r} is no range; write it as 0:180 or 0:180:inclusive, in degrees") from None
        return Angles(None, "deg", f"angles={hint}", start, stop, found[3] == ":inclusive")
    if re.fullmatch(r"[-+\d.eEnaif,;\s]+", hint) and any(c.isdigit() for c in hint):
        try:
            values = np.array([float(part) for part in re.split(r"[,;\s]+", hint) if part])
        except ValueError:
            raise ScanError(f"angles={hint[:60]!r} should be numbers in degrees with commas between them") from None
        return Angles(values, "deg", "angles=")
    name, _, dataset = hint.partition("::")
    path = source if not name else Path(name).expanduser()
    if not path.exists() and not path.is_absolute() and (source.parent / path).exists():
        path = source.parent / path
    if dataset:
        with opened(path) as file:
            stored = require(file, dataset)
            listed = row(stored)
            if listed is None or stored.size != max(stored.shape, default=0):
                raise ScanError(
                    f"{dataset} in {path.name} has shape {stored.shape}; angles should be one row of numbers"
                )
            return Angles(listed, angle_unit(attribute(stored, "units", "unit")), f"{path.name}::{dataset}")
    return read_table(path)


def read_table(path: Path) -> Angles:
    """Angles from a text file: one column, or the column whose heading is angle, theta, rotation, tilt, …

    A unit in the heading (``angle [rad]``, ``theta_deg``) counts; without one they are degrees if that can be.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        if not path.exists():
            raise ScanError(f"the table of angles {path} does not exist; pass angles= with its path") from None
        raise ScanError(f"the table of angles {path} cannot be read; pass angles= with another") from None
    if path.stat().st_size and identify_or_none(path):
        raise ScanError(
            f"{path.name} is no table of angles but {identify_or_none(path)}; write angles=FILE::/dataset for HDF5"
        )
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "//", "%"))]
    delimiter = next((d for d in (",", ";", "\t") if rows and d in rows[0]), None)
    cells = (
        [[c.strip() for c in row] for row in csv.reader(rows, delimiter=delimiter)]
        if delimiter
        else [r.split() for r in rows]
    )
    if not cells:
        raise ScanError(f"{path.name} holds no angles; write one a line, in degrees")
    heading: list[str] = []
    if not all(_is_number(cell) for cell in cells[0] if cell):
        heading, cells = cells[0], cells[1:]
    if heading and not delimiter:
        heading = [" ".join(heading)] if cells and len(cells[0]) == 1 else heading
    column = next((i for i, name in enumerate(heading) if _NAMES.search(name)), None)
    if column is None:
        widths = {len(row) for row in cells}
        if widths != {1}:
            raise ScanError(
                f"{path.name} has {max(widths, default=0)} columns and none is called angle; name one of them angle"
            )
        column = 0
    try:
        values = np.array([float(row[column]) for row in cells])
    except (ValueError, IndexError):
        bad = next(i for i, row in enumerate(cells) if len(row) <= column or not _is_number(row[column]))
        raise ScanError(
            f"line {bad + 1 + bool(heading)} of {path.name} holds no angle; write one number a line"
        ) from None
    words = re.split(r"[\s_()\[\]]+", heading[column]) if heading else []
    unit = next((unit for word in words if (unit := angle_unit(word))), None)
    return Angles(values, unit, path.name)


def identify_or_none(path: Path) -> str:
    """The kind of a binary file that was taken for a table; empty for text."""
    try:
        return identify(path).upper()
    except FormatError:
        return ""


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def to_radians(
    values: np.ndarray,
    stated: str | None,
    convention: str | None,
    origin: str,
    notices: list[str],
    *,
    insisted: str | None = None,
) -> np.ndarray:
    """Angles in radians.

    Parameters
    ----------
    stated
        The unit that is named beside the angles; believed unless the numbers speak against it.
    convention
        The unit that the format means when it names none; believed unless the numbers speak against it.
    notices
        What had to be inferred is added here.
    insisted
        The unit the user names; always believed.

    Raises
    ------
    QuestionError
        When the numbers could be degrees as well as radians and nothing says which.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    extent = float(np.ptp(values)) if values.size else 0.0
    ends = f"{values.min():.6g} to {values.max():.6g}" if values.size else "none"
    turn = 2 * np.pi * 1.001
    unit = insisted or stated
    if not insisted and stated == "rad" and largest > 100:
        raise QuestionError(
            f"{origin} says radians, but {ends} would be {extent / 2 / np.pi:.0f} turns; pass angle_unit='deg' or "
            "'rad'",
            hint="angle_unit",
            choices=("deg", "rad"),
        )
    if not insisted and stated == "deg" and 0 < largest <= turn and values.size > 2:
        notices.append(
            f"the angles of {origin} say degrees and run only from {ends}; pass angle_unit='rad' if they are radians"
        )
    if unit is None:
        if convention == "rad" and largest <= 100:
            unit = "rad"
            notices.append(
                f"the angles of {origin} have no unit; they were read as radians, as this format writes them"
            )
        elif extent >= 20000:
            unit = "mdeg"
            notices.append(
                f"the angles of {origin} have no unit and run from {ends}; they were read as thousandths of a degree; "
                "pass angle_unit= if that is wrong"
            )
        elif extent > 1000:
            raise QuestionError(
                f"the angles of {origin} have no unit, and {ends} could be degrees ({extent / 360:.3g} turns) or "
                "thousandths of a degree; pass angle_unit='deg' or 'mdeg'",
                hint="angle_unit",
                choices=("deg", "mdeg"),
            )
        elif largest > turn:
            unit = "deg"
            if convention != "deg":
                notices.append(f"the angles of {origin} have no unit; {ends} can only be degrees")
        else:
            raise QuestionError(
                f"the angles of {origin} have no unit, and {ends} could be radians or degrees; "
                "pass angle_unit='rad' or angle_unit='deg'",
                hint="angle_unit",
                choices=("rad", "deg"),
            )
    return np.asarray(values, float) if unit == "rad" else np.deg2rad(np.asarray(values, float) * _UNITS[unit])


def check_angles(radians: np.ndarray, origin: str, notices: list[str]) -> None:
    """Refuse angles that cannot be; say what is worth knowing about those that can."""
    if bad := int(np.count_nonzero(~np.isfinite(radians))):
        first = int(np.flatnonzero(~np.isfinite(radians))[0])
        raise ScanError(
            f"{bad} of {radians.size} angles of {origin} are not numbers (first at index {first}); pass angles="
        )
    degrees = np.rad2deg(radians)
    if radians.size < 3:
        plural = "s" if radians.size > 1 else ""
        raise ScanError(f"{origin} belongs to {radians.size} projection{plural}: that is not a tomography scan")
    if np.ptp(degrees) == 0:
        raise ScanError(
            f"all {radians.size} angles of {origin} are {degrees[0]:g}°: the stage was not recorded; pass angles="
        )
    if radians.size < 10:
        notices.append(f"there are only {radians.size} projections: hardly a tomography scan")
    extent = float(np.ptp(degrees))
    if extent > 185:
        notices.append(
            f"the angles cover {extent:.4g}°; parallel projections half a turn apart hold the same, mirrored"
        )
    repeated = radians.size - np.unique(np.round(degrees % 360, 4) % 360).size
    if repeated:
        notices.append(
            f"{repeated} of {radians.size} angles repeat an earlier one (modulo 360°); all projections are kept"
        )


def span_text(degrees: np.ndarray) -> str:
    """Range, number, step and order of angles as a person would say them."""
    steps = np.diff(degrees)
    typical = float(np.median(steps))
    rising, falling = bool((steps > 0).all()), bool((steps < 0).all())
    order = "ascending" if rising else "descending" if falling else "not in order"
    even = np.allclose(steps, typical, rtol=0.1, atol=1e-6)
    sizes = "steps of" if even else "irregular steps, mostly"
    return f"{degrees[0]:.6g}° to {degrees[-1]:.6g}°, {degrees.size} angles in {sizes} {abs(typical):.4g}°, {order}"
