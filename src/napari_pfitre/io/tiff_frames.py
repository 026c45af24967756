"""TIFF files as stacks of frames, read region by region."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from ..errors import FormatError, first_line
from .stacks import InFile, native
from .values import METRES

__all__ = ["TiffFrames", "opened_tiff"]

#: Pixels; no camera has more, but damaged headers claim it.
MOST_PIXELS = 400_000_000


@contextmanager
def opened_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """A TIFF file for reading.

    Raises
    ------
    FormatError
        Whatever tifffile and its decoders stumble over in a damaged file, each with exceptions of its own. What they
        log besides is kept from the terminal.
    """
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif
    except (FormatError, MemoryError):
        raise
    except Exception as error:
        raise FormatError(
            f"{path.name} is a damaged TIFF file ({' '.join(str(error).split())}); copy it again"
        ) from error
    finally:
        logger.setLevel(level)


class TiffFrames(InFile):
    """The first series of a TIFF file; one page is a stack of one frame.

    Uncompressed files are mapped region by region; of compressed ones the pages asked for are unpacked.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        with opened_tiff(self.path) as tif:
            series = tif.series[0]
            shape, self.dtype = tuple(series.shape), native(series.dtype)
            self._stored_dtype = np.dtype(series.keyframe.dtype).newbyteorder(tif.byteorder)
            self._offset = series.dataoffset
            self.description = str(tif.pages.first.description or "")
            self.resolution = _resolution(tif)
            self._chunked = series.keyframe.compression != 1
            self.axes = series.axes
        if self.dtype.kind not in "iuf":
            raise FormatError(
                f"{self.path.name} holds {self.dtype} pixels; projections are real numbers, save it again as such"
            )
        shape = tuple(n for n in shape if n > 1) if len(shape) > 3 else shape
        if len(shape) not in (2, 3) or "S" in self.axes:
            raise FormatError(
                f"{self.path.name} has shape {shape} ({self.axes}); projections are a stack of grey frames"
            )
        self.shape = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, shape[0], shape[1])
        if 0 in self.shape or self.shape[1] * self.shape[2] > MOST_PIXELS:
            raise FormatError(f"{self.path.name} claims frames of {self.shape[1:]} pixels; the file is damaged")

    @property
    def chunks(self) -> tuple[int, int, int] | None:
        return (1, *self.shape[1:]) if self._chunked else None

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        if self._offset is not None:
            try:
                mapped = np.memmap(self.path, self._stored_dtype, "r", self._offset, self.shape)
            except (ValueError, OSError) as error:
                raise FormatError(f"{self.path.name} is incomplete ({first_line(error)}); copy it again") from None
            return np.array(mapped[frames, rows, columns], dtype=self.dtype)
        out = np.empty((frames.stop - frames.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        with opened_tiff(self.path) as tif:
            pages = [page for page in tif.series[0].pages if page is not None]
            for at, index in enumerate(range(frames.start, frames.stop)):
                try:
                    out[at] = pages[index].asarray()[rows, columns]
                except Exception as error:  # decoders of many libraries, each with its own exceptions
                    raise FormatError(
                        f"frame {index} of {self.path.name} cannot be read ({first_line(error)}): the file is "
                        f"damaged there; copy it again or leave it out with exclude={index}"
                    ) from error
        return out


def _resolution(tif: tifffile.TiffFile) -> float | None:
    """Size of a pixel in metres as the file states it, if it states one."""
    tags = tif.pages.first.tags
    unit = (tif.imagej_metadata or {}).get("unit", "") if tif.is_imagej else ""
    ratio = tags.valueof("XResolution")
    if not isinstance(ratio, tuple) or len(ratio) != 2 or not ratio[0] or not ratio[1]:
        return None
    size = ratio[1] / ratio[0]
    if str(unit).lower() in METRES:
        return size * METRES[str(unit).lower()]
    return None
