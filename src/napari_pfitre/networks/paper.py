"""The network of the PFITRE paper (Zhao et al., npj Comput. Mater. 11 (2025) 240), for one's own checkpoint of it.

A U-shape with two levels down; at a quarter of the resolution a dilated and a plain residual dense block, each passed
twice; 23,200,323 parameters. It sees one slice, standardised, in three equal channels, and gives three.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import WeightsError

__all__ = ["PaperNet", "load_paper_checkpoint"]


class Dense(nn.Module):
    """x + scale · h: h the last of a chain of convolutions, each of everything before it, newest first."""

    def __init__(self, dilations: Sequence[int], scale: float, last_active: bool):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(256 * (i + 1), 256, 3, padding=d, dilation=d) for i, d in enumerate(dilations)
        )
        self.scale, self.last_active = scale, last_active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = h = x
        for i, convolution in enumerate(self.convolutions):
            h = convolution(features)
            if self.last_active or i + 1 < len(self.convolutions):
                h = F.gelu(h)
            features = torch.cat([h, features], dim=1)
        return x + self.scale * h


class PaperNet(nn.Module):
    """The paper's network behind the signature of ours: it takes the slab's middle slice and leaves the rest."""

    slices, conditions = 1, 0

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, object] = {}
        self.encode_1 = nn.Conv2d(3, 64, 3, padding=1)
        self.down_1 = nn.Conv2d(64, 64, 2, stride=2)
        self.encode_2 = nn.Conv2d(64, 128, 3, padding=1)
        self.down_2 = nn.Conv2d(128, 128, 2, stride=2)
        self.encode_3 = nn.Conv2d(128, 256, 3, padding=1)
        self.dilated = Dense((2, 4, 8, 4, 2, 1), 1.0, last_active=True)
        self.plain = Dense((1, 1, 1, 1, 1), 0.2, last_active=False)
        self.join_3 = nn.Conv2d(512, 256, 3, padding=1)
        self.up_3 = nn.ConvTranspose2d(256, 64, 2, stride=2, bias=False)
        self.join_2 = nn.Conv2d(192, 128, 3, padding=1)
        self.up_2 = nn.ConvTranspose2d(128, 32, 2, stride=2, bias=False)
        self.join_1 = nn.Conv2d(96, 32, 3, padding=1)
        self.leave = nn.Conv2d(32, 3, 1)

    def forward(self, slab: torch.Tensor, unmeasured: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """(b, any odd number of slices, y, x) → (b, 1, y, x); each slice standardised by itself, as it was trained."""
        n_y, n_x = slab.shape[-2:]
        middle = slab[:, slab.shape[1] // 2, None]
        mean = middle.mean(dim=(-2, -1), keepdim=True)
        spread = middle.std(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
        image = F.pad((middle - mean) / spread, (0, -n_x % 4, 0, -n_y % 4), mode="reflect")
        full = F.gelu(self.encode_1(image.expand(-1, 3, -1, -1)))
        half = F.gelu(self.encode_2(self.down_1(full)))
        quarter = F.gelu(self.encode_3(self.down_2(half)))
        deep = self.plain(self.dilated(self.plain(self.dilated(quarter))))
        deep = F.gelu(self.up_3(F.gelu(self.join_3(torch.cat([deep, quarter], dim=1)))))
        deep = F.gelu(self.up_2(F.gelu(self.join_2(torch.cat([deep, half], dim=1)))))
        deep = self.leave(F.gelu(self.join_1(torch.cat([deep, full], dim=1))))
        return deep.mean(dim=1, keepdim=True)[..., :n_y, :n_x] * spread + mean


#: Parts of the network whose tensors stand together in a checkpoint, in this order, whatever they are called there.
PARTS = (
    "encode_1", "down_1", "encode_2", "down_2", "encode_3", "dilated", "plain", "join_3", "up_3", "join_2", "up_2",
    "join_1", "leave",
)  # fmt: skip


def load_paper_checkpoint(path: Path) -> PaperNet:
    """The network with the weights of a ``ckpt_PFITRE.pth``, read without running anything that is in the file.

    Names of parameters are not needed: every part is found by the shapes of its tensors, which a checkpoint keeps in
    the order of the layers, so that layers the network never uses may stand between them.

    Raises
    ------
    WeightsError
        When the file is something else, or a part is not in it, or could be several things.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path} does not exist; give the path of a ckpt_PFITRE.pth") from None
    except Exception as error:
        raise WeightsError(
            f"{path.name} cannot be read as tensors alone ({type(error).__name__}); a checkpoint made by torch.save of "
            "dictionaries and tensors was expected"
        ) from error
    state = content.get("net_state_dict", content) if isinstance(content, dict) else None
    pairs = state.items() if isinstance(state, dict) else ()
    stored = [(name, value) for name, value in pairs if isinstance(value, torch.Tensor) and value.ndim]
    if not stored:
        raise WeightsError(f"{path.name} holds no 'net_state_dict' of tensors; give the checkpoint the trainer wrote")
    net = PaperNet()
    found: dict[str, torch.Tensor] = {}
    for part in PARTS:
        wanted = {f"{part}.{name}": tuple(p.shape) for name, p in getattr(net, part).named_parameters()}
        found |= dict(zip(wanted, _run(part, list(wanted.values()), stored, path), strict=True))
    net.load_state_dict(found)
    return net.eval()


def _run(part: str, shapes: list[tuple[int, ...]], stored: list[tuple[str, torch.Tensor]], path: Path):
    """Consecutive tensors of these shapes that are not the beginning of something longer of the same kind."""
    all_shapes = [tuple(tensor.shape) for _, tensor in stored]
    n = len(shapes)
    starts = [i for i in range(len(stored) - n + 1) if all_shapes[i : i + n] == shapes]
    if part == "plain":  # five convolutions; the dilated block begins with the same five and has a sixth
        starts = [i for i in starts if all_shapes[i + n : i + n + 1] != [(256, 1536, 3, 3)]]
    elif n == 2 and shapes[0][2:] == (3, 3):  # a lone convolution, not one out of a dense block
        starts = [i for i in starts if not _inside_dense(all_shapes, i)]
    distinct = [i for k, i in enumerate(starts) if not any(_equal(stored, i, j, n) for j in starts[:k])]
    if not distinct:
        raise WeightsError(
            f"{path.name} has no tensors of shapes {', '.join(map(str, shapes[:2]))}{' …' if n > 2 else ''} for "
            f"the part {part!r} of the paper's network; it holds {len(stored)} tensors, of another network"
        )
    if len(distinct) > 1:
        names = ", ".join(stored[i][0] for i in distinct)
        raise WeightsError(
            f"the part {part!r} of the paper's network could be {names} in {path.name}; remove those never used"
        )
    return [tensor for _, tensor in stored[distinct[0] : distinct[0] + n]]


def _inside_dense(shapes: list[tuple[int, ...]], i: int) -> bool:
    """Whether the convolution at i is neighbour of one that a dense block would have before or after it."""
    here = shapes[i]
    before = shapes[i - 2] if i >= 2 else ()
    after = shapes[i + 2] if i + 2 < len(shapes) else ()
    return here[0] == 256 and any(
        len(other) == 4 and other[0] == 256 and other[2:] == (3, 3) and abs(other[1] - here[1]) == 256
        for other in (before, after)
    )


def _equal(stored: list[tuple[str, torch.Tensor]], i: int, j: int, n: int) -> bool:
    return all(torch.equal(stored[i + k][1], stored[j + k][1]) for k in range(n))
