"""What is known before measuring: anything with ``prior(x)``, its value, and ``prior.prox(v, step)``,

    prox(v, step) = argmin_x  ½‖x − v‖² + step · prior(x)

A solver sees nothing else of a prior.
"""

from __future__ import annotations

from typing import Protocol

import torch

from .network import NetworkPrior
from .solid import Solid
from .total_variation import TotalVariation

__all__ = ["NetworkPrior", "NonNegative", "Prior", "Solid", "TotalVariation"]


class Prior(Protocol):
    """A function of an image stack (z, y, x) with a proximal step."""

    def __call__(self, x: torch.Tensor) -> float: ...

    def prox(self, v: torch.Tensor, step: float) -> torch.Tensor: ...


class NonNegative:
    """0 where x ≥ 0, infinite elsewhere; the value is not checked, since solvers only call it on its own output."""

    def __call__(self, x: torch.Tensor) -> float:
        return 0.0

    def prox(self, v: torch.Tensor, step: float) -> torch.Tensor:
        return v.clamp(min=0)
