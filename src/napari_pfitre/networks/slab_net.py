"""The network that ships: a residual U-shape over a slab of slices, told which angles were measured.

Two levels down, dilated residual dense blocks at a quarter of the resolution (Zhang et al., IEEE CVPR (2018) 2472; the
dilations are PFITRE's idea), and back; it predicts what to add to the slab's middle slice. Dilations of 1, 2, 4, 8 see
as far as the streaks of a missing wedge reach. The angular coverage and the noise scale and shift the blocks' features
(FiLM: Perez et al., AAAI 32 (2018) 3942).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["SlabNet"]


class DenseBlock(nn.Module):
    """x + fuse(n, f₁, f₂, …), n = x normalised: every fₖ a dilated convolution of all before it.

    Each pixel is normalised over its features, never over pixels: what one slice shows must not change another. The
    condition scales and shifts n.
    """

    def __init__(self, width: int, growth: int, conditions: int, dilations: tuple[int, ...]):
        super().__init__()
        self.modulate = nn.Linear(conditions, 2 * width)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width + i * growth, growth, 3, padding=d, dilation=d) for i, d in enumerate(dilations)
        )
        self.fuse = nn.Conv2d(width + len(dilations) * growth, width, 1)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulate(condition)[:, :, None, None].chunk(2, dim=1)
        normal = F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1).to(x.dtype)
        features = torch.addcmul(shift, normal, 1 + scale)
        for convolution in self.convolutions:
            features = torch.cat([features, F.gelu(convolution(features))], dim=1)
        return x + self.fuse(features)


class SlabNet(nn.Module):
    """The middle slice of a slab, mended.

    Parameters
    ----------
    slices
        Of the slab, odd; the middle one is mended, the others are context.
    conditions
        Length of the vector that says what was measured.
    width
        Features at full resolution; twice as many at half, four times at a quarter.
    growth
        Features each convolution of a dense block adds.
    blocks
        Dense blocks.
    """

    oriented = True  #: sees slices turned as `priors.orientation` says

    def __init__(self, slices: int = 5, conditions: int = 38, width: int = 32, growth: int = 32, blocks: int = 4,
                 dilations: tuple[int, ...] = (1, 2, 4, 8)):  # fmt: skip
        super().__init__()
        self.config = {
            "slices": slices, "conditions": conditions, "width": width, "growth": growth, "blocks": blocks,
            "dilations": list(dilations),
        }  # fmt: skip
        self.slices, self.conditions = slices, conditions
        hidden = 64
        self.condition = nn.Sequential(nn.Linear(conditions, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())
        self.encode_1 = nn.Conv2d(slices + 1, width, 3, padding=1)
        self.down_1 = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.encode_2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.down_2 = nn.Conv2d(2 * width, 4 * width, 2, stride=2)
        self.blocks = nn.ModuleList(DenseBlock(4 * width, growth, hidden, tuple(dilations)) for _ in range(blocks))
        self.up_2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join_2 = nn.Conv2d(4 * width, 2 * width, 3, padding=1)
        self.up_1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join_1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, 1, 1)
        self._start()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _start(self) -> None:
        """Weights that keep the size of features from layer to layer; untrained the network changes nothing."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in" if isinstance(module, nn.Conv2d) else "fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, DenseBlock):
                with torch.no_grad():  # a block begins as a small change, however many stand in a row
                    module.fuse.weight.mul_(0.3)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, slab: torch.Tensor, unmeasured: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """(b, slices, y, x) in units of the volume's scale, (b, 1, y, x), (b, conditions) → (b, 1, y, x)."""
        n_y, n_x = slab.shape[-2:]
        # A hot spot a dozen times brighter than all else must not drown the features it passes through.
        inputs = torch.asinh(torch.cat([slab, unmeasured], dim=1))
        inputs = F.pad(inputs, (0, -n_x % 4, 0, -n_y % 4), mode="reflect").contiguous(memory_format=torch.channels_last)
        told = self.condition(condition)
        full = F.gelu(self.encode_1(inputs))
        half = F.gelu(self.encode_2(F.gelu(self.down_1(full))))
        deep = self.down_2(half)
        for block in self.blocks:
            deep = block(deep, told)
        deep = F.gelu(self.join_2(torch.cat([F.gelu(self.up_2(deep)), half], dim=1)))
        deep = F.gelu(self.join_1(torch.cat([F.gelu(self.up_1(deep)), full], dim=1)))
        middle = slab[:, self.slices // 2, None]
        return middle + self.leave(deep)[..., :n_y, :n_x].to(middle.dtype)
