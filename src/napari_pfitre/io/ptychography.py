"""Ptychography as the programs of NSLS-II (HXN 3-ID, CSX 23-ID) hand it to phasing: one flat HDF5 file a view.

  diffamp                (n, row, column), square roots of counts, the middle of each pattern in the corners (fftshift)
  points                 (2, n), where the beam stood, x and y in µm
  lambda_nm, z_m, ccd_pixel_um, angle (deg), …    scalars

No method here phases patterns of different places, so this opens them to be looked at: squared, the middle in the
middle. Most of the programs turn the detector's image by 90° before they write it and some do not; the file does not
say, so frames stay as they are stored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import FormatError, QuestionError, ScanError
from ..frames import LazyFrames, Selected
from ..scans import CdiScan, Source
from . import generic
from .hdf5 import find
from .hints import ReadHints
from .masks import hinted_mask
from .parts import Parts
from .stacks import open_stack
from .values import energy_kev, length, number

__all__ = ["NAME", "Unpacked", "detect", "of_places", "read", "told_of_places"]

NAME = "NSLS-II ptychography"
_DATASET = "/diffamp"
_HC = 1.98644586e-25  #: J m
_LOOKED_AT = 5  #: frames, for where their light is


class Unpacked(LazyFrames):
    """Patterns as a detector has them, from what is stored for phasing.

    Parameters
    ----------
    parent
        (frame, row, column), as stored.
    squared
        Whether amplitudes are stored, and intensities wanted.
    shifted
        Whether the middle of each pattern is stored in its corners.
    """

    def __init__(self, parent: LazyFrames, *, squared: bool, shifted: bool):
        self.parent = parent
        self.squared, self.shifted = squared, shifted
        self.shape = parent.shape
        self.dtype = np.dtype(np.float32) if squared else parent.dtype

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        if self.shifted:
            at = [_stored_at(span, n) for span, n in zip((rows, columns), self.shape[1:], strict=True)]
            first = [int(where.min(initial=n)) for where, n in zip(at, self.shape[1:], strict=True)]
            hull = [slice(low, int(where.max(initial=low - 1)) + 1) for where, low in zip(at, first, strict=True)]
            # one read of the box that holds all of it: four would unpack a frame four times
            out = self.parent[frames, hull[0], hull[1]][:, at[0] - first[0]][:, :, at[1] - first[1]]
        else:
            out = self.parent[frames, rows, columns]
        if not self.squared:
            return out
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite, as dead pixels are
            return out.astype(np.float32) ** 2


def _stored_at(span: slice, n: int) -> np.ndarray:
    """Where the pixels of a span lie along an axis that went through fftshift."""
    return (np.arange(span.start, span.stop) + n // 2) % n


def detect(file: h5py.File) -> bool:
    """Whether the three things are there that phasing cannot do without."""
    return all(isinstance(find(file, name), h5py.Dataset) for name in ("diffamp", "lambda_nm", "z_m"))


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> CdiScan | Parts:
    """The patterns and where they were taken; projections when the user names angles for them.

    A mask that the user names lies over frames as they are shown: its middle in the middle.

    Raises
    ------
    ScanError
        When there is no stack of frames; as QuestionError when the values or their order are not what such files hold.
    """
    if hints.technique == "tomography" or hints.angles or hints.dataset not in (None, _DATASET):
        return generic.read(file, path, hints, notices)
    stored, here = open_stack(file, _DATASET, hints, notices)
    if file[_DATASET].ndim != 3:
        raise ScanError(
            f"{_DATASET} in {path.name} has shape {file[_DATASET].shape}; ptychography has (frame, row, column), so "
            "this file is not what its names say: get it again"
        )
    if stored.dtype.kind not in "iuf":
        raise FormatError(f"{_DATASET} in {path.name} holds {stored.dtype}, not amplitudes; get the file again")
    squared, shifted = _is_amplitude(stored, path, hints), _is_shifted(stored, path, hints)
    done = [what for what, so in (("squared to intensities", squared), ("moved back to the middle", shifted)) if so]
    if done:
        notices.append(
            "the file holds what phasing takes in, amplitudes with the middle of each pattern in the corners: they "
            f"were {' and '.join(done)}; turned frames (most of these programs turn them by 90°) stay as they are"
        )
    if not here.any():
        raise FormatError(f"0 of {here.size} frames are present in {path.name}: nothing was written, get it again")
    unpacked = Unpacked(stored, squared=squared, shifted=shifted)
    frames, positions = of_places(unpacked, _positions(file, stored.shape[0], path, notices), here, hints, path)
    notices += told_of_places(len(here), len(frames))
    energy, distance, pixel = _instrument(file, hints, notices)
    mask = hinted_mask(hints, path, frames.shape) if hints.mask else None
    return CdiScan(
        frames, mask, None, energy, distance, pixel, positions=positions, name=path.stem,
        source=Source(path.absolute(), _DATASET, NAME), notices=tuple(dict.fromkeys(notices)),
        metadata=_metadata(file, energy, distance, pixel, stored.shape),
    )  # fmt: skip


def of_places(
    frames: LazyFrames, positions: np.ndarray, here: np.ndarray, hints: ReadHints, path: Path
) -> tuple[LazyFrames, np.ndarray]:
    """The frames that were written and not left out, with their places.

    Raises
    ------
    ScanError
        When none is left.
    """
    kept = np.setdiff1d(np.flatnonzero(here), _excluded(hints, len(here), path))
    if kept.size == 0:
        raise ScanError(f"no frame of {path.name} is left; exclude fewer")
    return (frames, positions) if kept.size == len(here) else (Selected(frames, kept), positions[kept])


def told_of_places(stored: int, kept: int) -> list[str]:
    """What such a scan is good for here, and how much of it was left out."""
    left_out = [f"{stored - kept} of {stored} frames were left out with their places"] if kept < stored else []
    about = (
        f"these are patterns of {kept} places of a sample (ptychography), to be looked at: no method here phases them"
    )
    return [*left_out, about]


def _excluded(hints: ReadHints, n: int, path: Path) -> np.ndarray:
    excluded = hints.excluded()
    if excluded.size and not 0 <= excluded[0] <= excluded[-1] < n:
        raise ScanError(f"exclude names frame {excluded[-1]}, but {path.name} has frames 0 to {n - 1}")
    return excluded


def _is_amplitude(stored: LazyFrames, path: Path, hints: ReadHints) -> bool:
    if hints.values is not None:
        return hints.values == "amplitude"
    if stored.dtype.kind == "f":
        return True
    raise QuestionError(
        f"{_DATASET} in {path.name} should be square roots of counts and holds whole numbers ({stored.dtype}): are "
        "they the counts themselves (intensity) or amplitudes? pass values=",
        hint="values",
        choices=("intensity", "amplitude"),
    )


def _is_shifted(stored: LazyFrames, path: Path, hints: ReadHints) -> bool:
    """Whether the light is about the corners, as these files have it; asked when it is about the middle instead."""
    if hints.peak is not None:
        return hints.peak == "corner"
    n, n_rows, n_columns = stored.shape
    near = [np.minimum(np.arange(size), size - np.arange(size)) < size / 4 for size in (n_rows, n_columns)]
    corners = middle = 0.0
    for at in sorted({round(i * (n - 1) / (_LOOKED_AT - 1)) for i in range(_LOOKED_AT)}):
        frame = np.nan_to_num(stored[at].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        corners += float(frame[np.ix_(*near)].sum())
        middle += float(frame[np.ix_(~near[0], ~near[1])].sum())
    if middle <= corners:
        return True
    raise QuestionError(
        f"the patterns of {path.name} should have their middle in the corners, but most light is in the middle of the "
        "frames: read them as they are (peak='centre') or move the corners to the middle (peak='corner')? pass peak=",
        hint="peak",
        choices=("centre", "corner"),
    )


def _positions(file: h5py.File, n: int, path: Path, notices: list[str]) -> np.ndarray:
    """(frame, 2), (y, x) in metres; not a number where the file does not tell."""
    points = find(file, "points")
    if isinstance(points, h5py.Dataset) and points.dtype.kind in "iuf" and points.shape == (2, n):
        return np.asarray(points[()], dtype=float)[::-1].T * 1e-6
    has = f"points of shape {points.shape}" if isinstance(points, h5py.Dataset) else "no points"
    notices.append(f"{path.name} has {has} for {n} frames: where the beam stood on the sample is not known")
    return np.full((n, 2), np.nan)


def _instrument(
    file: h5py.File, hints: ReadHints, notices: list[str]
) -> tuple[float | None, float | None, tuple[float, float] | None]:
    """Energy in keV, distance and the detector's pixel in metres."""
    wavelength, distance = (number(find(file, name))[0] for name in ("lambda_nm", "z_m"))
    energy = None
    if wavelength is not None and wavelength > 0:
        energy, said = energy_kev(_HC / (wavelength * 1e-9), "J")
        notices += [said] if said else []
    if energy is None:
        notices.append("the wavelength in lambda_nm makes no sense and was ignored; pass energy_kev=")
    if distance is None or not 1e-3 <= distance <= 100:
        notices.append("the distance of the detector in z_m makes no sense and was ignored")
        distance = None
    pixel, said = length(find(file, "ccd_pixel_um"), "um") if "ccd_pixel_um" in file else (None, "")
    notices += [said] if said else []
    pixel = hints.pixel_size or pixel
    return hints.energy_kev or energy, distance, None if pixel is None else (pixel, pixel)


def _metadata(
    file: h5py.File,
    energy: float | None,
    distance: float | None,
    pixel: tuple[float, float] | None,
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """The view's angle, and the pixel that phasing would give the object: λ z / (n p), in metres."""
    about: dict[str, Any] = {"technique": "ptychography"}
    if (angle := number(find(file, "angle"))[0]) is not None:
        about["angle_deg"] = angle
    if energy is not None and distance is not None and pixel is not None:
        wavelength = _HC / (energy * 1.602176634e-16)
        about["object_pixel"] = [wavelength * distance / (n * p) for n, p in zip(shape[1:], pixel, strict=True)]
    return about
