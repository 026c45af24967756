"""The frame in which `CrystalNet` sees patterns: 32³ voxels, about twofold oversampling along each axis, centred.

A pattern is resampled along each axis by a real kernel that keeps the part of its autocorrelation that fits into the
network's box,

    I'(k) = 1/M Σ_n I(n) Σ_x cos(2πx (k M/32 + δ − n) / M),        |x| ≤ 16,

with M = 32 · oversampling / 2 of the pattern's voxels to the network's 32, k and n counted from the peak: exact
interpolation where the autocorrelation fits, and an average over the noise. δ is the pattern's centre of mass, taken
from the phase of the autocorrelation next to its middle, to which an even background adds nothing. What the network
answers is interpolated back at the pattern's own voxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .crystal_net import BOX, INNER

__all__ = ["OVERSAMPLING", "Frame", "filled", "frame_of", "oversampling_of"]

OVERSAMPLING = 2.04  #: in the frame; the middle of what the network was trained on
_EDGE = (BOX - INNER) // 2


@dataclass(frozen=True, eq=False)
class Frame:
    """One pattern in the network's frame, and the way back."""

    amplitude: torch.Tensor  #: (32, 32, 32), float32
    known: torch.Tensor  #: (32, 32, 32), 1 where measured
    window: tuple[float, float, float]  #: of the pattern's voxels in the frame, M, along each axis
    offset: tuple[float, float, float]  #: of the pattern's centre of mass from index n // 2, voxels
    shape: tuple[int, int, int]  #: of the pattern

    def back(self, field: torch.Tensor) -> torch.Tensor:
        """A field over the inner 24³ (complex or real) at the voxels of an object as large as the pattern.

        A complex one is taken as the object itself, and gets the phase ramp that stands for the pattern's offset.
        """
        lines = []
        for n, m in zip(self.shape, self.window, strict=True):
            at = (torch.arange(n, device=field.device) - n // 2) * (m / n)  # voxels of the frame, from its middle
            lines.append((2 * (at + INNER // 2) + 1) / INNER - 1)
        z, y, x = torch.meshgrid(*(line.float() for line in lines), indexing="ij")
        places = torch.stack([x, y, z], dim=-1)[None]
        parts = torch.view_as_real(field).permute(3, 0, 1, 2) if field.is_complex() else field[None]
        there = F.grid_sample(parts[None].float(), places, align_corners=False)[0]
        if not field.is_complex():
            return there[0]
        psi = torch.complex(there[0], there[1])
        for axis, (n, delta) in enumerate(zip(self.shape, self.offset, strict=True)):
            turn = 2 * math.pi * delta * (torch.arange(n, device=field.device) - n // 2) / n
            psi = psi * torch.polar(torch.ones_like(turn), turn).reshape([-1 if i == axis else 1 for i in range(3)])
        return psi


def frame_of(intensity: torch.Tensor, mask: torch.Tensor | None, oversampling: tuple[float, float, float]) -> Frame:
    """A pattern (z, y, x) with its peak near index n // 2, seen in the network's frame.

    Parameters
    ----------
    mask
        Same shape, True where nothing was measured; None when all was.
    oversampling
        Of the pattern, along each axis.
    """
    intensity = intensity.float().clamp(min=0)
    if mask is not None:
        intensity = filled(intensity, mask)
    window = [BOX * s / OVERSAMPLING for s in oversampling]
    offset = [_offset(intensity, axis, m) for axis, m in enumerate(window)]
    image, known = intensity, torch.ones_like(intensity) if mask is None else (~mask).float()
    for axis, (m, delta) in enumerate(zip(window, offset, strict=True)):
        image = _apply(_kernel(intensity.shape[axis], m, delta).to(image), image, axis)
        known = known.index_select(axis, _nearest(intensity.shape[axis], m, delta).to(image.device))
    known = (known > 0.5).float()
    n_z, n_y, n_x = intensity.shape
    return Frame(
        image.clamp(min=0).sqrt() * known, known, (window[0], window[1], window[2]), (offset[0], offset[1], offset[2]),
        (n_z, n_y, n_x),
    )  # fmt: skip


def filled(intensity: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Masked voxels replaced by the mean of what is measured around them, from near to far."""
    known = (~mask).float()
    total, weight = (intensity * known)[None, None], known[None, None]
    out = intensity * known
    missing = mask.clone()
    for _ in range(max(intensity.shape)):
        if not missing.any():
            break
        total, weight = (F.avg_pool3d(part, 3, stride=1, padding=1) for part in (total, weight))
        reached = missing & (weight[0, 0] > 1e-3)
        out = torch.where(reached, total[0, 0] / weight[0, 0].clamp(min=1e-6), out)
        missing &= ~reached
    return out


def oversampling_of(shape: torch.Tensor, frame: Frame, level: float = 0.3) -> tuple[float, float, float]:
    """Of the pattern, from the size of the shape that was found (24, 24, 24), 0 to 1; to a part of a voxel.

    The level is low, for corners are thinner than a voxel. Where nothing is found, what the frame was made with.
    """
    found = []
    for axis, m in enumerate(frame.window):
        profile = shape.amax(tuple({0, 1, 2} - {axis}))
        inside = torch.nonzero(profile > level).flatten()
        if len(inside) < 3:
            found.append(m * OVERSAMPLING / BOX)
            continue
        first, last = int(inside[0]), int(inside[-1])
        extent = last - first + 1.0
        for edge, beyond in ((first, first - 1), (last, last + 1)):  # where the profile crosses, not where voxels end
            outer = float(profile[beyond]) if 0 <= beyond < len(profile) else 0.0
            inner = float(profile[edge])
            extent += (inner - level) / max(inner - outer, 1e-6) - 0.5
        found.append(m / max(extent, 2.0))
    return found[0], found[1], found[2]


def _offset(intensity: torch.Tensor, axis: int, period: float) -> float:
    n = intensity.shape[axis]
    profile = intensity.double().sum(tuple({0, 1, 2} - {axis}))
    at = torch.arange(n, device=intensity.device, dtype=torch.float64) - n // 2
    profile = profile * (at.abs() <= period / 2)
    turn = 2 * math.pi * at / period
    angle = torch.atan2((profile * turn.sin()).sum(), (profile * turn.cos()).sum())
    return float(angle) * period / (2 * math.pi)


def _places(m: float, delta: float) -> torch.Tensor:
    """Where the frame's voxels lie, in voxels of the pattern from its middle."""
    return (torch.arange(BOX, dtype=torch.float64) - BOX // 2) * (m / BOX) + delta


def _kernel(n: int, m: float, delta: float) -> torch.Tensor:
    """(32, n): each voxel of the frame from all of the pattern's."""
    at = torch.arange(n, dtype=torch.float64) - n // 2
    distance = _places(m, delta)[:, None] - at
    reach = min(BOX // 2, int(m / 2))
    x = torch.arange(1, reach + 1, dtype=torch.float64)
    weights = torch.full_like(x, 2.0)
    weights[-1] = 1.0  # half of it belongs to the other end
    return (1 + (torch.cos(2 * math.pi / m * distance[..., None] * x) * weights).sum(-1)) / m * (distance.abs() <= m)


def _nearest(n: int, m: float, delta: float) -> torch.Tensor:
    return (_places(m, delta).round().long() + n // 2).clamp(0, n - 1)


def _apply(kernel: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.tensordot(kernel, x.movedim(axis, 0), dims=1).movedim(0, axis)
