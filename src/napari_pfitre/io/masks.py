"""Masks of diffraction patterns: from the file, from one beside it, from one that the user names."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError, QuestionError, ScanError
from .extras import images
from .hdf5 import opened, require
from .hints import ReadHints
from .numpy_files import arrays_of
from .sniff import identify
from .tiff_frames import TiffFrames

__all__ = ["gaps", "hinted_mask", "settled_mask"]


def settled_mask(values: np.ndarray, hints: ReadHints, what: str, path: Path) -> np.ndarray:
    """bool, True where nothing was measured, from values whose sense the numbers or the user tell.

    Raises
    ------
    QuestionError
        When more than half of the pixels are marked: that may be a mask of the good ones.
    """
    marked = np.nan_to_num(values) != 0
    if hints.mask_means is not None:
        return marked if hints.mask_means == "bad" else ~marked
    share = float(marked.mean())
    if share > 0.5:
        raise QuestionError(
            f"the mask {what} of {path.name} marks {100 * share:.0f} % of the pixels: are those the bad ones or the "
            "good ones? pass mask_means=",
            hint="mask_means",
            choices=("bad", "good"),
        )
    return marked


def gaps(frame: np.ndarray) -> np.ndarray | None:
    """Pixels of the largest value of an unsigned type, as detectors mark gaps and dead ones; None without any."""
    if frame.dtype.kind != "u":
        return None
    marked = frame == np.iinfo(frame.dtype).max
    return marked if marked.any() else None


def hinted_mask(hints: ReadHints, path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """What ``mask=FILE`` or ``mask=FILE::/dataset`` names, as `settled_mask` has it."""
    name, _, dataset = (hints.mask or "").partition("::")
    file = Path(name).expanduser() if name else path
    if not file.exists() and (path.parent / file).exists():
        file = path.parent / file
    values = _values(file, dataset, shape)
    if values.shape not in (shape, shape[-2:]):
        raise ScanError(f"the mask {file.name} has shape {values.shape} and the pattern {shape}; name one that fits")
    return settled_mask(values, hints, file.name, path)


def _values(file: Path, dataset: str, shape: tuple[int, ...]) -> np.ndarray:
    found = arrays_of(file)
    if found is not None:
        fitting = [array for array in found.values() if array.shape in (shape, shape[-2:])]
        if not fitting:
            raise ScanError(f"{file.name} holds no mask of shape {shape} or {shape[-2:]}; name another file with mask=")
        return fitting[0]
    if identify(file) == "tiff":
        frames = TiffFrames(file)
        return np.asarray(frames[0] if frames.shape[0] == 1 else frames[:])
    with opened(file) as opened_file:
        if dataset:
            return require(opened_file, dataset)[()]
        named = [
            image
            for image in images(opened_file)
            if isinstance(image.dataset, h5py.Dataset) and image.shape in (shape, shape[-2:]) and "mask" in image.path
        ]
        if len(named) != 1:
            raise FormatError(f"{file.name} has {len(named)} datasets that could be the mask; pass mask=FILE::/dataset")
        return named[0].dataset[()]
