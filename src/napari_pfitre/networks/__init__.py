"""Networks: pure modules, tensors in and out, without scans or solvers; `priors.NetworkPrior` makes one a prior.

    net(slab, unmeasured, condition) -> image        (b, slices, y, x), (b, 1, y, x), (b, conditions) -> (b, 1, y, x)

`CrystalNet` inverts diffraction patterns instead; `crystal_frame` brings a pattern into the network's frame and its
answer back, `crystal_guess` asks the network several times and keeps the answer that fits best.

Weights are read by `load_network` as safetensors with a card; nothing is ever unpickled but a user's own checkpoint of
the original PFITRE, and that with weights alone.
"""

from __future__ import annotations

from .crystal_net import CrystalNet
from .files import BUILT_IN, Card, built_in, load_network, save_network
from .paper import PaperNet, load_paper_checkpoint
from .slab_net import SlabNet

__all__ = [
    "BUILT_IN",
    "Card",
    "CrystalNet",
    "PaperNet",
    "SlabNet",
    "built_in",
    "load_network",
    "load_paper_checkpoint",
    "save_network",
]
