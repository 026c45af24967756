"""A TIFF stack and its angles: a table of the same name beside it, or what ``angles=`` says."""

from __future__ import annotations

from pathlib import Path

from ..errors import FormatError
from . import volume_tiff
from .angles import parse_angles, read_table
from .hints import ReadHints
from .parts import Parts
from .tiff_frames import TiffFrames

__all__ = ["read"]

NAME = "TIFF stack"
_TABLES = (".csv", ".txt", ".tsv", ".rawtlt", ".tlt", ".ang")


def read(path: Path, hints: ReadHints, notices: list[str]) -> Parts:
    """The first series of the file; the axes are (angle, row, column) unless ``axis_order=`` says otherwise."""
    frames = TiffFrames(path)
    if volume_tiff.is_volume(path):
        raise FormatError(f"{path.name} is a reconstructed volume written here, not a scan; open it as a volume")
    if frames.shape[0] == 1:
        raise FormatError(
            f"{path.name} holds one image of {frames.shape[1]} × {frames.shape[2]} pixels; projections come as a "
            "stack of frames: save them into one multi-page TIFF"
        )
    angles = None
    if hints.angles:
        angles = parse_angles(hints.angles, path)
    else:
        tables = [table for suffix in _TABLES if (table := _beside(path, suffix)) is not None]
        if tables:
            angles = read_table(tables[0])
            notices.append(
                f"the angles are from {tables[0].name}, which lies beside it"
                + (", in degrees" if angles.unit is None else "")
            )
    declared = ("angle", "row", "column") if angles is None or angles.count is None else None
    parts = Parts(NAME, path, "", frames, declared, angles, "deg" if angles else None, notices=notices)
    if frames.resolution is not None and 0.9e-9 <= frames.resolution <= 1.1e-3:
        parts.pixel_size = (frames.resolution, frames.resolution)
    parts.name = path.stem
    return parts


def _beside(path: Path, suffix: str) -> Path | None:
    base = (
        path.name.removesuffix("".join(path.suffixes[-2:])) if path.name.endswith(".ome" + path.suffix) else path.stem
    )
    for name in (base + suffix, base + suffix.upper(), path.name + suffix):
        if (table := path.with_name(name)).is_file():
            return table
    return None
