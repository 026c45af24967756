"""Flats and darks that lie in another file: ``FILE`` or ``FILE::/dataset``."""

from __future__ import annotations

from pathlib import Path

import h5py

from ..errors import FormatError, QuestionError, ScanError
from ..frames import LazyFrames
from .hdf5 import children, opened, require
from .presence import check
from .sniff import identify
from .stacks import Hdf5Frames
from .tiff_frames import TiffFrames

__all__ = ["calibration_frames", "frame_or_stack", "images"]


def frame_or_stack(path: Path, dataset: h5py.Dataset) -> Hdf5Frames:
    """A dataset of one frame, or of several, as a stack."""
    check(dataset)
    return Hdf5Frames(path, dataset.name, new_axis=0)


def images(file: h5py.File, most: int = 500) -> list[h5py.Dataset]:
    """The numeric datasets of two axes and more, wherever links lead; at most `most`, groups visited once."""
    found: list[h5py.Dataset] = []
    seen: set = set()
    queue: list[tuple[h5py.Group, int]] = [(file["/"], 0)]
    while queue and len(found) < most and len(seen) < 5000:
        group, depth = queue.pop(0)
        mark = h5py.h5o.get_info(group.id)
        if (mark.fileno, mark.addr) in seen:
            continue
        seen.add((mark.fileno, mark.addr))
        for _name, thing in children(group):
            if isinstance(thing, h5py.Group):
                if depth < 8:
                    queue.append((thing, depth + 1))
            elif thing is not None and thing.shape is not None and thing.ndim >= 2 and thing.dtype.kind in "biufcV":
                found.append(thing)
    return found


def calibration_frames(hint: str, source: Path, what: str, shape: tuple[int, int]) -> LazyFrames:
    """The frames that ``flats=`` or ``darks=`` names.

    Parameters
    ----------
    source
        The scan's file; names without folder are looked for beside it, and ``::/dataset`` is in it.
    what
        ``"flats"`` or ``"darks"``, for messages.
    shape
        Rows and columns that they must have, to choose among the datasets of a file.
    """
    name, _, dataset = hint.partition("::")
    path = Path(name).expanduser() if name else source
    if not path.exists() and (source.parent / path).exists():
        path = source.parent / path
    if identify(path) == "tiff":
        return TiffFrames(path)
    with opened(path) as file:
        if dataset:
            return frame_or_stack(path, require(file, dataset))
        fitting = [image for image in images(file) if tuple(image.shape[-2:]) == shape and image.ndim <= 3]
        if not fitting:
            raise ScanError(
                f"{path.name} holds no frames of {shape[0]} rows × {shape[1]} columns; pass {what}=FILE::/dataset"
            )
        if len({_identity(image) for image in fitting}) > 1:
            names = tuple(f"{hint}::{image.name}" for image in fitting)
            raise QuestionError(
                f"{path.name} holds {len(fitting)} datasets that could be the {what}; pass {what}= as one of "
                f"{', '.join(names[:6])}",
                hint=what,
                choices=names,
            )
        if fitting[0].dtype.kind not in "biuf":
            raise FormatError(
                f"{fitting[0].name} in {path.name} holds {fitting[0].dtype}, not numbers; pass {what}=FILE::/dataset"
            )
        return frame_or_stack(path, fitting[0])


def _identity(dataset: h5py.Dataset) -> tuple:
    info = h5py.h5o.get_info(dataset.id)
    return info.fileno, info.addr
