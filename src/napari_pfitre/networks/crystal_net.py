"""The network for coherent diffraction: from a pattern of 32³ voxels to a crystal's shape and phase.

Two encoders, one of the pattern (as the network of Chan et al., Appl. Phys. Rev. 8 (2021) 021407, has it), one of its
inverse Fourier transform, the crystal's autocorrelation, meet at 4³; one decoder leads to shape and phase.

All patterns come at about twofold oversampling along each axis (`crystal_frame`), so that the crystal fills about half
of the box; nothing is predicted outside of its inner 24³.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["BOX", "INNER", "PIXELS", "CrystalNet", "as_object", "transform", "transform_back", "twin"]

BOX, INNER = 32, 24  #: voxels along each axis: of the pattern, and where a crystal can be
PIXELS = (-3, -2, -1)  #: axes of a volume


def fold(x: torch.Tensor) -> torch.Tensor:
    """(b, c, 2z, 2y, 2x) → (b, 8c, z, y, x): every second voxel a channel of its own, nothing lost."""
    b, c, z, y, w = x.shape
    parts = x.reshape(b, c, z // 2, 2, y // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return parts.reshape(b, 8 * c, z // 2, y // 2, w // 2)


def unfold(x: torch.Tensor) -> torch.Tensor:
    """The inverse of `fold`."""
    b, c, z, y, w = x.shape
    parts = x.reshape(b, c // 8, 2, 2, 2, z, y, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return parts.reshape(b, c // 8, 2 * z, 2 * y, 2 * w)


def transform(x: torch.Tensor) -> torch.Tensor:
    """Fourier transform over the last three axes, both sides with their zero in the middle."""
    axes = (-3, -2, -1)
    return torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(x, axes), dim=axes, norm="ortho"), axes)


def transform_back(x: torch.Tensor) -> torch.Tensor:
    """The inverse of `transform`."""
    axes = (-3, -2, -1)
    return torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(x, axes), dim=axes, norm="ortho"), axes)


class Residual(nn.Module):
    """x + conv(act(conv(act(norm(x))))), normalised in groups."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv_1, self.conv_2 = (nn.Conv3d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_2(F.silu(self.conv_1(F.silu(self.norm(x)))))


class Encoder(nn.Module):
    """32³ → 16³ → 8³ → 4³."""

    def __init__(self, channels: int, widths: Sequence[int]):
        super().__init__()
        full, half, quarter = widths
        self.enter = nn.Conv3d(8 * channels, full, 3, padding=1)
        self.block_1 = Residual(full)
        self.down_1 = nn.Conv3d(full, half, 2, stride=2)
        self.block_2 = Residual(half)
        self.down_2 = nn.Conv3d(half, quarter, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_2(self.block_2(self.down_1(self.block_1(self.enter(fold(x))))))


class CoarseEncoder(nn.Module):
    """32³ → 8³ → 4³, everything fine in channels."""

    def __init__(self, channels: int, widths: Sequence[int]):
        super().__init__()
        half, quarter = widths
        self.enter = nn.Conv3d(64 * channels, half, 3, padding=1)
        self.block = Residual(half)
        self.down = nn.Conv3d(half, quarter, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.block(self.enter(fold(fold(x)))))


class Decoder(nn.Module):
    """4³ → 8³ → 16³ → 32³."""

    def __init__(self, widths: Sequence[int], channels: int):
        super().__init__()
        full, half, quarter = widths
        self.up_2 = nn.ConvTranspose3d(quarter, half, 2, stride=2)
        self.block_2 = Residual(half)
        self.up_1 = nn.ConvTranspose3d(half, full, 2, stride=2)
        self.block_1 = Residual(full)
        self.leave = nn.Conv3d(full, 8 * channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return unfold(self.leave(F.silu(self.block_1(self.up_1(self.block_2(self.up_2(x)))))))


class CrystalNet(nn.Module):
    """Shape and phase from a pattern.

    Parameters
    ----------
    widths
        Features at 16³, 8³ and 4³ of the pattern's encoder and of the decoder; multiples of eight.
    correlation
        Features at 8³ and 4³ of the autocorrelation's encoder.
    """

    def __init__(self, widths: Sequence[int] = (32, 96, 160), correlation: Sequence[int] = (96, 96)):
        super().__init__()
        self.config = {"widths": list(widths), "correlation": list(correlation)}
        self.pattern = Encoder(3, widths)
        self.correlation = CoarseEncoder(3, correlation)
        self.join = nn.Conv3d(widths[2] + correlation[1], widths[2], 1)
        self.deep = nn.Sequential(Residual(widths[2]), Residual(widths[2]))
        self.decoder = Decoder(widths, 3)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, amplitude: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Shape and phase.

        Parameters
        ----------
        amplitude
            (b, 32, 32, 32), square root of the intensity; any scale; 0 where unknown.
        known
            The same shape, 1 where measured and 0 elsewhere.

        Returns
        -------
        (b, 3, 24, 24, 24): logit of the shape, and two numbers whose direction is the phase.
        """
        top = amplitude.amax((-3, -2, -1), keepdim=True).clamp(min=1e-12)
        amplitude = amplitude.float() / top
        intensity = amplitude.square()
        logarithm = (torch.log10(intensity + 1e-6) + 6) / 6
        correlation = transform_back(intensity.to(torch.complex64))
        correlation = correlation / correlation.abs().amax((-3, -2, -1), keepdim=True).clamp(min=1e-12)
        size = correlation.abs()
        # the square root of the modulus, with its phase: its far ends say where the crystal's do
        soft = correlation / (size.sqrt() + 1e-4)
        lifted = (torch.log10(size + 1e-4) + 4) / 4
        q = self.pattern(torch.stack([amplitude, logarithm, 1 - known], dim=1))
        r = self.correlation(torch.stack([soft.real, soft.imag, lifted], dim=1))
        full = self.decoder(self.deep(self.join(torch.cat([q, r], dim=1)))).float()
        edge = (BOX - INNER) // 2
        return full[..., edge:-edge, edge:-edge, edge:-edge]


def as_object(answer: torch.Tensor) -> torch.Tensor:
    """(b, 3, z, y, x) as the network gives it → (b, z, y, x), complex: shape times phase factor."""
    u = torch.complex(answer[:, 1], answer[:, 2])
    return torch.sigmoid(answer[:, 0]) * u / (1 + answer[:, 1].square() + answer[:, 2].square()).sqrt()


def twin(x: torch.Tensor) -> torch.Tensor:
    """conj(x(−r)), the origin on index n // 2 of an even n; it has the pattern of x."""
    return x.flip(PIXELS).roll((1, 1, 1), PIXELS).conj()
