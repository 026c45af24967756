"""A plot that says it all: NXdata whose `signal` has an axis of angles (Savu's output, mapping scans, DAWN).

The attribute `axes` names a dataset for each axis of the signal. One that is called an angle, or stands in degrees, and
is as long as its axis, makes a stack of projections of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import h5py

from .angles import Angles, angle_unit
from .hdf5 import find
from .hints import Axes, ReadHints
from .nxtomo_find import groups
from .parts import Parts
from .stacks import open_stack
from .values import attribute, attribute_value, row, text

__all__ = ["NAME", "detect", "find_plot", "read"]

NAME = "NeXus NXdata with an axis of angles"
_ANGLE = re.compile(r"rotation|angle|theta|omega|tilt|phi", re.IGNORECASE)
_MOST = 400  #: groups that are looked at


class Plot(NamedTuple):
    """An NXdata group that shows projections."""

    signal: str
    angles: h5py.Dataset
    at: int  #: the axis of the angles


def find_plot(file: h5py.File) -> Plot | None:
    """The first such group, the last processing step before earlier ones (Savu numbers them)."""
    found = []
    for _, group in zip(range(_MOST), groups(file), strict=False):
        if (plot := _plot(group)) is not None:
            found.append(plot)
    return max(found, key=lambda plot: "final" in plot.signal, default=None)


def _plot(group: h5py.Group) -> Plot | None:
    signal = find(group, attribute(group, "signal"))
    named = attribute_value(group, "axes")
    if not isinstance(signal, h5py.Dataset) or named is None or signal.shape is None or signal.ndim not in (3, 4):
        return None
    names = [text(name) for name in named] if not isinstance(named, str | bytes) else text(named).split(":")
    if len(names) != signal.ndim:
        return None
    for at, name in enumerate(names):
        axis = find(group, name)
        if not isinstance(axis, h5py.Dataset) or axis.shape != (signal.shape[at],) or axis.dtype.kind not in "iuf":
            continue
        if axis.size > 2 and (_ANGLE.search(name) or angle_unit(attribute(axis, "units", "unit"))):
            return Plot(f"{group.name.rstrip('/')}/{attribute(group, 'signal')}", axis, at)
    return None


def detect(file: h5py.File) -> bool:
    return find_plot(file) is not None


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The signal, turned so that the angles come first."""
    plot = find_plot(file)
    assert plot is not None  # `detect` saw it
    dataset = hints.dataset or plot.signal
    values = row(plot.angles)
    angles = Angles(values, angle_unit(attribute(plot.angles, "units", "unit")), f"{plot.angles.name} in {path.name}")
    frames, present = open_stack(file, dataset, hints, notices, n_angles=angles.count)
    turned: tuple[Axes, ...] = (
        ("angle", "row", "column"),
        ("row", "angle", "column"),
        ("row", "column", "angle"),
    )
    axes = turned[plot.at] if frames.shape[plot.at if plot.at < 3 else 0] == angles.count and plot.at < 3 else None
    parts = Parts(NAME, path, dataset, frames, axes, angles, present=present, notices=notices)
    parts.name = path.stem
    return parts
