"""Optimisation loops and direct inversions: they know operators and priors, nothing else.

An iterative solver is a generator of `Iterate`s; whoever calls it watches, previews and stops.
"""

from __future__ import annotations

from .fbp import fbp
from .fista import Iterate, fista

__all__ = ["Iterate", "fbp", "fista"]
