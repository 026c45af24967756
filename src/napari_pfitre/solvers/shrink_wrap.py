"""Shrink-wrap: the support is where the blurred object stands out.

    S = { r : (|x| ∗ G_σ)(r) ≥ threshold · max }

Marchesini et al., Phys. Rev. B 68 (2003) 140101. σ falls as the object gets clearer; the blur is periodic, by FFT.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["ShrinkWrap", "blurred", "box_support", "plateau"]

_FAINT = 0.1  #: of the maximum; below it is no object


@dataclass(frozen=True)
class ShrinkWrap:
    """When and how the support is taken anew."""

    every: int = 10  #: steps between two updates; 0 never updates
    threshold: float = 0.1  #: of the blurred amplitude's maximum
    sigma: tuple[float, float] = (2.0, 1.0)  #: voxels, at the start and at the end; between them geometric
    until: float = 1.0  #: of the run; later the support stays

    def due(self, k: int, total: int) -> bool:
        """Whether step k of `total` ends with an update; the last one never does."""
        return self.every > 0 and k % self.every == 0 and k <= self.until * total and k < total

    def sigma_at(self, k: int, total: int) -> float:
        first, last = self.sigma
        share = min(1.0, k / max(1.0, self.until * total))
        return math.exp((1 - share) * math.log(first) + share * math.log(last))

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """The support of an object (z, y, x), bool."""
        smooth = blurred(magnitude(x), sigma)
        return smooth >= self.threshold * smooth.max()


def magnitude(x: torch.Tensor) -> torch.Tensor:
    """|x|, without the care for overflow that makes torch's abs slow."""
    return torch.addcmul(x.real.square(), x.imag, x.imag).sqrt_()


def plateau(amplitude: torch.Tensor) -> float:
    """The level above which half of the power lies."""
    values = amplitude[amplitude > _FAINT * amplitude.max()]
    if not len(values):
        return 0.0
    values = values.sort(descending=True).values
    power = values.square().cumsum(0, dtype=torch.float64)
    return float(values[int(torch.searchsorted(power, 0.5 * power[-1]))])


def blurred(values: torch.Tensor, sigma: float) -> torch.Tensor:
    """Real values (z, y, x) folded with a Gaussian, periodically; σ in voxels."""
    spectrum = torch.fft.rfftn(values)
    for axis, n in enumerate(values.shape):
        f = torch.fft.rfftfreq(n) if axis == 2 else torch.fft.fftfreq(n)
        window = torch.exp(-2 * (math.pi * sigma * f) ** 2).to(values)
        spectrum *= window.view([-1 if a == axis else 1 for a in range(3)])
    return torch.fft.irfftn(spectrum, s=values.shape)


def box_support(
    shape: Sequence[int], share: float | Sequence[float] = 0.5, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """A box about index 0 that spans `share` of each axis (one for all, or each its own), bool."""
    inside = torch.ones(tuple(shape), dtype=torch.bool, device=device)
    shares = (share,) * 3 if isinstance(share, float) else share
    for axis, (n, part) in enumerate(zip(shape, shares, strict=True)):
        near = torch.fft.fftfreq(n, 1 / n, device=device).abs() <= part * n / 2
        inside &= near.view([-1 if a == axis else 1 for a in range(3)])
    return inside
