"""From what a reader of diffraction patterns found to a CdiScan: axes, amplitude or intensity, peak, mask, for all.

What decides on the physics is told by the file, told by the user, or asked: whether values are amplitudes, whether the
peak is in the middle or at the corner, what a mask marks. Nothing of it is guessed silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import FormatError, QuestionError, ScanError
from ..frames import LazyFrames, Transposed
from ..scans import BraggGeometry, CdiScan, Source
from .hints import AXES, Axes, ReadHints

__all__ = ["Pattern", "add_hints", "assemble_pattern", "at_corner", "looks_like_amplitude"]

Values = Literal["intensity", "amplitude"]
_LOOK = 64_000_000  #: voxels that are looked at as a whole; of larger patterns every few frames


@dataclass
class Pattern:
    """What a reader found. Anything left None is unknown."""

    format: str
    path: Path
    dataset: str
    stored: LazyFrames | np.ndarray  #: in stored order
    axes: Axes = AXES  #: their meaning, "angle" being the frames
    values: Values | None = None  #: None: told from the numbers, or asked
    peak: Literal["centre", "corner", "detector"] | None = None  #: detector: raw frames, where it may be anywhere
    shifted: bool = False  #: the file says that it went through an FFT shift, which programs mean in both ways
    mask: np.ndarray | None = None  #: stored axes, or those of a frame; True where nothing was measured
    energy_kev: float | None = None
    distance: float | None = None
    pixel_size: tuple[float, float] | None = None
    rocking_step: float | None = None
    geometry: BraggGeometry | None = None
    flat: np.ndarray | None = None
    dark: np.ndarray | None = None
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def add_hints(pattern: Pattern, hints: ReadHints) -> None:
    """What was told of energy and detector, in place of what the file says."""
    pattern.energy_kev = hints.energy_kev or pattern.energy_kev
    pattern.distance = hints.distance or pattern.distance
    pattern.pixel_size = (hints.pixel_size, hints.pixel_size) if hints.pixel_size else pattern.pixel_size


def assemble_pattern(pattern: Pattern, hints: ReadHints) -> CdiScan:
    """The scan, or the question that has to be answered first.

    Raises
    ------
    FormatError
        When the values are complex: a result, no measurement.
    ScanError
        When there are not three axes; as QuestionError when a hint would settle what the numbers leave open.
    """
    name, stored, notices = pattern.path.name, pattern.stored, pattern.notices
    if stored.dtype.kind == "c":
        raise FormatError(
            f"{name} holds complex numbers, the result of an inversion; open it as a volume (read_volume)"
        )
    if len(stored.shape) != 3 or 1 in stored.shape:
        shape = " × ".join(str(n) for n in stored.shape)
        raise ScanError(
            f"{name} holds {shape} values, which is no pattern in three dimensions: a rocking scan is (frame, row, "
            "column); give the whole stack"
        )
    if stored.dtype.kind not in "biuf":
        raise FormatError(f"{name} holds {stored.dtype}, not numbers; name another dataset with dataset=")
    order = hints.stored_axes() or pattern.axes
    at = (order.index("angle"), order.index("row"), order.index("column"))
    mask = pattern.mask
    if at != (0, 1, 2):
        stored = stored.transpose(at) if isinstance(stored, np.ndarray) else Transposed(stored, at)
        mask = mask.transpose(at) if mask is not None and mask.ndim == 3 else mask
    values = hints.values or pattern.values or _ask_values(stored, name)
    if values == "intensity" and looks_like_amplitude(stored):
        raise ScanError(
            f"the values of {name} are no whole numbers but their squares are: these are amplitudes, square roots of "
            "counts; read it with values='amplitude'"
        )
    if values == "amplitude":
        stored = _loaded(stored).astype(np.float32) ** 2
        notices.append("the file holds amplitudes; they were squared to intensities")
    peak = hints.peak or pattern.peak or ("corner?" if at_corner(stored) else "centre")
    if pattern.shifted and peak == "corner?":
        peak = "corner"  # file and numbers agree
    elif pattern.shifted and hints.peak is None and peak == "centre":
        notices.append(
            "the file calls its pattern FFT-shifted, but the strongest values are not at the corners: it was read as "
            "it is; pass peak='corner' to shift it"
        )
    if peak == "corner?":
        raise QuestionError(
            f"the strongest values of {name} are at the corners of the array: is it an unshifted FFT (peak='corner'), "
            "or is the peak really there (peak='centre' reads it as it is)? pass peak=",
            hint="peak",
            choices=("corner", "centre"),
        )
    if peak == "corner":
        stored = np.fft.fftshift(_loaded(stored))
        mask = np.fft.fftshift(mask) if mask is not None and mask.ndim == 3 else mask
        notices.append("the peak was at the corner of the array and was moved to the middle (fftshift)")
    if excluded := [int(i) for i in hints.excluded()]:
        if max(excluded) >= stored.shape[0]:
            raise ScanError(f"exclude names frame {max(excluded)}, but {name} has frames 0 to {stored.shape[0] - 1}")
        # leaving a frame out would make the rocking steps uneven
        mask = np.broadcast_to(False if mask is None else mask, stored.shape).copy()
        mask[excluded] = True
        notices.append(f"{len(excluded)} frames count as not measured, as asked: {hints.exclude}")
    add_hints(pattern, hints)
    return CdiScan(
        stored,
        mask,
        None,
        pattern.energy_kev,
        pattern.distance,
        pattern.pixel_size,
        pattern.rocking_step,
        pattern.geometry if at == (0, 1, 2) else None,
        pattern.flat,
        pattern.dark,
        pattern.name or pattern.path.stem,
        Source(pattern.path.absolute(), pattern.dataset, pattern.format),
        notices=tuple(dict.fromkeys(notices)),
        metadata=pattern.metadata,
    )


def _loaded(frames: LazyFrames | np.ndarray) -> np.ndarray:
    return np.asarray(frames[:])


def _sample(frames: LazyFrames | np.ndarray) -> np.ndarray:
    """All frames, or as many as can be looked at."""
    n = frames.shape[0]
    step = max(1, -(-int(np.prod(frames.shape)) // _LOOK))
    if step == 1:
        return _loaded(frames)
    return np.stack([np.asarray(frames[i]) for i in range(0, n, step)])


def _ask_values(frames: LazyFrames | np.ndarray, name: str) -> Values:
    if frames.dtype.kind in "biu":
        return "intensity"
    sample = _sample(frames)
    finite = sample[np.isfinite(sample)]
    if finite.size == 0:
        return "intensity"  # preparing says what is wrong with it
    if finite.min() < 0 or finite.max() > 1e4 or _whole(finite[finite > 0]):
        return "intensity"
    if _whole(finite[finite > 0] ** 2):
        return "amplitude"
    raise QuestionError(
        f"the values of {name} run from {finite.min():.3g} to {finite.max():.4g} and are no counts: are they the "
        "intensity, or its square root, the amplitude? pass values=",
        hint="values",
        choices=("intensity", "amplitude"),
    )


def _whole(values: np.ndarray) -> bool:
    """Whether numbers are counts, as far as their precision tells."""
    sample = values[:: max(1, values.size // 200_000)].astype(np.float64)
    if sample.size < 32:
        return False
    return bool(np.mean(np.abs(sample - np.round(sample)) <= 1e-5 + 3e-7 * np.abs(sample)) > 0.999)


def looks_like_amplitude(frames: LazyFrames | np.ndarray) -> bool:
    """Whether values are the square roots of counts: their squares are whole numbers and they are not."""
    if frames.dtype.kind != "f":
        return False
    sample = _sample(frames)
    positive = sample[np.isfinite(sample) & (sample > 0)]
    return positive.size > 0 and not _whole(positive) and _whole(positive.astype(np.float64) ** 2)


def at_corner(frames: LazyFrames | np.ndarray) -> bool:
    """Whether the strongest value is within a tenth of the array from a corner, and other corners are bright as well.

    The neighbourhood of an unshifted peak is torn into eight pieces; a peak that merely lies at one corner is not.
    """
    sample = np.nan_to_num(_sample(frames).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if not sample.any():
        return False
    peak = np.unravel_index(int(np.argmax(sample)), sample.shape)
    near = [min(p, n - p) <= max(1, n // 10) for p, n in zip(peak, sample.shape, strict=True)]
    if not all(near):
        return False
    rolled = np.roll(sample, [4 - int(p) for p in peak], (0, 1, 2))[:9, :9, :9]
    return bool(np.median(rolled) > 10 * np.median(sample) and np.median(rolled) > 0)
