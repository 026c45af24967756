"""What the values of a stack without flats are: told from the type and a look at one frame, or asked."""

from __future__ import annotations

import math

import numpy as np

from ..errors import QuestionError
from ..frames import LazyFrames
from ..scans import Quantity

__all__ = ["ask_if_normalised", "guess_quantity", "look"]

_MOST_COLUMNS = 60_000  # of no detector, but of damaged files
_AT_ONCE = 64_000_000  # bytes
_LARGE_PIECE = 32_000_000  # bytes of storage that are unpacked together; of such ones one is enough
_CHOICES = ("transmission", "line integrals", "emission", "counts")


def look(frames: LazyFrames | np.ndarray) -> np.ndarray:
    """Some rows of the first, middle and last frame: enough to judge by, and little to read."""
    n, rows, columns = frames.shape
    chunks = getattr(frames, "chunks", None)
    group = chunks[1] if chunks else 64
    count = min(rows, max(1, min(64, group)))
    start = (rows - count) // 2
    first, columns = 0, min(columns, _MOST_COLUMNS)
    if chunks and math.prod(chunks) * frames.dtype.itemsize > _LARGE_PIECE:
        first = columns // 2 // chunks[2] * chunks[2]
        columns = min(columns - first, chunks[2])
    picks = sorted({0, n // 2, n - 1})
    region = slice(start, start + count), slice(first, first + columns)
    if chunks and chunks[0] >= n and n * count * columns * frames.dtype.itemsize <= _AT_ONCE:
        stack = frames[:, *region]  # one piece of storage holds all of the frames: it is unpacked once, not thrice
        seen = [stack[i] for i in picks]
    else:
        seen = [frames[i, *region] for i in picks]
    with np.errstate(invalid="ignore"):  # a damaged float may be a NaN that signals
        parts = [np.asarray(values, dtype=np.float64) for values in seen]
    values = np.concatenate([part.ravel() for part in parts])
    return values[np.isfinite(values)]


def ask_if_normalised(frames: LazyFrames | np.ndarray, flats: LazyFrames | np.ndarray, name: str) -> None:
    """Raise QuestionError when projections are no counts although there are flats: these were divided by already.

    Some programs write their result over the raw frames and leave the flats where they are. Only numbers with fractions
    can be such a result, and what lets a fiftieth of the beam through at its brightest is no sample.
    """
    if frames.dtype.kind != "f":
        return
    values, beam = look(frames), look(flats)
    if values.size == 0 or beam.size == 0:
        return
    bright = float(np.median(beam))
    if bright > 0 and float(np.percentile(values, 99.5)) < 0.02 * bright:
        raise QuestionError(
            f"the flats of {name} hold about {bright:.4g} and the projections {values.min():.3g} to "
            f"{values.max():.3g}: were they divided by the flats already, or their logarithm taken? pass quantity=",
            hint="quantity",
            choices=_CHOICES,
        )


def guess_quantity(frames: LazyFrames, name: str, notices: list[str]) -> Quantity:
    """``"counts"``, ``"line integrals"`` or ``"emission"`` if the values of a stack without flats leave no doubt.

    Transmission is 1 where nothing is in the beam. Line integrals are 0 there, and noise makes some of them negative.
    Fluorescence is 0 there as well but never negative. Counts are bright there.

    Raises
    ------
    QuestionError
        When the values could be transmission as well as something that needs no logarithm.
    """
    if frames.dtype.kind in "iu":
        notices.append(
            "there are no flats: counts need them before the logarithm; pass flats=, or quantity='emission' for "
            "fluorescence maps, quantity='transmission' if they were divided already"
        )
        return "counts"
    values = look(frames)
    if values.size == 0 or values.min() == values.max():
        return "counts"
    low, empty, high = values.min(), float(np.percentile(values, 2)), float(np.percentile(values, 99.5))
    seen = f"values run from {low:.3g} to {values.max():.3g}"
    reach = max(high, abs(low))
    if np.mean(values < 0) > 1e-3 and low < -0.002 * reach:
        notices.append(
            f"{seen}, some below zero: taken as line integrals, no logarithm follows; pass quantity= if that is wrong"
        )
        return "line integrals"
    if empty < 0.05 * high and not 0.7 < high < 1.6:
        notices.append(
            f"{seen} and are near zero where nothing is: taken as emission (fluorescence), which gets neither flats "
            "nor logarithm; pass quantity= if that is wrong"
        )
        return "emission"
    raise QuestionError(
        f"{name} has no flats and its {seen}: are they transmission, line integrals, emission or counts? pass "
        "quantity=",
        hint="quantity",
        choices=_CHOICES,
    )
