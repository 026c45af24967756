"""Where the arithmetic happens, and whether it will fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psutil

from .errors import OptionError
from .frames import size_text

if TYPE_CHECKING:
    import torch

__all__ = ["DEVICES", "Memory", "available_memory", "device_name", "resolve_device", "size_text"]

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto"):
    """The torch device for a name: ``auto`` takes CUDA when there is one, else the CPU.

    Raises
    ------
    OptionError
        When the name is unknown or that device is not there.
    """
    import torch

    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise OptionError(f"device {name!r} is unknown; choose one of {', '.join(DEVICES)}")
    if kind == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise OptionError("device 'cuda' was asked for, but torch finds no CUDA device; choose 'cpu' or 'auto'")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device 'mps' was asked for, but torch finds no Apple GPU; choose 'cpu' or 'auto'")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """As histories and cards state it: with the GPU's name, or with the threads, on which rounding depends."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


class Memory(NamedTuple):
    """A forecast against what is there, in bytes."""

    needed: int
    available: int

    @property
    def fits(self) -> bool:
        return self.needed <= 0.9 * self.available

    def __str__(self) -> str:
        return f"needs about {size_text(self.needed)} of {size_text(self.available)} free"


def available_memory(device: str = "cpu") -> int:
    """Free memory in bytes: of the GPU for ``cuda``, otherwise of the machine."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(torch.device(device))[0]
    return psutil.virtual_memory().available
