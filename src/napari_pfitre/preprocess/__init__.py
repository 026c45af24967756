"""Scan → scan: from counts as they were recorded to what a reconstruction wants, lazily, each step in the history."""

from .cdi import CdiPrepareOptions, prepare_pattern
from .cdi_oversampling import oversampling
from .centre import CentreEstimate, centre_sweep, estimate_centre, find_centre
from .dead import repair
from .either import options_for, ready
from .flat_field import flat_field, minus_log
from .geometry import bin, crop, shift
from .outliers import remove_outliers
from .prepare import PrepareOptions, prepare
from .rings import RING_METHODS, remove_rings
from .scaling import equalise, normalise_air

__all__ = [
    "RING_METHODS",
    "CdiPrepareOptions",
    "CentreEstimate",
    "PrepareOptions",
    "bin",
    "centre_sweep",
    "crop",
    "equalise",
    "estimate_centre",
    "find_centre",
    "flat_field",
    "minus_log",
    "normalise_air",
    "options_for",
    "oversampling",
    "prepare",
    "prepare_pattern",
    "ready",
    "remove_outliers",
    "remove_rings",
    "repair",
    "shift",
]
