"""CIL's NeXus files: one array with named axes, angles in radians or as stated, already normalised."""

from __future__ import annotations

from pathlib import Path

import h5py

from ..errors import FormatError
from .angles import Angles, angle_unit
from .hdf5 import find, require
from .hints import AXES, Axes, ReadHints
from .parts import Parts
from .stacks import open_stack
from .values import attribute, attribute_value, length, number, row

__all__ = ["detect", "read"]

NAME = "CIL NeXus"
_ENTRY = "/entry1/tomo_entry"
_AXES = {"angle": "angle", "vertical": "row", "horizontal": "column", "channel": "channel"}


def detect(file: h5py.File) -> bool:
    return attribute(file, "creator") == "NEXUSDataWriter.py"


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """An AcquisitionData written by CIL's NEXUSDataWriter."""
    dataset = hints.dataset or f"{_ENTRY}/data/data"
    stored = require(file, dataset)
    if "image" in attribute(stored, "data_type").lower():
        raise FormatError(
            f"{path.name} holds a reconstructed volume (CIL ImageData), not projections; open it as a volume"
        )
    names = [_AXES.get(attribute(stored, f"dim{axis}"), "") for axis in range(stored.ndim)]
    extra = names.index("channel") if "channel" in names else None
    scale = number(attribute_value(stored, "scale"))[0]
    offset = number(attribute_value(stored, "offset"))[0]
    if extra is not None and len(names) == 3:
        # (channel, angle, horizontal): one detector row at many energies, read as one stack of sinograms
        notices.append("the channels of this single-row scan are shown as its rows")
        names[extra] = "row"
        extra = None
    angles = _angles(file, path)
    frames, present = open_stack(
        file, dataset, hints, notices, extra_axis=extra, scale=scale or 1.0, offset=offset or 0.0
    )
    axes: tuple[str, ...] = tuple(name for name in names if name != "channel")
    if len(axes) == 2 and frames.shape[1] == 1:
        axes = (axes[0], "row", axes[1])
    known: Axes | None = (axes[0], axes[1], axes[2]) if sorted(axes) == sorted(AXES) else None
    parts = Parts(NAME, path, dataset, frames, known, angles, "rad", present=present, notices=notices)
    geometry = attribute(stored, "geom_type", "geometry").lower()
    beam = hints.beam or ("cone" if "cone" in geometry else "parallel")
    if beam == "cone":
        parts.metadata = {"beam": "cone"}
        distances = [
            number(attribute_value(stored, name))[0] for name in ("dist_source_center", "dist_center_detector")
        ]
        stated = all(distance is not None for distance in distances)
        away = f" (source {distances[0]:g} and detector {distances[1]:g} from the axis)" if stated else ""
        notices.append(
            f"this is a cone-beam scan{away}; the methods here assume parallel beams and refuse it, unless "
            "beam='parallel' says that the cone is thin enough"
        )
    parts.pixel_size = _pixel_size(stored, notices)
    parts.name = path.stem
    return parts


def _angles(file: h5py.File, path: Path) -> Angles | None:
    for name in ("config/angles", "data/rotation_angle"):
        stored = find(file, f"{_ENTRY}/{name}")
        values = row(stored)
        if isinstance(stored, h5py.Dataset) and values is not None and values.size:
            unit = angle_unit(attribute(stored, "angle_unit", "units", "unit"))
            return Angles(values, unit, f"{stored.name} in {path.name}")
    return None


def _pixel_size(stored: h5py.Dataset, notices: list[str]) -> tuple[float, float] | None:
    """CIL keeps lengths in whatever unit its user thought in; only a stated one counts."""
    found = [number(attribute_value(stored, f"pixel_size_{axis}"))[0] for axis in "vh"]
    sizes = [size for size in found if size is not None]
    unit = attribute(stored, "pixel_size_unit", "units", "unit")
    if not sizes:
        return None
    metres = [length(size, unit)[0] for size in sizes]
    row, column = metres[0], metres[-1]
    if unit and row and column:
        return row, column
    notices.append(
        f"the pixel size {sizes[-1]:g} is stored without its unit and is taken as unknown; pass pixel_size= in metres"
    )
    return None
