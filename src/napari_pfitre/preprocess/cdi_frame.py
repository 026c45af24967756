"""The box of a pattern: about its peak, as large as FFTs like, in blocks of several voxels when asked."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError, ScanError
from ..scans import BraggGeometry, CdiScan, Step
from .cdi_survey import mask_of, measured

__all__ = ["bin_pattern", "crop_about", "friendly", "three", "whole_box"]

_LARGEST = 256  #: voxels along an axis that are chosen without being asked for
_TAIL = 2e-3  #: part of the photons that may lie outside of the box, on either side of each axis


def friendly(n: float, *, down: bool = False) -> int:
    """The even number next to `n`, above it or below, with no prime factor over 5: FFTs are fast there."""
    at = max(2, 2 * int(n / 2 if down else -(-n // 2)))
    while not _smooth(at):
        at += -2 if down else 2
    return at


def _smooth(n: int) -> bool:
    for p in (2, 3, 5):
        while n % p == 0:
            n //= p
    return n == 1


def three(text: str, what: str) -> tuple[int, int, int]:
    """Whole numbers for frames, rows and columns from ``"96,128,128"``; one number stands for all three."""
    try:
        numbers = [int(part) for part in text.replace("x", ",").replace("×", ",").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or min(numbers) < 1:
        raise OptionError(f"{what} should be one whole number, or three for frames, rows and columns; not {text!r}")
    return numbers[0], numbers[1], numbers[2]


def whole_box(scan: CdiScan, peak: tuple[int, int, int], least: float, by: tuple[int, int, int]) -> tuple[int, ...]:
    """The size of a box about the peak that holds nearly all photons, in voxels before binning.

    It stays within the array unless the peak is so far from the middle that much would be lost.
    """
    light = [np.zeros(n) for n in scan.shape]
    for start in range(0, scan.shape[0], 16):
        span = slice(start, min(start + 16, scan.shape[0]))
        block, _ = measured(scan, span, slice(0, scan.shape[1]), slice(0, scan.shape[2]))
        block[block <= least] = 0
        light[0][span] = block.sum(axis=(1, 2))
        light[1] += block.sum(axis=(0, 2))
        light[2] += block.sum(axis=(0, 1))
    sizes = []
    for seen, n, p, b in zip(light, scan.shape, peak, by, strict=True):
        sum_ = np.cumsum(seen) / max(seen.sum(), 1e-30)
        first, last = int(np.searchsorted(sum_, _TAIL)), int(np.searchsorted(sum_, 1 - _TAIL))
        wanted = 2.5 * max(p - first, last - p, 8)
        inside = 2 * min(p, n - 1 - p) + 1
        if wanted > inside:
            wanted = max(inside, min(wanted, 1.25 * inside, n))
            sizes.append(b * friendly(min(wanted, _LARGEST * b) / b, down=True))
        else:
            sizes.append(b * friendly(min(wanted, _LARGEST * b) / b))
    return tuple(sizes)


def crop_about(scan: CdiScan, peak: tuple[int, int, int], size: tuple[int, ...], by: tuple[int, ...]) -> CdiScan:
    """A box of `size` with the peak where FFTs have zero frequency after binning, in memory.

    Voxels of the box that lie outside of the array were not measured, and are masked.

    Raises
    ------
    ScanError
        When the peak touches the border of the array: half of the pattern is missing then.
    """
    for what, p, n in zip(("frame", "row", "column"), peak, scan.shape, strict=True):
        if min(p, n - 1 - p) < max(2, round(0.03 * n)):
            raise ScanError(
                f"the peak of {scan.name} is at {what} {p} of {n}, at the border: half of the pattern was not "
                "measured; if the array is an unshifted FFT read it with peak='corner', else take a scan centred on "
                "the peak"
            )
    first = origin(peak, size, by)
    inside, there = _overlap(first, size, scan.shape)
    data, mask = np.zeros(size, np.float32), np.ones(size, dtype=bool)
    data[there], mask[there] = measured(scan, *inside)
    flat, dark = (
        None if frame is None else window(frame, first, size, float(frame.mean())) for frame in (scan.flat, scan.dark)
    )
    step = Step("crop", {"first": list(first), "shape": list(size)})
    z, y, x = (float(p - f) for p, f in zip(peak, first, strict=True))
    return scan.replace(step, intensity=data, mask=mask, flat=flat, dark=dark, centre=(z, y, x))


def origin(peak: tuple[int, ...], size: tuple[int, ...], by: tuple[int, ...]) -> list[int]:
    """Index of the first voxel of a box whose block number ``n // 2`` holds the peak."""
    return [p - (n // b // 2) * b - b // 2 for p, n, b in zip(peak, size, by, strict=True)]


def window(frame: np.ndarray, first: list[int], size: tuple[int, ...], fill: float | bool) -> np.ndarray:
    """(row, column): the part of a frame in the box, `fill` outside of it."""
    out = np.full(size[1:], fill, frame.dtype)
    inside, there = _overlap(first[1:], size[1:], frame.shape)
    out[there] = frame[inside]
    return out


def _overlap(first, size, shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What a box and an array have in common: in the array, and in the box."""
    spans = [(max(0, f), min(n, f + s)) for f, s, n in zip(first, size, shape, strict=True)]
    there = tuple(slice(a - f, b - f) for (a, b), f in zip(spans, first, strict=True))
    return tuple(slice(a, b) for a, b in spans), there


def bin_pattern(scan: CdiScan, by: tuple[int, int, int]) -> CdiScan:
    """Sums of intensity over blocks of voxels; a block with a masked voxel in it is masked."""
    if by == (1, 1, 1):
        return scan
    size = tuple(n // b for n, b in zip(scan.shape, by, strict=True))
    if 0 in size:
        raise OptionError(f"blocks of {by} voxels are larger than the pattern {scan.shape}; bin by less")
    part = tuple(slice(0, n * b) for n, b in zip(size, by, strict=True))
    split = (size[0], by[0], size[1], by[1], size[2], by[2])
    data = np.asarray(scan.intensity)[part].reshape(split).sum(axis=(1, 3, 5))
    mask = np.broadcast_to(mask_of(scan, slice(None)), scan.shape)[part].reshape(split).any(axis=(1, 3, 5))
    data = np.where(mask, 0, data).astype(np.float32)
    geometry = scan.geometry
    if geometry is not None:
        geometry = BraggGeometry(np.asarray(geometry.steps) * np.array(by)[:, None], geometry.q)
    centre = None if scan.centre is None else tuple((c + 0.5) / b - 0.5 for c, b in zip(scan.centre, by, strict=True))
    return scan.replace(
        Step("bin", {"by": list(by)}),
        intensity=data,
        mask=mask,
        geometry=geometry,
        centre=centre,
        pixel_size=None if scan.pixel_size is None else (scan.pixel_size[0] * by[1], scan.pixel_size[1] * by[2]),
        rocking_step=None if scan.rocking_step is None else scan.rocking_step * by[0],
    )
