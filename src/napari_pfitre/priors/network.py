"""A network as a prior: its image of a volume stands for prox(v), whatever the step.

The proximal step of −log p at 1/ρ is the most probable image behind v when v is that image plus noise of variance 1/ρ
(Venkatakrishnan, Bouman & Wohlberg, IEEE GlobalSIP (2013) 945). A network that was trained on the iterates of the very
loop it is used in gives that image for them; it has no value to report, and ρ comes in by the training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ..operators.coverage import angular_coverage, sampling, unmeasured, unmeasured_part
from .orientation import Orientation, orientation

__all__ = ["NetworkPrior", "condition", "robust_scale", "slabs"]

PIXELS_AT_ONCE = {"cpu": 1 << 16}  #: in a batch; larger ones leave the cache
PIXELS_ELSEWHERE = 1 << 23


class NetworkPrior:
    """A network on a stack (z, y, x).

    Parameters
    ----------
    net
        (slab, unmeasured, condition) → image; see `napari_pfitre.networks`.
    angles
        (angle,), radians: which frequencies were measured.
    noise
        Standard deviation of a bin over the root mean square of the data.
    scale
        What counts as one, for the whole volume; by default `robust_scale` of the first stack that comes.
    non_negative
        Set what the network leaves below 0 to 0.

    Notes
    -----
    The object keeps the scale and the mask between calls: use one object for one run on one stack. Slices go through
    the network half a turn further each time, which changes nothing of what was measured: what it gets wrong in one
    direction does not add up over a run's rounds (Terris et al., IEEE/CVF CVPR (2024)).
    """

    def __init__(self, net: torch.nn.Module, angles, noise: float, *, scale: float | None = None,
                 non_negative: bool = True):  # fmt: skip
        self.net, self.angles, self.noise = net.eval(), np.asarray(angles, dtype=float), noise
        self.scale, self.non_negative = scale, non_negative
        self.slices: Any = net.slices
        self.turned = orientation(self.angles) if getattr(net, "oriented", False) else Orientation()
        self._mask: torch.Tensor | None = None
        self._told: torch.Tensor | None = None
        self._known_of: tuple = ()  #: the kind of stack that mask and condition are of

    def __call__(self, x: torch.Tensor) -> float:
        """Not known: such a prior has a proximal step and no value."""
        return math.nan

    @torch.no_grad()
    def prox(self, v: torch.Tensor, step: float) -> torch.Tensor:
        """The network's image of v (z, n_y, n_x), slice by slice, each in a slab of its neighbours."""
        if self.scale is None:
            self.scale = robust_scale(v)
        mask, told = self.known(v)
        out = torch.empty_like(v)
        at_once = max(1, PIXELS_AT_ONCE.get(v.device.type, PIXELS_ELSEWHERE) // v[0].numel())
        start = 0
        while start < len(v):
            rows = torch.arange(start, min(start + at_once, len(v)))
            try:
                out[rows] = self._mended(v, rows, mask, told)
                start += len(rows)
            except torch.OutOfMemoryError:
                if at_once == 1:
                    raise
                at_once = (at_once + 1) // 2
                torch.cuda.empty_cache()
        self.turned = self.turned.half_turned
        return out.clamp_(min=0) if self.non_negative else out

    def _mended(self, v: torch.Tensor, rows: torch.Tensor, mask: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        scale = self.scale or 1.0
        slab = self.turned.of(slabs(v, rows, self.slices) / scale)
        hidden = self.turned.of(unmeasured_part(v[rows], mask)[:, None] / scale)
        with half_precision(v.device):
            image = self.net(slab, hidden, told.expand(len(rows), -1))[:, 0].float()
        return self.turned.back(image) * scale

    def known(self, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """For slices like those of v: what frequencies no angle measured, and the condition; half turns keep both."""
        n_y, n_x = v.shape[-2:]
        if self._mask is None or self._told is None or self._known_of != (n_y, n_x, v.device):
            self._mask = torch.as_tensor(unmeasured(self.angles, (n_y, n_x)), device=v.device)
            self._told = condition(self.angles, n_x, self.noise, self.turned).to(v.device)
            self._known_of = (n_y, n_x, v.device)
        return self._mask, self._told


def slabs(v: torch.Tensor, rows: torch.Tensor, slices: int) -> torch.Tensor:
    """Each of `rows` with its neighbours, (row, slices, y, x); at the ends of the stack the last slice is repeated."""
    around = torch.arange(slices) - slices // 2
    return v[(rows[:, None] + around).clamp(0, len(v) - 1).to(v.device)]


def condition(angles, n_columns: int, noise: float, turned: Orientation | None = None) -> torch.Tensor:
    """What the network is told of a slice that was turned, (38,).

    Angular coverage in bins of 5°, how densely it was sampled, and the noise.
    """
    bins = torch.from_numpy(angular_coverage(angles))
    rest = [1 + math.log2(sampling(angles, n_columns)) / 4, 2 + math.log10(max(noise, 1e-4))]
    return torch.cat([(turned or Orientation()).coverage(bins), torch.tensor(rest, dtype=torch.float32)])


def robust_scale(v: torch.Tensor) -> float:
    """The level above which a tenth of the stack's mass lies: hot spots, empty margins and the wedge hardly move it."""
    values = v.detach().flatten().clamp(min=0)
    if len(values) > 1 << 22:
        values = values[:: -(-len(values) // (1 << 22))]
    values = values.sort(descending=True).values
    mass = values.cumsum(0, dtype=torch.float64)
    if mass[-1] <= 0:
        return 1.0
    return float(values[int(torch.searchsorted(mass, 0.1 * mass[-1]))])


@contextmanager
def half_precision(device: torch.device) -> Iterator[None]:
    """bfloat16 where the device computes with it: a GPU, or a CPU with the instructions (twice as fast there)."""
    able = device.type == "cuda" or (device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
                                     and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # fmt: skip
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=able):
        yield
