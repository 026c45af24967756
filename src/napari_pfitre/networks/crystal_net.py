"""The network for coherent diffraction: from a pattern of 32³ voxels to a crystal's shape and phase.

First guess: two encoders, one of the pattern (as the network of Chan et al., Appl. Phys. Rev. 8 (2021) 021407, has
it), one of its inverse Fourier transform, the crystal's autocorrelation, meet at 4³; one decoder leads to shape and
phase. Then mending, some rounds with the same weights: the guess, and the guess with its modulus replaced by the
measured one, go through a small U-shape in real space, which corrects the guess. So the network sees what a step of
phase retrieval would make of its answer.

All patterns come at about twofold oversampling along each axis (`crystal_frame`), so that the crystal fills about half
of the box; nothing is predicted outside of its inner 24³.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["BOX", "INNER", "CrystalNet", "modulus_step"]

BOX, INNER = 32, 24  #: voxels along each axis: of the pattern, and where a crystal can be


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


def modulus_step(psi: torch.Tensor, amplitude: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The object with the measured modulus where it is known, scaled to psi: amplitudes have no scale of their own."""
    field = transform(psi)
    modulus = field.abs()
    axes = (-3, -2, -1)
    fit = (modulus * amplitude * known).sum(axes, keepdim=True)
    scale = fit / (amplitude.square() * known).sum(axes, keepdim=True).clamp(min=1e-12)
    wanted = torch.where(known > 0, scale * amplitude / modulus.clamp(min=1e-6), torch.ones_like(modulus))
    return transform_back(field * wanted)


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


class Mender(nn.Module):
    """A U-shape in real space over the inner 24³, folded to 12³."""

    def __init__(self, channels: int, widths: Sequence[int], leaves: int):
        super().__init__()
        full, half = widths
        self.enter = nn.Conv3d(8 * channels, full, 3, padding=1)
        self.block_1 = Residual(full)
        self.down = nn.Conv3d(full, half, 2, stride=2)
        self.deep = nn.Sequential(Residual(half), Residual(half))
        self.up = nn.ConvTranspose3d(half, full, 2, stride=2)
        self.join = nn.Conv3d(2 * full, full, 1)
        self.block_2 = Residual(full)
        self.leave = nn.Conv3d(full, 8 * leaves, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        full = self.block_1(self.enter(fold(x)))
        deep = self.up(self.deep(self.down(full)))
        return unfold(self.leave(F.silu(self.block_2(self.join(torch.cat([full, deep], dim=1))))))


class CrystalNet(nn.Module):
    """Shape and phase from a pattern.

    Parameters
    ----------
    widths
        Features at 16³, 8³ and 4³ of the pattern's encoder and of the decoder; multiples of eight.
    correlation
        Features at 8³ and 4³ of the autocorrelation's encoder.
    mending
        Features at 12³ and 6³ of what mends.
    rounds
        Of mending.
    """

    def __init__(self, widths: Sequence[int] = (32, 96, 160), correlation: Sequence[int] = (96, 96),
                 mending: Sequence[int] = (64, 96), rounds: int = 2):  # fmt: skip
        super().__init__()
        self.config = {
            "widths": list(widths), "correlation": list(correlation), "mending": list(mending), "rounds": rounds,
        }  # fmt: skip
        self.rounds = rounds
        self.pattern = Encoder(3, widths)
        self.correlation = CoarseEncoder(3, correlation)
        self.join = nn.Conv3d(widths[2] + correlation[1], widths[2], 1)
        self.deep = nn.Sequential(Residual(widths[2]), Residual(widths[2]))
        self.decoder = Decoder(widths, 3)
        self.mender = Mender(7, mending, 3)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, amplitude: torch.Tensor, known: torch.Tensor, rounds: int | None = None) -> list[torch.Tensor]:
        """The guess and, after each round of mending, a better one.

        Parameters
        ----------
        amplitude
            (b, 32, 32, 32), square root of the intensity; any scale; 0 where unknown.
        known
            The same shape, 1 where measured and 0 elsewhere.
        rounds
            Of mending, when not as many as in training.

        Returns
        -------
        Each (b, 3, 24, 24, 24): logit of the shape, and two numbers whose direction is the phase.
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
        answer = full[..., edge:-edge, edge:-edge, edge:-edge]
        answers = [answer]
        for _ in range(self.rounds if rounds is None else rounds):
            answer = self._mended(answer.detach(), amplitude, known)
            answers.append(answer)
        return answers

    def _mended(self, answer: torch.Tensor, amplitude: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        edge = (BOX - INNER) // 2
        psi = as_object(answer)
        mean = psi.sum((-3, -2, -1), keepdim=True)
        psi = psi * (mean.conj() / mean.abs().clamp(min=1e-6))
        stepped = modulus_step(F.pad(psi, (edge,) * 6), amplitude, known)[..., edge:-edge, edge:-edge, edge:-edge]
        direction = (answer[:, 1:].square().sum(1) / (1 + answer[:, 1:].square().sum(1))).sqrt()
        seen = [psi.real, psi.imag, stepped.real, stepped.imag, stepped.abs(), answer[:, 0] / 4, direction]
        change = self.mender(torch.stack(seen, dim=1)).float()
        turn = mean.conj() / mean.abs().clamp(min=1e-6)
        u = torch.complex(answer[:, 1], answer[:, 2]) * turn
        return torch.stack([answer[:, 0] + change[:, 0], u.real + change[:, 1], u.imag + change[:, 2]], 1)


def as_object(answer: torch.Tensor) -> torch.Tensor:
    """(b, 3, z, y, x) as the network gives it → (b, z, y, x), complex: shape times phase factor."""
    u = torch.complex(answer[:, 1], answer[:, 2])
    return torch.sigmoid(answer[:, 0]) * u / (1 + answer[:, 1].square() + answer[:, 2].square()).sqrt()
