"""Flats and darks that lie in another file: ``FILE`` or ``FILE::/dataset``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import h5py

from ..errors import FormatError, QuestionError, ScanError
from ..frames import LazyFrames
from .hdf5 import children, opened, require
from .presence import check, present
from .sniff import identify
from .stacks import Hdf5Frames
from .tiff_frames import TiffFrames

__all__ = ["Image", "calibration_frames", "frame_or_stack", "images", "lying_beside"]


#: Looking at more members than this takes seconds; what matters comes earlier.
_MOST_VISITED = 20_000


class Image(NamedTuple):
    """A dataset that could be frames, and the path to it from this file; its own name may be one in another file."""

    path: str
    dataset: h5py.Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.dataset.shape)


def frame_or_stack(file: h5py.File, name: str) -> Hdf5Frames:
    """A dataset of one frame, or of several, as a stack.

    Raises
    ------
    FormatError
        When it cannot be read, or would read as zeros because its sources are missing.
    """
    dataset = require(file, name)
    check(dataset)
    _, trouble = present(dataset, 0)
    if trouble:
        raise FormatError(trouble)
    return Hdf5Frames(Path(file.filename), name, new_axis=0)


def images(file: h5py.File, most: int = 500) -> list[Image]:
    """The numeric datasets of two axes and more, wherever links lead; at most `most`, groups visited once."""
    found: list[Image] = []
    seen: set = set()
    queue: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    visited = 0
    while queue and len(found) < most and visited < _MOST_VISITED:
        path, group, depth = queue.pop(0)
        if _identity(group) in seen:
            continue
        seen.add(_identity(group))
        for name, thing in islice(children(group), _MOST_VISITED - visited):
            visited += 1
            if isinstance(thing, h5py.Group):
                if depth < 8:
                    queue.append((f"{path}/{name}", thing, depth + 1))
            elif thing is not None and thing.shape is not None and thing.ndim >= 2 and thing.dtype.kind in "biufcV":
                found.append(Image(f"{path}/{name}", thing))
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
            return frame_or_stack(file, dataset)
        fitting = [image for image in images(file) if image.shape[-2:] == shape and len(image.shape) <= 3]
        if not fitting:
            raise ScanError(
                f"{path.name} holds no frames of {shape[0]} rows × {shape[1]} columns; pass {what}=FILE::/dataset"
            )
        if len({_identity(image.dataset) for image in fitting}) > 1:
            names = tuple(f"{hint}::{image.path}" for image in fitting)
            raise QuestionError(
                f"{path.name} holds {len(fitting)} datasets that could be the {what}; pass {what}= as one of "
                f"{', '.join(names[:6])}",
                hint=what,
                choices=names,
            )
        return frame_or_stack(file, fitting[0].path)


def _identity(thing: h5py.Dataset | h5py.Group) -> tuple:
    info = h5py.h5o.get_info(thing.id)
    return info.fileno, info.addr


def lying_beside(path: Path) -> list[str]:
    """The averaged flats and darks that ESRF's programs put beside a scan."""
    found = [
        f"{what}='{file.name}'"
        for what in ("flats", "darks")
        for suffix in (".hdf5", ".h5")
        if (file := path.with_name(f"{path.stem}_{what}{suffix}")).is_file()
    ]
    return [f"{' and '.join(found)} can be passed: they lie beside it"] if found else []
