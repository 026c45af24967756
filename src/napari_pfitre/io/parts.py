"""From what a format's reader found to a TomoScan: axes, angles, frame types, gaps, flats, once for all formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import QuestionError, ScanError
from ..frames import LazyFrames, Selected, Transposed
from ..scans import Quantity, Source, Step, TomoScan
from .angle_rows import angle_rows
from .angles import Angles, check_angles, parse_angles, to_radians
from .extras import lying_beside
from .hints import AXES, Axes, ReadHints
from .presence import twice
from .quantity import ask_if_normalised, guess_quantity

__all__ = ["Parts", "assemble"]

PROJECTION, FLAT, DARK = 0, 1, 2
_TABLE_OR_RANGE = ("0:180", "0:180:inclusive")


@dataclass
class Parts:
    """What a reader found. Anything left None is unknown; `assemble` asks or says so."""

    format: str
    path: Path
    dataset: str
    stored: LazyFrames  #: three axes in stored order
    axes: Axes | None = None  #: their meaning; None when nothing says
    angles: Angles | None = None  #: one for each stored frame, for each projection, or a few more or less
    convention: str | None = None  #: the angle unit this format means when it names none
    keys: np.ndarray | None = (
        None  #: frame types along the angle axis: 0 projection, 1 flat, 2 dark, others are dropped
    )
    present: np.ndarray | None = None  #: along the first stored axis; False where nothing was ever written
    surplus: str | None = None  #: which end this format is known to have too many angles at
    flats: LazyFrames | np.ndarray | None = None
    darks: LazyFrames | np.ndarray | None = None
    flat_positions: np.ndarray | None = None
    flats_placed: bool = True  #: whether flats between projections, as `keys` tells, stand where they were taken
    centre: float | None = None
    pixel_size: tuple[float, float] | None = None  #: (row, column), metres
    energy_kev: float | None = None
    shifts: np.ndarray | None = None
    quantity: Quantity | None = None
    name: str = "scan"
    history: tuple[Step, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def assemble(parts: Parts, hints: ReadHints) -> TomoScan:
    """The scan, or the question that has to be answered first."""
    name, notices = parts.path.name, parts.notices
    angles = parse_angles(hints.angles, parts.path) if hints.angles else parts.angles
    axes = _axes(parts, hints, angles)
    order = (axes.index("angle"), axes.index("row"), axes.index("column"))
    frames = parts.stored if order == (0, 1, 2) else Transposed(parts.stored, order)
    turned = hints.rotation_axis == "horizontal"
    if turned:
        frames = Transposed(frames, (0, 2, 1))
        first, second, third = ({"row": "column", "column": "row"}.get(axis, axis) for axis in axes)
        axes = (first, second, third)
    n = frames.shape[0]

    keys = np.zeros(n, int) if parts.keys is None else parts.keys
    planned = np.flatnonzero(keys == PROJECTION)
    if planned.size == 0:
        raise ScanError(f"{name} has {n} frames and its image key marks none of them as a projection; pass dataset=")
    usable = _usable(parts, hints, order, n, notices)
    radians, chosen = _match(parts, hints, angles, planned, usable, n)
    check_angles(radians, angles.origin if angles else name, notices)

    flats = _stack(parts.flats, frames, keys, usable, FLAT, turned)
    darks = _stack(parts.darks, frames, keys, usable, DARK, turned)
    positions = parts.flat_positions
    if parts.flats is None and flats is not None and parts.flats_placed:
        positions = np.searchsorted(chosen, np.flatnonzero((keys == FLAT) & usable))
    empty = trailing_empty(frames, chosen, notices)
    if empty:
        radians, chosen = radians[:-empty], chosen[:-empty]
    projections = frames if chosen.size == n else Selected(frames, chosen)
    notices += filter(None, [twice(projections, radians, chosen)])
    if positions is not None:
        positions = np.minimum(positions, chosen.size)
    flats, darks, positions = _checked_flats(parts, projections, flats, darks, positions, notices)

    quantity = hints.quantity or parts.quantity
    if quantity is None:
        if flats is not None:
            ask_if_normalised(projections, flats, name)
        quantity = "counts" if flats is not None else guess_quantity(projections, name, notices)
        if flats is None and quantity == "counts":
            notices += lying_beside(parts.path)
    if quantity == "counts" and flats is not None and darks is None:
        notices.append("there are no darks; zero is taken for them")
    if quantity != "counts" and flats is not None:
        notices.append(f"the flats were left aside, because the values are taken as {quantity}")
        flats = darks = positions = None
    pixel = (hints.pixel_size, hints.pixel_size) if hints.pixel_size else parts.pixel_size
    if turned and pixel is not None:
        pixel = pixel[::-1]
    shifts = parts.shifts[chosen] if parts.shifts is not None and len(parts.shifts) == n else parts.shifts
    if turned and shifts is not None:
        shifts = shifts[:, ::-1]
    # a centre in the file counts columns as the file has them
    centre = hints.centre if hints.centre is not None else None if turned else parts.centre
    return TomoScan(
        projections,
        radians,
        quantity,
        flats,
        darks,
        positions,
        centre,
        pixel,
        hints.energy_kev or parts.energy_kev,
        shifts,
        axes,
        parts.name,
        Source(parts.path.absolute(), parts.dataset, parts.format),
        parts.history,
        tuple(dict.fromkeys(notices)),
        parts.metadata,
    )


def _axes(parts: Parts, hints: ReadHints, angles: Angles | None) -> Axes:
    """The meaning of the stored axes: what the user says, else where as many angles fit, else what the file says."""
    if given := hints.stored_axes():
        return given
    shape = parts.stored.shape
    count = None if angles is None else angles.count
    fits = [axis for axis in range(3) if shape[axis] == count]
    declared = parts.axes
    if declared is not None:
        at = declared.index("angle")
        if count is None or at in fits or len(fits) != 1 or (parts.keys is not None and parts.keys.size == shape[at]):
            return declared
        found = _with_angle_at(fits[0])
        parts.notices.append(
            f"the file calls axis {at} of {shape} the angles, but only axis {fits[0]} has as many as there are angles "
            f"({count}); read as {', '.join(found)}"
        )
        return found
    if len(fits) == 1:
        if fits[0] != 0:
            parts.notices.append(
                f"axis {fits[0]} of {shape} is as long as there are angles: read as "
                f"{', '.join(_with_angle_at(fits[0]))}"
            )
        return _with_angle_at(fits[0])
    if len(fits) > 1:
        raise QuestionError(
            f"{len(fits)} axes of {parts.dataset} {shape} are as long as there are angles ({count}); which one is it? "
            "pass axis_order='angle,row,column' or 'row,angle,column'",
            hint="axis_order",
            choices=tuple(",".join(_with_angle_at(axis)) for axis in fits),
        )
    return AXES


def _with_angle_at(axis: int) -> Axes:
    return (("angle", "row", "column"), ("row", "angle", "column"), ("row", "column", "angle"))[axis]


def _usable(parts: Parts, hints: ReadHints, order: tuple[int, ...], n: int, notices: list[str]) -> np.ndarray:
    """Which frames along the angle axis may be used: written at all, and not excluded."""
    usable = np.ones(n, bool)
    if parts.present is not None and not parts.present.all():
        here = int(parts.present.sum())
        total = parts.present.size
        if here == 0:
            notices.append(
                f"0 of {total} frames are present in {parts.path.name}: nothing was written, every value reads as zero"
            )
        elif order[0] == 0:
            usable &= parts.present
            missing = np.flatnonzero(~parts.present)
            where = "at the end" if missing[0] == here else f"such as {missing[0]}"
            notices.append(
                f"only {here} of {total} frames are present in {parts.path.name}; the others ({where}) were dropped "
                "with their angles, as after an aborted scan or an incomplete copy"
            )
        else:
            notices.append(
                f"only {here} of {total} detector rows are present in {parts.path.name}; the others read as zero"
            )
    excluded = hints.excluded()
    if excluded.size:
        if excluded[-1] >= n or excluded[0] < 0:
            raise ScanError(f"exclude names frame {excluded[-1]}, but {parts.path.name} has frames 0 to {n - 1}")
        usable[excluded] = False
        notices.append(f"{excluded.size} frames were left out as asked: {hints.exclude}")
    return usable


def no_angles(has: str, path: Path, counts: set[int]) -> QuestionError:
    """The question for angles, with the rows of numbers in the file that could be them."""
    offered = tuple(f"::{name}" for name in angle_rows(path, counts))
    these = "".join(f"'{name}', " for name in offered) + ("which has as many numbers, " if len(offered) == 1 else "")
    return QuestionError(
        f"{has} and no angles that are known as such; pass angles={these}'0:180' (evenly spaced, 180° left out), "
        "'0:180:inclusive', or a table of angles",
        hint="angles",
        choices=(*offered, *_TABLE_OR_RANGE),
    )


def _match(
    parts: Parts, hints: ReadHints, angles: Angles | None, planned: np.ndarray, usable: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Angles in radians for the frames to be used, and the indices of those frames."""
    name, notices = parts.path.name, parts.notices
    if angles is None:
        raise no_angles(f"{name} has {planned.size} projections ({parts.dataset})", parts.path, {planned.size, n})
    values = angles.for_count(planned.size)
    # a range or a list of numbers is in degrees, as the hint says
    insisted = hints.angle_unit or ("deg" if angles.origin.startswith("angles=") else None)
    chosen = planned[usable[planned]]
    if values.size == n:
        values = values[chosen]
    elif values.size == planned.size:
        values = values[usable[planned]]
    elif values.size != chosen.size:
        values, chosen = _shorten(parts, hints, angles.origin, values, planned, usable)
    if chosen.size == 0:
        raise ScanError(f"no projection of {name} is left; exclude fewer frames")
    finite = values[np.isfinite(values)]
    if finite.size != values.size:
        check_angles(values, angles.origin, notices)
    convention = None if hints.angles else parts.convention
    return to_radians(values, angles.unit, convention, angles.origin, notices, insisted=insisted), chosen


def _shorten(
    parts: Parts, hints: ReadHints, origin: str, values: np.ndarray, planned: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    name, count, surplus = parts.path.name, planned.size, values.size - planned.size
    turns = count // values.size if values.size >= 10 and count % values.size == 0 else 0
    if turns > 1:
        if hints.index is None:
            raise QuestionError(
                f"{name} has {count} projections for {values.size} angles: {turns} turns; pass index=0 to "
                f"{turns - 1} for one of them",
                hint="index",
                choices=tuple(str(turn) for turn in range(turns)),
            )
        turn = planned[hints.index * values.size : (hints.index + 1) * values.size]
        if turn.size == 0:
            raise ScanError(f"index={hints.index} is no turn of {name}; there are {turns}, counted from 0")
        parts.notices.append(f"turn {hints.index} of {turns} was read ({values.size} projections)")
        return values[usable[turn]], turn[usable[turn]]
    drop = hints.drop or parts.surplus
    if drop is None or (hints.drop is None and abs(surplus) > 2):
        if abs(surplus) > 2:
            raise QuestionError(
                f"{values.size} angles ({origin}) for {count} projections in {name}: they do not belong together; "
                "pass angles=, or drop='last' or 'first' to shorten the longer of the two",
                hint="angles",
                choices=_TABLE_OR_RANGE,
            )
        raise QuestionError(
            f"{values.size} angles ({origin}) for {count} projections in {name}; which end has no partner? pass "
            "drop='last' or drop='first'",
            hint="drop",
            choices=("last", "first"),
        )
    kept = min(values.size, count)
    part = slice(None, kept) if drop == "last" else slice(-kept, None)
    longer = f"{abs(surplus)} {'angle' if surplus > 0 else 'projection'}{'s' if abs(surplus) > 1 else ''}"
    why = (
        "as asked" if hints.drop else f"as {parts.format} files have it; pass drop='first' or angles= if that is wrong"
    )
    parts.notices.append(
        f"{values.size} angles for {count} projections: the {drop} {longer} had no partner and was dropped, {why}"
    )
    if surplus > 0:
        return values[part][usable[planned]], planned[usable[planned]]
    taken = planned[part]
    return values[usable[taken]], taken[usable[taken]]


def _stack(given, frames: LazyFrames, keys: np.ndarray, usable: np.ndarray, kind: int, turned: bool):
    if given is not None:
        return Transposed(given, (0, 2, 1)) if turned else given
    at = np.flatnonzero((keys == kind) & usable)
    return Selected(frames, at) if at.size else None


def trailing_empty(frames: LazyFrames, chosen: np.ndarray, notices: list[str]) -> int:
    """How many projections at the end hold nothing but zeros: an acquisition that was stopped leaves them behind."""
    if frames.chunks and frames.chunks[0] > 16:
        return 0  # a look at one frame would unpack the whole file
    rows = frames.shape[1]
    band = slice(max(0, rows // 2 - 8), rows // 2 + 8)

    def is_empty(at: int, rows: slice = band) -> bool:
        return not np.any(frames[int(chosen[at]), rows, :])

    last = chosen.size - 1
    if last < 1 or not is_empty(last):
        return 0
    if is_empty(0):
        if is_empty(last // 2):
            notices.append("the first, the middle and the last projection hold nothing but zeros")
        return 0
    full, empty = 0, last
    while empty - full > 1:
        middle = (full + empty) // 2
        full, empty = (full, middle) if is_empty(middle) else (middle, empty)
    if not is_empty(empty, slice(None)) or not is_empty(last, slice(None)):
        return 0
    count = chosen.size - empty
    notices.append(
        f"the last {count} of {chosen.size} projections hold nothing but zeros (the scan was stopped) and were dropped"
    )
    return count


def _checked_flats(parts: Parts, projections: LazyFrames, flats, darks, positions, notices: list[str]):
    """Flats and darks that fit and are no placeholders."""
    shape = tuple(projections.shape[1:])
    out = []
    for what, stack in (("flats", flats), ("darks", darks)):
        if stack is not None and tuple(stack.shape[1:]) != shape:
            raise ScanError(
                f"the {what} of {parts.path.name} are {stack.shape[1]} rows × {stack.shape[2]} columns and the "
                f"projections {shape[0]} × {shape[1]}: another region or binning; pass {what}= with frames that fit"
            )
        if what == "flats" and stack is not None and stack.shape[0] <= 2 and not np.any(stack[:]):
            notices.append("the flats hold nothing but zeros (a placeholder) and were dropped")
            stack = None
        out.append(stack)
    return out[0], out[1], positions if out[0] is not None else None
