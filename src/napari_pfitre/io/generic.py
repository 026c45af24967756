"""Any HDF5 file whose layout nobody declared: the user names the dataset and the angles, the rest follows."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from ..errors import FormatError, QuestionError
from ..scans import CdiScan
from .angles import Angles, parse_angles
from .extras import Image, images
from .foreign import is_matlab, metadata_only
from .hdf5 import find, names, wanted
from .hints import AXES, Axes, ReadHints
from .masks import gaps, hinted_mask
from .parts import Parts, no_angles
from .patterns import Pattern, assemble_pattern
from .stacks import open_stack
from .values import attribute

__all__ = ["candidates", "read"]

NAME = "HDF5"
_CALIBRATION = re.compile(r"flat|white|dark|bright|background|bkg|empty|reference|(^|/)ref", re.IGNORECASE)


def candidates(file: h5py.File) -> list[Image]:
    """Datasets that could be projections, what the file itself points at first, then larger before smaller."""
    found = [image for image in images(file) if image.dataset.dtype.kind in "biuf" and len(image.shape) >= 3]
    found = [image for image in found if sum(n > 1 for n in image.shape) > 1]  # a monitor's counts are no image
    signal = _default_signal(file)
    return sorted(
        (image for image in found if min(image.shape) > 0),
        key=lambda image: (signal is None or image.dataset != signal, -image.dataset.size),
    )


def _default_signal(file: h5py.File) -> h5py.Dataset | None:
    node: h5py.Group | None = file["/"]
    for _ in range(8):
        signal, default = attribute(node, "signal"), attribute(node, "default")
        if signal and isinstance(thing := find(node, signal), h5py.Dataset):
            return thing
        following = find(node, default)
        if not isinstance(following, h5py.Group) or following == node:
            return None
        node = following
    return None


def read(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> Parts | CdiScan:
    """The dataset named by ``dataset=``, or the only one there is, with the angles named by ``angles=``.

    As a pattern when told so.
    """
    dataset = hints.dataset or _only(file, path, hints, notices)
    if hints.technique == "cdi":
        frames, _ = open_stack(file, dataset, hints, notices)
        mask = hinted_mask(hints, path, frames.shape) if hints.mask else gaps(np.asarray(frames[0]))
        pattern = Pattern(NAME, path, dataset, frames, mask=mask, notices=notices, name=path.stem)
        if is_matlab(file):
            pattern.axes = ("column", "row", "angle")
        notices.append("only the frames were read: energy, angles and voxel size are unknown")
        return assemble_pattern(pattern, hints)
    angles: Angles | None = None
    if hints.angles:
        angles = parse_angles(hints.angles, path)
    count = None if angles is None else angles.count
    frames, present = open_stack(file, dataset, hints, notices, n_angles=count)
    # without a list of angles to match, frames first is what nearly everybody stores
    axes = AXES if count is None else None
    if is_matlab(file) and hints.axis_order is None:
        axes = _turned(frames.shape, count)
        if axes is not None:
            notices.append(f"MATLAB stores axes in reverse: {dataset} was read as {', '.join(axes)}")
    parts = Parts(NAME, path, dataset, frames, axes, angles, present=present, notices=notices)
    parts.name = path.stem
    return parts


def _turned(shape: tuple[int, ...], count: int | None) -> Axes | None:
    """The axes of MATLAB's (angle, row, column), (row, angle, column) or (row, column, angle), as they are stored."""
    orders: list[Axes] = [("angle", "column", "row"), ("column", "angle", "row"), ("column", "row", "angle")]
    fitting = [order for order, n in zip(orders, shape, strict=True) if n == count]
    return orders[2] if count is None else fitting[0] if len(fitting) == 1 else None


def _only(file: h5py.File, path: Path, hints: ReadHints, notices: list[str]) -> str:
    """The one dataset that is no calibration by its name.

    Raises
    ------
    QuestionError, FormatError
        When there are several, or none; of the only one, what it holds when no hint says so.
    """
    known: dict[object, Image] = {}
    for image in candidates(file):
        known.setdefault((image.dataset.file.filename, image.dataset.id), image)  # by one of its names
    found = list(known.values())
    frames = [image for image in found if not _CALIBRATION.search(image.path)] or found
    if len(frames) != 1:
        raise _question(file, path)
    (only,) = frames
    beside = [image for image in found if image is not only]
    if beside and not hints.flats and not hints.darks:
        named = ", ".join(
            f"{'darks' if 'dark' in image.path.lower() else 'flats'}='::{image.path}'" for image in beside[:2]
        )
        notices.append(f"{path.name} may hold calibration frames as well: pass {named}")
    if not hints.angles and hints.technique != "cdi":
        question = no_angles(
            f"{path.name} has no layout that is known here, one stack of frames ({only.path} {only.shape})",
            path, set(only.shape) if is_matlab(file) else set(only.shape[:2]),
        )  # fmt: skip
        question.args = (f"{question}; technique='cdi' if it is a diffraction pattern",)
        raise question
    notices.append(f"{only.path} was read, the only stack of frames in {path.name}")
    return only.path


def _question(file: h5py.File, path: Path) -> FormatError | QuestionError:
    found = candidates(file)
    if found:
        listed = ", ".join(f"{image.path} {image.shape}" for image in found[:6])
        more = f" and {len(found) - 6} more" if len(found) > 6 else ""
        return QuestionError(
            f"{path.name} has no layout that is known here; pass dataset= and angles=, of a diffraction pattern "
            f"dataset= and technique='cdi' (candidates: {listed}{more})",
            hint="dataset",
            choices=tuple(image.path for image in found[:50]),
        )
    for name in _lost_links(file):
        return FormatError(f"{path.name} holds no images itself: {wanted(file, name)}")
    if complexes := [image for image in images(file) if image.dataset.dtype.kind in "cV"]:
        return FormatError(
            f"{path.name} holds complex numbers and no real ones ({complexes[0].path} {complexes[0].shape}), as "
            "results of ptychography are; save the phase of all views as one stack of real numbers, with their angles"
        )
    known = metadata_only(file)
    return FormatError(
        f"{path.name} contains no images" + (f"; it is {known}" if known else " (no numeric dataset of three axes)")
    )


def _lost_links(file: h5py.File) -> list[str]:
    """External links that lead nowhere, those called data first."""
    lost: list[str] = []
    seen: set[int] = set()

    def search(group: h5py.Group, depth: int) -> None:
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            return
        seen.add(address)
        for name in names(group):
            if len(lost) >= 20:
                return
            try:
                link = group.get(name, getlink=True)
            except (KeyError, RuntimeError, OSError):
                continue
            path = f"{group.name.rstrip('/')}/{name}"
            if isinstance(link, h5py.ExternalLink):
                if find(group, name) is None:
                    lost.append(path)
            elif depth and isinstance(link, h5py.HardLink) and isinstance(thing := find(group, name), h5py.Group):
                search(thing, depth - 1)

    search(file["/"], 6)
    return sorted(lost, key=lambda path: not path.rsplit("/", 1)[-1].startswith("data"))
