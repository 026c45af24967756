"""`napari-pfitre train pfitre --out FOLDER`: weights of one's own, from simulated scans alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .bar import Bar, Interrupt
from .command import note
from .flags import GrownCommand, Section, typed

__all__ = ["command"]


def sections() -> Sequence[Section]:
    from ..training.settings import TrainOptions

    return (Section("train", "The training", TrainOptions),)


def train(network: str, out: Path, resume: bool, device: str, given: dict[str, dict[str, Any]]) -> None:
    from ..results import finish
    from ..training import TrainOptions
    from ..training import train as start

    options = typed(TrainOptions, given["train"])
    with Bar() as bar, Interrupt() as stop:
        path = finish(start(options, out, resume=resume, device=device), bar, stop)
    click.echo(f"{path}: weights of {network}, with their card {path.with_suffix('.json').name}")
    if stop():
        note(f"Stopped early; go on with: napari-pfitre train {network} --out {out} --resume")


def _devices() -> click.Choice:
    from ..device import DEVICES

    return click.Choice(DEVICES)


command = GrownCommand(
    "train",
    callback=train,
    sections=sections,
    help="Train NETWORK on simulated scans, inside the loop that will use it, and write its weights to FOLDER.\n\n"
    "Ctrl-C once stops it: checkpoint and weights are written, and --resume goes on from there.",
    params=[
        click.Argument(["network"], type=click.Choice(["pfitre"])),
        click.Option(["--out"], required=True, metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False),
                     help="Where checkpoint, log and weights go."),
        click.Option(["--resume"], is_flag=True, help="Go on with the training in FOLDER."),
        click.Option(["--device"], type=_devices(), default="auto", show_default=True,
                     help="Where to compute; auto is the GPU when there is one."),
    ],
)  # fmt: skip
