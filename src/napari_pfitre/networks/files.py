"""Weights on disk: tensors as safetensors, and beside them a card (JSON) that says what they are.

pfitre.safetensors     tensors only; nothing in it can run
pfitre.json            the card: architecture, checksum, how it was trained, how good it is, where it fails
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import WeightsError
from .crystal_net import CrystalNet
from .paper import load_paper_checkpoint
from .slab_net import SlabNet

__all__ = ["BUILT_IN", "Card", "built_in", "load_network", "save_network"]

BUILT_IN = "pfitre"  #: the weights that the package brings
ARCHITECTURES: dict[str, type[nn.Module]] = {"slab-net": SlabNet, "crystal-net": CrystalNet}
MOST_BYTES = 2**31  #: of a file of weights; far above any network here


@dataclass(frozen=True)
class Card:
    """What a file of weights says about itself. All values are JSON values."""

    name: str
    architecture: str
    config: Mapping[str, Any]
    sha256: str = ""
    parameters: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)  #: recipe of the data, seed, steps, hours, device
    metrics: Mapping[str, Any] = field(default_factory=dict)  #: on scenes held out
    usual: Mapping[str, float] = field(default_factory=dict)  #: what the engine's figures were on held-out scenes
    failures: tuple[str, ...] = ()  #: known ones, in words
    licence: str = "BSD-3-Clause"

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read back; fields of later versions are left out rather than refused."""
        names = {f.name for f in dataclasses.fields(cls)}
        values = {k: v for k, v in json.loads(text).items() if k in names}
        return cls(**{**values, "failures": tuple(values.get("failures", ()))})


def built_in(name: str = BUILT_IN) -> Path | None:
    """Where the package keeps weights of this name, if it brings any."""
    path = Path(str(files("napari_pfitre"))) / "weights" / f"{name}.safetensors"
    return path if path.exists() else None


def load_network(name_or_path: str | Path = BUILT_IN) -> tuple[nn.Module, Card]:
    """A network ready to use, on the CPU, and its card.

    Parameters
    ----------
    name_or_path
        Built-in weights by name, a ``.safetensors`` file with its card beside it, or a ``.pth`` of the original PFITRE.

    Raises
    ------
    WeightsError
        When there is nothing of this name, the file was changed after its card was written, or it fits no network.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix == ".pth":
        net = load_paper_checkpoint(path)
        return net, Card(path.stem, "paper", {}, _sha256(path), sum(p.numel() for p in net.parameters()))
    if not path.suffix:
        found = built_in(str(name_or_path))
        if found is None:
            network = "cdi-nn" if str(name_or_path) == "cdi-nn" else BUILT_IN
            raise WeightsError(
                f"no weights named {str(name_or_path)!r} come with this installation; train some with 'napari-pfitre "
                f"train {network} --out FOLDER' and give weights=FOLDER/{network}.safetensors"
            )
        path = found
    if path.suffix != ".safetensors":
        raise WeightsError(f"weights should be a .safetensors file (or a .pth of the original PFITRE), not {path.name}")
    return _read(path)


def _read(path: Path) -> tuple[nn.Module, Card]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    card_path = path.with_suffix(".json")
    for part in (path, card_path):
        if not part.is_file():
            raise WeightsError(f"{part} does not exist; weights are two files, {path.name} and {card_path.name}")
    if path.stat().st_size > MOST_BYTES:
        raise WeightsError(f"{path.name} has {path.stat().st_size} bytes, more than any network here; give its weights")
    try:
        card = Card.from_json(card_path.read_text(encoding="utf-8"))
        make = ARCHITECTURES[card.architecture]
        net = make(**card.config)
    except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{card_path.name} is not the card of a network known here ({type(error).__name__}: {error}); known are "
            f"{', '.join(ARCHITECTURES)}; take the card that was written with the weights"
        ) from error
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != card.sha256:
        raise WeightsError(
            f"{path.name} has the checksum {found[:12]}…, its card says {card.sha256[:12]}…; one of them was changed "
            "or half copied: copy both again"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise WeightsError(f"{path.name} is not a safetensors file ({error}); copy it again") from error
    expected = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    given = {name: tuple(t.shape) for name, t in tensors.items()}
    if wrong := sorted(name for name in {*expected, *given} if expected.get(name) != given.get(name)):
        raise WeightsError(
            f"{path.name} does not fit its card: {wrong[0]} should be {expected.get(wrong[0], 'absent')} and is "
            f"{given.get(wrong[0], 'absent')} ({len(wrong)} tensors differ); take both files from one training"
        )
    net.load_state_dict(tensors)
    return net.eval(), card


def save_network(net: nn.Module, path: Path, card: Card) -> Card:
    """Write weights and card; neither is ever half there. The card comes back with checksum and parameters."""
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().float().contiguous() for name, tensor in net.state_dict().items()})
    card = dataclasses.replace(
        card, sha256=hashlib.sha256(content).hexdigest(), parameters=sum(p.numel() for p in net.parameters())
    )
    for target, data in ((path, content), (path.with_suffix(".json"), card.to_json().encode())):
        part = target.with_name(f".{target.name}.{os.getpid()}")
        part.write_bytes(data)
        os.replace(part, target)
    return card


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
