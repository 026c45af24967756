"""Optimisation loops and direct inversions: they know operators and priors, nothing else.

An iterative solver is a generator of `Iterate`s; whoever calls it watches, previews and stops.
"""

from __future__ import annotations

from .cg import Solution, conjugate_gradients
from .fbp import fbp
from .fista import Iterate, fista
from .half_quadratic import SplitIterate, data_step, first_step, half_quadratic

__all__ = [
    "Iterate",
    "Solution",
    "SplitIterate",
    "conjugate_gradients",
    "data_step",
    "fbp",
    "first_step",
    "fista",
    "half_quadratic",
]
