"""Optimisation loops and direct inversions: they know operators and priors, nothing else.

An iterative solver is a generator of `Iterate`s; whoever calls it watches, previews and stops.
"""

from __future__ import annotations

from ..schedules import parse_schedule
from .cg import Solution, conjugate_gradients
from .fbp import fbp
from .fista import Iterate, fista
from .half_quadratic import SplitIterate, data_step, first_step, half_quadratic, smooth_step
from .last import last
from .likelihood import Likelihood
from .phasing import PhasingIterate, phasing, random_start
from .refine import Refined, refine, soft_support
from .shrink_wrap import ShrinkWrap, box_support

__all__ = [
    "Iterate",
    "Likelihood",
    "PhasingIterate",
    "Refined",
    "ShrinkWrap",
    "Solution",
    "SplitIterate",
    "box_support",
    "conjugate_gradients",
    "data_step",
    "fbp",
    "first_step",
    "fista",
    "half_quadratic",
    "last",
    "parse_schedule",
    "phasing",
    "random_start",
    "refine",
    "smooth_step",
    "soft_support",
]
