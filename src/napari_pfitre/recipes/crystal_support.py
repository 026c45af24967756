"""Shrink-wrap for crystals: solid bodies of even density that a network has seen roughly where they are.

    S = { r : (|x| ∗ G_σ)(r) ≥ threshold · plateau } ∪ core,  within reach

The plateau is the level above which half of the power lies: the crystal's own density, which a few bright voxels
(unlike the maximum) do not move. Where the network was sure stays in, so that a crystal whose phase is not right yet in
some part does not lose that part; and nothing grows far from where the network held a crystal for possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..solvers import ShrinkWrap
from ..solvers.shrink_wrap import blurred, magnitude, plateau

__all__ = ["CrystalSupport", "grown"]


@dataclass(frozen=True)
class CrystalSupport(ShrinkWrap):
    """`ShrinkWrap` with a core and a reach, both bool, zero at index 0."""

    core: torch.Tensor | None = None
    reach: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """The support of an object (z, y, x), bool."""
        smooth = blurred(magnitude(x), sigma)
        support = smooth >= self.threshold * plateau(smooth)
        if self.core is not None:
            support |= self.core
        if self.reach is not None:
            support &= self.reach
        return support


def grown(support: torch.Tensor) -> torch.Tensor:
    """A support and a voxel and a half about it."""
    return blurred(support.float(), 1.0) > 0.1
