"""Slices as the network knows them: turned so that the measured directions centre on one eighth of all.

Turning by 90° and flipping move no value, and one of the eight ways to do it brings the middle of what was measured to
between 0° and 45°. So the network learns an eighth of the missing wedges, and mends the others as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..operators.coverage import angular_coverage

__all__ = ["Orientation", "orientation"]


class Orientation(NamedTuple):
    """Quarter turns to the left, and then perhaps a flip of the columns."""

    turns: int = 0
    flip: bool = False

    def of(self, image: torch.Tensor) -> torch.Tensor:
        """Images (..., y, x), turned."""
        image = torch.rot90(image, self.turns, (-2, -1)) if self.turns % 4 else image
        return image.flip(-1) if self.flip else image

    def back(self, image: torch.Tensor) -> torch.Tensor:
        """Images that were turned, as they were."""
        image = image.flip(-1) if self.flip else image
        return torch.rot90(image, -self.turns, (-2, -1)) if self.turns % 4 else image

    @property
    def half_turned(self) -> Orientation:
        """Half a turn further; what was measured stays as it was."""
        return Orientation(self.turns + 2, self.flip)

    def coverage(self, bins: torch.Tensor) -> torch.Tensor:
        """The angular coverage (bin,) of a turned image."""
        bins = bins.roll(len(bins) // 2 * (self.turns % 2))
        return bins.flip(0) if self.flip else bins


def orientation(angles) -> Orientation:
    """What brings the middle of these angles, radians, to between 0° and 45°."""
    bins = angular_coverage(np.asarray(angles, dtype=float))
    directions = (np.arange(len(bins)) + 0.5) * np.pi / len(bins)
    middle = np.angle(np.sum(bins * np.exp(2j * directions))) / 2 % np.pi
    eighth = int(middle // (np.pi / 4)) % 4
    return (Orientation(0, False), Orientation(1, True), Orientation(1, False), Orientation(0, True))[eighth]
