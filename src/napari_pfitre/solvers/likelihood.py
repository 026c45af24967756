"""How unlikely the measured photons n = D² are, were F the field; sums over what was measured.

    amplitude   Σ (|F| − D)²                          for counts with a variance of about n, whatever else went wrong
    poisson     Σ |F|² + b − n + n ln(n / (|F|² + b))  for photons, b the background in every voxel

Both are 0 for a perfect fit and have gradients 2 (1 − D/|F|) F and 2 (1 − n/(|F|² + b)) F. A quarter of the variance
of n is that of √n, so four times the first approximates twice the second where there are many photons: chi-squared.
Thibault & Guizar-Sicairos, New J. Phys. 14 (2012) 063004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

__all__ = ["Likelihood"]


@dataclass(frozen=True)
class Likelihood:
    """The misfit of a field to measured amplitudes (z, y, x); negative amplitudes are not measured."""

    kind: Literal["amplitude", "poisson"] = "amplitude"
    background: float = 0.1  #: photons; keeps a voxel where none are expected but some were counted from deciding all

    def along(self, field: torch.Tensor, direction: torch.Tensor, amplitude: torch.Tensor, step: float):
        """Value and slope at F + step · G, floats."""
        poisson = self.kind == "poisson"
        if field.device.type == "cpu":
            import numpy as np

            from . import phasing_kernels

            return phasing_kernels.along(
                _lines(field), _lines(direction), _flat(amplitude), np.float32(step), poisson,
                np.float32(self.background),
            )  # fmt: skip
        there = torch.add(field, direction, alpha=step)
        photons = torch.view_as_real(there).square().sum(-1)
        counted = amplitude.square()
        if poisson:
            expected = photons + self.background
            values = expected - counted + torch.special.xlogy(counted, counted / expected)
        else:
            values = (photons.sqrt() - amplitude).square_()
        measured = amplitude >= 0
        value = torch.where(measured, values, 0).sum(dtype=torch.float64)
        slope = 2 * (self.pull(there, amplitude, there) * direction.conj()).real.sum(dtype=torch.float64)
        return value.item(), slope.item()

    def pull(self, field: torch.Tensor, amplitude: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Half of the gradient, (1 − …) F, into `out`."""
        poisson = self.kind == "poisson"
        if field.device.type == "cpu":
            import numpy as np

            from . import phasing_kernels

            phasing_kernels.pull(_lines(field), _flat(amplitude), poisson, np.float32(self.background), _lines(out))
            return out
        photons = torch.view_as_real(field).square().sum(-1)
        share = amplitude.square() / (photons + self.background) if poisson else amplitude / (photons.sqrt() + 1e-30)
        return torch.mul(field, torch.where(amplitude < 0, 0, 1 - share), out=out)


def _lines(field: torch.Tensor):
    return torch.view_as_real(field).view(-1, field.shape[-1], 2).numpy()


def _flat(amplitude: torch.Tensor):
    return amplitude.view(-1, amplitude.shape[-1]).numpy()
