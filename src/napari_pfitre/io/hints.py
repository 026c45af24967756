"""What a user may say about a file when the file does not say it itself, or says it wrongly."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from ..errors import OptionError
from ..options import check

__all__ = ["ReadHints"]

Axes = tuple[str, str, str]
AXES: Axes = ("angle", "row", "column")


@dataclass(frozen=True)
class ReadHints:
    """Answers to what a file leaves open; None leaves the question to the file.

    In Python, `angles` and `exclude` also take sequences of numbers, and every path may be a `Path`.
    """

    dataset: Annotated[
        str | None,
        {"label": "dataset", "tooltip": "path of the projections inside an HDF5 file, such as /entry/data/data"},
    ] = None
    entry: Annotated[
        str | None, {"label": "entry", "tooltip": "which measurement of a file that holds several, such as /entry0001"}
    ] = None
    angles: Annotated[
        str | None,
        {
            "label": "angles",
            "tooltip": "0:180 (evenly spaced, 180 left out), 0:180:inclusive, numbers with commas between, or a "
            "text file, or FILE::/dataset",
        },
    ] = None
    angle_unit: Annotated[
        Literal["deg", "rad", "mdeg"] | None,
        {"label": "angle unit", "tooltip": "unit of the angles, whatever the file says"},
    ] = None
    axis_order: Annotated[
        str | None,
        {
            "label": "axis order",
            "tooltip": "meaning of the stored axes: angle,row,column or row,angle,column (sinograms)",
        },
    ] = None
    index: Annotated[
        int | None,
        {"min": 0, "label": "index", "tooltip": "which element, energy, channel or turn, where there are several"},
    ] = None
    rotation_axis: Annotated[
        Literal["vertical", "horizontal"] | None,
        {"label": "rotation axis", "tooltip": "how the axis of rotation stands in a stored frame"},
    ] = None
    quantity: Annotated[
        Literal["counts", "transmission", "line integrals", "emission"] | None,
        {
            "label": "values are",
            "tooltip": "counts need flats; line integrals and emission (fluorescence) get no logarithm",
        },
    ] = None
    flats: Annotated[
        str | None, {"label": "flats", "tooltip": "file with the frames without sample, FILE or FILE::/dataset"}
    ] = None
    darks: Annotated[
        str | None, {"label": "darks", "tooltip": "file with the frames without beam, FILE or FILE::/dataset"}
    ] = None
    drop: Annotated[
        Literal["first", "last"] | None,
        {
            "label": "drop surplus",
            "tooltip": "where to shorten when there are a few more angles than projections, or fewer",
        },
    ] = None
    exclude: Annotated[
        str | None, {"label": "exclude", "tooltip": "frames of the stored stack to leave out, such as 3,17,40:45"}
    ] = None
    element: Annotated[
        str | None,
        {"label": "element", "tooltip": "which fluorescence line of a stack of maps, such as Cu_K"},
    ] = None
    links: Annotated[
        Literal["beside", "anywhere"] | None,
        {
            "label": "links",
            "tooltip": "how far links to other files are followed: beside (this folder and below, as usual) or "
            "anywhere",
        },
    ] = None
    beam: Annotated[
        Literal["parallel", "cone"] | None,
        {"label": "beam", "tooltip": "shape of the beam, whatever the file says; the methods here need a parallel one"},
    ] = None
    centre: Annotated[float | None, {"label": "centre", "unit": "column", "tooltip": "column of the rotation axis"}] = (
        None
    )
    pixel_size: Annotated[
        float | None,
        {"min": 1e-12, "max": 1.0, "label": "pixel size", "unit": "m", "tooltip": "at the sample, in metres"},
    ] = None
    distance: Annotated[
        float | None,
        {
            "min": 1e-3,
            "max": 1000.0,
            "label": "distance",
            "unit": "m",
            "tooltip": "CDI: of the detector from the sample",
        },
    ] = None
    energy_kev: Annotated[float | None, {"min": 0.01, "max": 1000.0, "label": "energy", "unit": "keV"}] = None
    technique: Annotated[
        Literal["tomography", "cdi"] | None,
        {"label": "technique", "tooltip": "what the frames are: projections, or a coherent diffraction pattern (cdi)"},
    ] = None
    values: Annotated[
        Literal["intensity", "amplitude"] | None,
        {"label": "pattern holds", "tooltip": "CDI: intensity (counts), or amplitude, its square root"},
    ] = None
    peak: Annotated[
        Literal["centre", "corner"] | None,
        {"label": "peak is at the", "tooltip": "CDI: corner when the pattern comes straight from an FFT, not shifted"},
    ] = None
    mask: Annotated[
        str | None, {"label": "mask", "tooltip": "CDI: file with pixels not to be used, FILE or FILE::/dataset"}
    ] = None
    mask_means: Annotated[
        Literal["bad", "good"] | None,
        {"label": "mask marks", "tooltip": "CDI: what a value other than 0 in the mask says of its pixel"},
    ] = None
    spec: Annotated[
        str | None, {"label": "SPEC file", "tooltip": "CDI: log with the angles, when it does not lie near the frames"}
    ] = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Path):
                object.__setattr__(self, field.name, str(value))
            elif field.name in ("angles", "exclude") and value is not None and not isinstance(value, str):
                # repr of a float reads back as the same float: nothing is lost, and hints stay plain text
                numbers = np.ravel(np.asarray(value))
                object.__setattr__(self, field.name, ",".join(repr(n.item()) for n in numbers))
        if self.dataset is not None:
            object.__setattr__(self, "dataset", "/" + self.dataset.strip("/"))
        check(self)
        self.stored_axes()
        self.excluded()

    @classmethod
    def of(cls, hints: dict[str, Any]) -> ReadHints:
        """From the keywords of `read_scan`; an unknown one raises OptionError."""
        known = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(hints) - set(known)):
            raise OptionError(f"there is no hint {', '.join(unknown)}; the hints are {', '.join(known)}")
        return cls(**hints)

    def stored_axes(self) -> Axes | None:
        """`axis_order` taken apart, checked."""
        if self.axis_order is None:
            return None
        axes = tuple(
            part.strip().lower().replace("frame", "angle") for part in self.axis_order.replace(":", ",").split(",")
        )
        if sorted(axes) != sorted(AXES):
            raise OptionError(
                f"axis_order is {self.axis_order!r}; it should name angle, row and column in the order they are "
                "stored in"
            )
        return axes[0], axes[1], axes[2]

    def excluded(self) -> np.ndarray:
        """The numbers in `exclude`."""
        out: list[int] = []
        for part in filter(None, (self.exclude or "").replace(" ", "").split(",")):
            try:
                start, _, stop = part.partition(":")
                out += range(int(start), int(stop)) if stop else [int(start)]
            except ValueError:
                raise OptionError(
                    f"exclude has {part!r} in it; it should hold frame numbers such as 3,17,40:45"
                ) from None
        return np.unique(np.asarray(out, dtype=int))
