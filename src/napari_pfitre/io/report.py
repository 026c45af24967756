"""`inspect_file`: what a file holds, as a person at the beamline would want to know it; never fails."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import PfitreError, QuestionError, one_line
from ..frames import size_text
from ..scans import CdiScan, TomoScan
from . import volume_cxi, volume_slices, volume_tiff, volume_vti, volume_zarr
from .extras import images
from .hdf5 import compression, missing_filters, opened
from .hints import ReadHints
from .mrc import MrcFrames
from .parts import assemble
from .places import place_of
from .reading import format_of, read_parts
from .report_lines import pattern_lines, row_text, scan_lines, volume_lines
from .sniff import identify
from .tiff import NAME as TIFF
from .tiff_frames import TiffFrames
from .volume_hdf5 import Facts, facts, find_volume
from .volumes import foreign_volume

__all__ = ["DatasetInfo", "FileReport", "inspect_file"]


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset that could be frames."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int  #: when read
    stored: int  #: in the file; 0 for virtual datasets
    compression: str = ""  #: names of the filters; empty when there are none
    chunks: tuple[int, ...] | None = None
    note: str = ""  #: virtual, missing filter, nothing written

    def __str__(self) -> str:
        shape = " × ".join(str(n) for n in self.shape)
        packed = f", {self.compression}" if self.compression else ""
        if self.stored and self.stored != self.nbytes:
            packed += f", {size_text(self.stored)} in the file"
        note = f", {self.note}" if self.note else ""
        return f"{self.path}  {shape}  {self.dtype}, {size_text(self.nbytes)}{packed}{note}"


@dataclass(frozen=True)
class FileReport:
    """What `inspect_file` found; `scan` or `volume` when the file can be used, `problem` otherwise."""

    path: Path
    format: str = "unknown"
    size: int = 0  #: bytes
    datasets: tuple[DatasetInfo, ...] = ()
    scan: TomoScan | None = None
    pattern: CdiScan | None = None  #: the diffraction pattern that `read_scan` would give
    volume: DatasetInfo | None = None  #: the reconstructed volume that `read_volume` would read
    facts: Facts | None = None  #: what the file says about that volume
    problem: PfitreError | None = None  #: why there is no scan: an error, or a QuestionError with its hint
    notices: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "notices", tuple(one_line(notice) for notice in self.notices))

    @property
    def usable(self) -> bool:
        """Whether `read_scan` or `read_volume` reads the file as it stands, with the hints given."""
        return self.scan is not None or self.pattern is not None or self.volume is not None

    @property
    def question(self) -> QuestionError | None:
        """What has to be answered before the file can be read; None when nothing or when no answer helps."""
        return self.problem if isinstance(self.problem, QuestionError) else None

    def lines(self) -> list[str]:
        """The report for a terminal or a tooltip."""
        out = [f"{self.path.name}: {self.format}, {size_text(self.size)}"]
        if self.scan is not None:
            out += scan_lines(self.scan, self._source())
        elif self.pattern is not None:
            out += pattern_lines(self.pattern)
        elif self.volume is not None:
            out += [
                row_text("volume", f"{' × '.join(str(n) for n in self.volume.shape)} (z, y, x), {self.volume.dtype}")
            ]
            out += [row_text("stored in", str(self.volume))] if self.volume.path else []
            out += volume_lines(self.facts) if self.facts is not None else []
        for notice in self.notices:
            out.append(row_text("note", notice))
        if self.problem is not None and not self.usable:
            out.append(row_text("question" if self.question else "problem", str(self.problem)))
            out += [row_text("dataset", str(dataset)) for dataset in self.datasets[:12]]
            if len(self.datasets) > 12:
                out.append(row_text("", f"and {len(self.datasets) - 12} more datasets"))
        return [one_line(line) for line in out]

    def as_dict(self) -> dict[str, Any]:
        """The report as values that JSON can hold, in SI units and degrees."""
        out: dict[str, Any] = {
            "file": str(self.path),
            "format": self.format,
            "bytes": self.size,
            "usable": self.usable,
            "datasets": [dataclasses.asdict(dataset) for dataset in self.datasets],
            "notices": list(self.notices),
        }
        if self.problem is not None and not self.usable:
            out["problem"] = str(self.problem)
        if self.question is not None and not self.usable:
            out["question"] = {"hint": self.question.hint, "choices": list(self.question.choices)}
        if self.scan is not None:
            out["scan"] = _scan_dict(self.scan)
        if self.pattern is not None:
            keys = ("name", "shape", "centre", "energy_kev", "distance", "pixel_size", "rocking_step")
            out["pattern"] = {key: getattr(self.pattern, key) for key in keys}
            out["pattern"]["angles_deg"] = self.pattern.metadata.get("angles_deg")
            if self.pattern.positions is not None:
                known = np.isfinite(self.pattern.positions).all()
                out["pattern"]["positions"] = self.pattern.positions.tolist() if known else None
        if self.volume is not None:
            about = self.facts
            made = None if about is None or about.provenance is None else dataclasses.asdict(about.provenance)
            out["volume"] = {
                "dataset": self.volume.path,
                "shape": self.volume.shape,
                "dtype": self.volume.dtype,
                "voxel_size": None if about is None else about.voxel_size,
                "unit": None if about is None else about.unit,
                "provenance": made,
            }
        return out

    def _source(self) -> DatasetInfo | None:
        wanted = self.scan.source.dataset if self.scan is not None and self.scan.source is not None else ""
        return next((dataset for dataset in self.datasets if dataset.path == wanted), None)


def _scan_dict(scan: TomoScan) -> dict[str, Any]:
    angles, rows, columns = scan.shape
    return {
        "name": scan.name,
        "dataset": scan.source.dataset if scan.source else "",
        "shape": {"angles": angles, "rows": rows, "columns": columns},
        "dtype": str(scan.projections.dtype),
        "axis_order": scan.axis_order,
        "quantity": scan.quantity,
        "angles_deg": np.rad2deg(scan.angles).tolist(),
        "missing_wedges_deg": [wedge._asdict() for wedge in scan.missing_wedges],
        "flats": 0 if scan.flats is None else len(scan.flats),
        "darks": 0 if scan.darks is None else len(scan.darks),
        "pixel_size": scan.pixel_size,
        "energy_kev": scan.energy_kev,
        "centre": scan.centre,
    }


def inspect_file(path: str | Path, **hints: Any) -> FileReport:
    """Look into a file without reading its frames; every failure becomes part of the report."""
    path = Path(path).expanduser()
    given = ReadHints.of(hints)
    notices: list[str] = []
    format_name = "unknown"
    datasets: tuple[DatasetInfo, ...] = ()
    volume: DatasetInfo | None = None
    about: Facts | None = None
    scan: TomoScan | None = None
    problem: PfitreError | None = None
    size = path.stat().st_size if path.is_file() else 0
    pattern: CdiScan | None = None
    try:
        module = None if given.angles else foreign_volume(path)
        if module is not None:
            about = module.facts(path)
            format_name, volume = "a reconstructed volume", _elsewhere(path)
        elif (place := place_of(path, given)) is not None:
            format_name = place.name
        elif identify(path) == "tiff":
            format_name = TIFF
            frames = TiffFrames(path)
            info = DatasetInfo("", tuple(frames.shape), str(frames.dtype), frames.nbytes, size)
            datasets = (info,)
            if volume_tiff.is_volume(path):
                format_name, about, volume = "a reconstructed volume (TIFF)", volume_tiff.facts(path), info
        else:
            with opened(path) as file:
                format_name = format_of(file).name
                datasets = tuple(_info(image.dataset, image.path) for image in images(file))
                found = find_volume(file) if format_of(file).read is None else None
                if found is not None:
                    about, volume = facts(file, found), _info(found, found.name)
        if volume is None:
            parts = read_parts(path, given, notices)
            if isinstance(parts, CdiScan):
                pattern = parts
                format_name = parts.source.format if parts.source is not None else "a diffraction pattern"
                notices = list(parts.notices)
            else:
                format_name = parts.format
                scan = assemble(parts, given)
                notices = list(scan.notices)
    except PfitreError as error:
        problem = error
    told = tuple(dict.fromkeys(notices))
    return FileReport(path, format_name, size, datasets, scan, pattern, volume, about, problem, told)


def _elsewhere(path: Path) -> DatasetInfo:
    """The volume in a file or folder that is neither HDF5 nor TIFF."""
    if volume_zarr.is_volume(path):
        stored = volume_zarr.array(path)
        shape, dtype = tuple(int(n) for n in stored.shape)[-3:], np.dtype(stored.dtype)
    elif volume_slices.is_volume(path):
        slices = volume_slices.slices(path)
        first = TiffFrames(slices[0])
        shape, dtype = (len(slices), *first.shape[1:]), first.dtype
    elif path.suffix.lower() in (".cxi", ".vti"):
        shape, dtype = (volume_cxi if path.suffix.lower() == ".cxi" else volume_vti).shape(path)
    else:
        frames = MrcFrames(path)
        shape, dtype = frames.shape, frames.dtype
    size = path.stat().st_size if path.is_file() else 0
    return DatasetInfo("", shape, str(dtype), math.prod(shape) * dtype.itemsize, size)


def _info(image: h5py.Dataset, path: str) -> DatasetInfo:
    lost = missing_filters(image)
    stored = 0 if image.is_virtual else image.id.get_storage_size()
    note = "virtual" if image.is_virtual else "" if stored or image.external else "nothing written"
    note = "its filter is missing here" if lost else note
    return DatasetInfo(
        path, tuple(image.shape), str(image.dtype), image.nbytes, stored, compression(image), image.chunks, note
    )
