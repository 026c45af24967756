"""A scan as NeXus NXtomo: one stack of projections, flats and darks, told apart by an image key.

/entry                NXentry: title, definition = NXtomo; default = data; version of ESRF's layout of it
  instrument/detector   NXdetector: data (frame, y, x), image_key and image_key_control (0 projection, 1 flat, 2 dark),
                        x_pixel_size, y_pixel_size in metres
  instrument/beam       NXbeam: incident_energy in keV
  sample                NXsample: name, rotation_angle in degrees for each frame, pixel sizes again
  data                  NXdata: the same data, rotation_angle and image_key
  tomo_entry            NXsubentry: the same instrument, sample and data, where Mantid Imaging and CIL look for them
  napari_pfitre         NXcollection: what NXtomo has no place for (see kept.py)

Flats stand before the projection that they were taken before, darks before all. A frame of them has the angle that the
stage stood at. No beam monitor is written (control), because a scan has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from ..results import Volume
from ..scans import Frames, TomoScan
from .atomic import replacing
from .kept import OWN, keep, keep_truth, not_counts

__all__ = ["told", "write"]

ENTRY = "entry"
PROJECTION, FLAT, DARK = 0, 1, 2
_VERSION = 1.5  #: of ESRF's layout, as its library nxtomo counts them: the last without pint's long names of units
_BLOCK = 64_000_000


class Run(NamedTuple):
    """Frames of one kind that follow each other."""

    kind: int
    stack: Frames
    first: int
    stop: int
    angles: np.ndarray  #: (frame,), radians


def write(scan: TomoScan, path: Path, truth: Volume | None = None) -> None:
    """Write block by block; what lies at `path` is replaced when all is written."""
    runs = list(_runs(scan))
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": ENTRY, "creator": "napari-pfitre"})
        entry = _group(file, ENTRY, "NXentry")
        entry.attrs.update({"default": "data", "version": _VERSION, "definition": "NXtomo"})
        entry["title"] = scan.name
        entry["definition"] = "NXtomo"
        instrument = _group(entry, "instrument", "NXinstrument")
        detector = _group(instrument, "detector", "NXdetector")
        keys = np.repeat([run.kind for run in runs], [len(run.angles) for run in runs])
        detector["image_key"] = keys.astype(np.int32)
        detector["image_key_control"] = keys.astype(np.int32)
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = scan.name
        angles = sample.create_dataset("rotation_angle", data=np.rad2deg(np.concatenate([run.angles for run in runs])))
        angles.attrs["units"] = "degree"
        if scan.pixel_size is not None:
            for group in (detector, sample):
                for axis, size in zip("yx", scan.pixel_size, strict=True):
                    group.create_dataset(f"{axis}_pixel_size", data=float(size)).attrs["units"] = "m"
        if scan.energy_kev is not None:
            beam = _group(instrument, "beam", "NXbeam")
            beam.create_dataset("incident_energy", data=float(scan.energy_kev)).attrs["units"] = "keV"
        _frames(detector, scan, runs)
        _shown(entry, detector, angles)
        own = _group(entry, OWN, "NXcollection")
        keep(own, scan)
        if scan.shifts is not None:
            shifts = own.create_dataset("shifts", data=np.asarray(scan.shifts, float))
            shifts.attrs.update({"units": "pixels", "long_name": "row and column each projection was displaced by"})
        if truth is not None:
            keep_truth(_group(own, "truth", "NXcollection"), truth)


def told(scan: TomoScan) -> str:
    """What other programs will take wrongly; empty when nothing."""
    return not_counts(scan, "NXtomo", "'quantity' of the data, which other programs do not read")


def _runs(scan: TomoScan) -> Iterator[Run]:
    """The frames in the order they are stored in."""
    n = scan.shape[0]
    if scan.darks is not None:
        yield Run(DARK, scan.darks, 0, len(scan.darks), np.full(len(scan.darks), scan.angles[0]))
    before = np.zeros(0 if scan.flats is None else len(scan.flats), int)
    if scan.flat_positions is not None:
        before = np.clip(np.asarray(scan.flat_positions, int), 0, n)
    done = 0
    for position in np.unique(before):
        if position > done:
            yield Run(PROJECTION, scan.projections, done, int(position), scan.angles[done:position])
            done = int(position)
        angle = scan.angles[[min(int(position), n - 1)]]
        for at in np.flatnonzero(before == position):
            assert scan.flats is not None
            yield Run(FLAT, scan.flats, int(at), int(at) + 1, angle)
    if done < n:
        yield Run(PROJECTION, scan.projections, done, n, scan.angles[done:])


def _frames(detector: h5py.Group, scan: TomoScan, runs: list[Run]) -> None:
    dtype = np.result_type(*{np.dtype(run.stack.dtype) for run in runs}).newbyteorder("=")
    shape = (sum(len(run.angles) for run in runs), *scan.shape[1:])
    stored = detector.create_dataset("data", shape, dtype, chunks=(1, *shape[1:]))
    stored.attrs.update(
        {
            "interpretation": "image",
            "long_name": scan.quantity,
            "quantity": scan.quantity,
            "units": "counts" if scan.quantity in ("counts", "emission") else "1",
        }
    )
    step = max(1, _BLOCK // max(1, dtype.itemsize * shape[1] * shape[2]))
    at = 0
    for run in runs:
        for start in range(run.first, run.stop, step):
            block = np.asarray(run.stack[start : min(start + step, run.stop)])
            stored[at : at + len(block)] = block
            at += len(block)


def _shown(entry: h5py.Group, detector: h5py.Group, angles: h5py.Dataset) -> None:
    """The stack as NXdata, and everything once more under the name that some programs insist on."""
    data = _group(entry, "data", "NXdata")
    data.attrs.update({"signal": "data", "axes": ["rotation_angle", ".", "."], "rotation_angle_indices": 0})
    for stored in (detector["data"], detector["image_key"], angles):
        stored.attrs["target"] = stored.name
        data[stored.name.rsplit("/", 1)[-1]] = stored
    other = _group(entry, "tomo_entry", "NXsubentry")
    for name in ("title", "instrument", "sample", "data"):
        other[name] = h5py.SoftLink(f"/{ENTRY}/{name}")


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group
