"""The options of a simulated scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import OptionError
from ..options import check

__all__ = ["SimulateOptions"]

_FRACTION = {"min": 0.0, "max": 1.0, "step": 0.001}
_ADVANCED = {"advanced": True}


@dataclass(frozen=True)
class SimulateOptions:
    """A simulated scan with its truth. Every imperfection is off at 0."""

    phantom: Annotated[
        Literal[
            "circuit",
            "lamella",
            "cuboid",
            "micrograph",
            "blocks",
            "ellipsoids",
            "shepp-logan",
            "foam",
            "grains",
            "picture",
            "pattern",
        ],
        {
            "tooltip": "Object: a circuit's pillar seen from above, a circuit's lamella seen from the side, "
            "a circuit's cuboid seen from above, a circuit with an electron micrograph's textures, "
            "blocks without any symmetry, random ellipsoids, the Shepp-Logan head, a foam, packed grains, "
            "pictures from scikit-image, random patterns"
        },
    ] = "circuit"
    process: Annotated[
        Literal["any", "logic", "fine", "coarse", "memory", "power"],
        {"tooltip": "Technology of a circuit: its pitches and its style of wiring; any lets the seed decide"},
    ] = "logic"
    turn: Annotated[
        float,
        {"min": -360.0, "max": 360.0, "unit": "°", "tooltip": "Turns the object within its slices, to the left"}
        | _ADVANCED,
    ] = 0.0
    overfill: Annotated[
        float,
        {
            "min": 0.0,
            "max": 3.0,
            "step": 0.1,
            "tooltip": "By how much the object is enlarged; from 0.1 on it reaches beyond the field of view",
        }
        | _ADVANCED,
    ] = 0.0
    size: Annotated[
        int, {"min": 16, "max": 4096, "label": "columns", "unit": "pixels", "tooltip": "Detector columns"}
    ] = 128
    slices: Annotated[int, {"min": 1, "max": 4096, "unit": "pixels", "tooltip": "Detector rows"}] = 16
    angles: Annotated[int, {"min": 1, "max": 10000, "label": "projections", "tooltip": "Number of projections"}] = 121
    missing: Annotated[
        float,
        {
            "min": 0.0,
            "max": 179.0,
            "label": "missing wedge",
            "unit": "°",
            "tooltip": "Angles nobody measured",
        },
    ] = 60.0
    wedge_centre: Annotated[
        float,
        {
            "min": -360.0,
            "max": 360.0,
            "unit": "°",
            "tooltip": "Middle of the missing wedge; 90 leaves angles around 0",
        },
    ] = 90.0
    arcs: Annotated[
        int,
        {"min": 1, "max": 20, "tooltip": "Number of arcs the angles come in; they share what is missing between them"}
        | _ADVANCED,
    ] = 1
    lost: Annotated[
        float, {**_FRACTION, "max": 0.99, "tooltip": "Part of the projections that is lost, at random"} | _ADVANCED
    ] = 0.0
    photons: Annotated[
        float | None,
        {"min": 1.0, "max": 1e9, "tooltip": "Photons in a pixel of the open beam; empty for line integrals"},
    ] = None
    noise: Annotated[
        float,
        {**_FRACTION, "tooltip": "Normal noise on line integrals, relative to the largest"},
    ] = 0.01
    absorption: Annotated[
        float,
        {
            "min": 0.001,
            "max": 10.0,
            "step": 0.1,
            "tooltip": "−ln of the transmission along the object's darkest row or column",
        }
        | _ADVANCED,
    ] = 2.0
    blur: Annotated[
        float,
        {
            "min": 0.0,
            "max": 20.0,
            "step": 0.5,
            "unit": "pixels",
            "tooltip": "Resolution of the projections, full width at half maximum",
        },
    ] = 0.0
    background: Annotated[
        float,
        {**_FRACTION, "tooltip": "Smooth offset of the projections, relative to the largest line integral"} | _ADVANCED,
    ] = 0.0
    surroundings: Annotated[
        float,
        {
            "min": 0.0,
            "max": 10.0,
            "step": 0.1,
            "tooltip": "Density of things across the border of the field of view, relative to metal",
        }
        | _ADVANCED,
    ] = 0.0
    hot_spots: Annotated[
        float,
        {
            "min": 0.0,
            "max": 100.0,
            "step": 0.5,
            "tooltip": "Density of bright specks at the rim and beyond, relative to metal",
        }
        | _ADVANCED,
    ] = 0.0
    jitter: Annotated[
        float,
        {
            "min": 0.0,
            "max": 20.0,
            "step": 0.1,
            "unit": "pixels",
            "tooltip": "Random displacement of each projection",
        },
    ] = 0.0
    drift: Annotated[
        float,
        {
            "min": 0.0,
            "max": 50.0,
            "step": 0.1,
            "unit": "pixels",
            "tooltip": "Slow displacement over the scan",
        }
        | _ADVANCED,
    ] = 0.0
    slips: Annotated[
        float,
        {
            "min": 0.0,
            "max": 50.0,
            "step": 0.5,
            "unit": "pixels",
            "tooltip": "Displacement of one projection in twenty-five, at most",
        }
        | _ADVANCED,
    ] = 0.0
    shifts_known: Annotated[
        bool,
        {
            "label": "displacements known",
            "tooltip": "Write jitter, drift and slips into the scan; off to have them found",
        },
    ] = True
    centre_offset: Annotated[
        float,
        {
            "min": -500.0,
            "max": 500.0,
            "step": 0.5,
            "unit": "pixels",
            "tooltip": "Rotation axis off the detector's middle",
        },
    ] = 0.0
    centre_error: Annotated[
        float,
        {
            "min": -500.0,
            "max": 500.0,
            "step": 0.5,
            "unit": "pixels",
            "tooltip": "By how much the scan misstates its axis",
        }
        | _ADVANCED,
    ] = 0.0
    angle_error: Annotated[
        float,
        {
            "min": 0.0,
            "max": 10.0,
            "step": 0.05,
            "unit": "°",
            "tooltip": "Random error of each angle, standard deviation",
        }
        | _ADVANCED,
    ] = 0.0
    rings: Annotated[float, {**_FRACTION, "tooltip": "Relative error of the detector pixels' gains"}] = 0.0
    bad_pixels: Annotated[
        float, {**_FRACTION, "tooltip": "Part of the detector's pixels that is dead or hot"} | _ADVANCED
    ] = 0.0
    beam_drift: Annotated[
        float, {**_FRACTION, "tooltip": "Relative change of the beam's intensity over the scan"} | _ADVANCED
    ] = 0.0
    frames: Annotated[
        int,
        {"min": 1, "max": 1000, "label": "flats and darks", "tooltip": "Number of each, with photons"} | _ADVANCED,
    ] = 10
    pixel_size: Annotated[float, {"min": 0.1, "max": 1e6, "unit": "nm", "tooltip": "At the sample"} | _ADVANCED] = 20.0
    energy: Annotated[float, {"min": 0.01, "max": 1000.0, "unit": "keV", "tooltip": "Of the photons"} | _ADVANCED] = 9.0
    oversampling: Annotated[
        int,
        {"min": 1, "max": 8, "tooltip": "How many times finer than the reconstruction the object is drawn"} | _ADVANCED,
    ] = 2
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "tooltip": "The same seed gives the same scan"}] = 0

    def __post_init__(self):
        check(self)
        if abs(self.centre_offset) + abs(self.centre_error) > self.size / 2:
            raise OptionError(
                f"centre_offset {self.centre_offset:g} and centre_error {self.centre_error:g} put the axis "
                f"off a detector of {self.size} columns; keep their sum under {self.size / 2:g}"
            )
