"""A diffraction pattern as it was recorded becomes what an inversion wants.

peak → crop → flat field → hot pixels → aliens → threshold → bin → oversampling
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ..diffractometer import located
from ..errors import ScanError
from ..options import as_dict, check
from ..scans import CdiScan, Step
from .cdi_detector import flat_field, remove_aliens, remove_hot, threshold
from .cdi_frame import bin_pattern, crop_about, origin, three, whole_box, window
from .cdi_oversampling import oversampling
from .cdi_survey import survey

__all__ = ["CdiPrepareOptions", "prepare_pattern"]

_STRAY = 2.0  #: counts; single photons and pairs far from the peak are background


@dataclass(frozen=True)
class CdiPrepareOptions:
    """What happens to a diffraction pattern before it is inverted."""

    shape: Annotated[
        str | None,
        {
            "label": "crop to",
            "tooltip": "frames,rows,columns of the box about the peak, such as 96,128,128 (before binning); empty: "
            "chosen to hold nearly all photons",
        },
    ] = None
    bin: Annotated[
        str, {"tooltip": "blocks to sum, frames,rows,columns, such as 1,2,2; needs an oversampling to spare"}
    ] = "1"
    threshold: Annotated[
        float | None,
        {"min": 0.0, "unit": "counts", "tooltip": "values up to this become 0; automatic is 2 where values are counts"},
    ] = None
    use_flat: Annotated[bool, {"label": "flat field", "tooltip": "divide by the flat, mask dead and hot pixels"}] = True
    hot_pixels: Annotated[
        bool, {"label": "remove hot pixels", "tooltip": "mask what is narrower than a speckle can be"}
    ] = True
    aliens: Annotated[
        bool,
        {
            "label": "remove aliens",
            "tooltip": "mask bright patches without a counterpart across the peak; strong strain can look like that",
        },
    ] = False
    peak: Annotated[
        Literal["brightest", "mass", "keep"],
        {
            "label": "centre on",
            "tooltip": "the brightest voxel; the centre of mass about it; or keep the middle of the array",
        },
    ] = "brightest"

    def __post_init__(self):
        check(self)
        three(self.bin, "bin")
        if self.shape is not None:
            three(self.shape, "shape")


def prepare_pattern(scan: CdiScan, options: CdiPrepareOptions | None = None) -> CdiScan:
    """A pattern as read → centred on its peak, in a box for FFTs, without what the detector added.

    The result is in memory, float32; its peak is at index ``shape // 2``. A scan prepared with the same options is
    returned as it is.

    Raises
    ------
    ScanError
        When nothing was measured, there is no peak, or it lies at the border of the array; when the frames were taken
        at different places of the sample.
    """
    options = CdiPrepareOptions() if options is None else options
    done = Step("prepare", as_dict(options))
    if done in scan.history:
        return scan
    if scan.positions is not None:
        raise ScanError(
            f"the {scan.shape[0]} frames of {scan.name} were taken at different places of the sample (ptychography); "
            "the methods here phase one crystal's rocking scan, so use a program for ptychography, such as PtyPy or "
            "PtyChi"
        )
    seen = survey(scan)
    notices = list(scan.notices)
    if seen.not_finite:
        notices.append(f"{seen.not_finite} values that are no numbers count as not measured")
    if seen.saturated:
        notices.append(f"{seen.saturated} values at the limit of their type or negative (gaps, saturation) are masked")
    by = three(options.bin, "bin")
    least = options.threshold if options.threshold is not None else _STRAY if seen.counts else 0.0
    peak = _peak(scan, seen.peak, options.peak)
    size = _size(scan, peak, options, least, by)
    # what is known of the instrument counts pixels of the file, and is used up here
    about = {name: value for name, value in scan.metadata.items() if name != "diffractometer"}
    scan = scan.replace(geometry=located(scan, peak), metadata=about)
    scan = crop_about(scan.replace(notices=tuple(notices)), peak, size, by)
    if options.use_flat:
        scan = flat_field(scan)
    if options.hot_pixels:
        scan = remove_hot(scan, window(seen.hot, origin(peak, size, by), size, False), seen.counts)
    if options.aliens:
        scan = remove_aliens(scan)
    scan = bin_pattern(threshold(scan, least), by)
    data, mask = np.asarray(scan.intensity), scan.mask
    if not data.any():
        raise ScanError(f"nothing of {scan.name} is left above {least:g}; lower the threshold")
    ratios = oversampling(data)
    figures = {
        "oversampling": [round(r, 3) for r in ratios],
        "photons": float(data.sum(dtype=np.float64)),
        "brightest": float(data.max()),
        "masked": float(np.mean(mask)) if mask is not None else 0.0,
    }
    if min(ratios) < 2:
        scan = scan.replace(notices=(*scan.notices, _coarse(ratios)))
    return scan.replace(done, metadata={**scan.metadata, **figures})


def _coarse(ratios: tuple[float, float, float]) -> str:
    axis = ("frames", "rows", "columns")[int(np.argmin(ratios))]
    return (
        f"the pattern is sampled {min(ratios):.2g} times as fine as the crystal needs along the {axis}; below 2 the "
        "phase is not determined by the data, so bin less or take finer steps"
    )


def _peak(scan: CdiScan, brightest: tuple[int, int, int], how: str) -> tuple[int, int, int]:
    if how == "keep":
        n_frames, n_rows, n_columns = scan.shape
        return n_frames // 2, n_rows // 2, n_columns // 2
    if how == "brightest":
        return brightest
    reach = [max(4, n // 16) for n in scan.shape]
    box = tuple(slice(max(0, p - r), p + r + 1) for p, r in zip(brightest, reach, strict=True))
    about = np.nan_to_num(np.asarray(scan.intensity[box], dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    about[about < 0.05 * float(scan.intensity[brightest])] = 0
    weights = [about.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    at = [
        round(float((w * np.arange(w.size)).sum() / max(w.sum(), 1e-30))) + s.start
        for w, s in zip(weights, box, strict=True)
    ]
    return at[0], at[1], at[2]


def _size(
    scan: CdiScan, peak: tuple[int, int, int], options: CdiPrepareOptions, least: float, by: tuple[int, int, int]
) -> tuple[int, ...]:
    if options.shape is None:
        return whole_box(scan, peak, least, by)
    return tuple(max(b, n // b * b) for n, b in zip(three(options.shape, "shape"), by, strict=True))
