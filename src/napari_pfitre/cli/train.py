"""`napari-pfitre train NETWORK --out FOLDER`: weights of one's own, from simulated data alone.

A network is a command here, with the flags of its own training.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import click

from .bar import Bar, Interrupt
from .command import note
from .flags import GrownCommand, Section, typed

__all__ = ["command"]

MOST_MISSING = 20.0  #: degrees, of a scan to learn from


def pfitre_sections() -> Sequence[Section]:
    from ..training.settings import TrainOptions

    return (Section("train", "The training", TrainOptions),)


def cdi_sections() -> Sequence[Section]:
    from ..training.cdi.settings import CdiTrainOptions

    return (Section("train", "The training", CdiTrainOptions),)


def train_pfitre(out: Path, resume: bool, device: str, fine_tune: tuple[Path, ...], weights: Path | None,
                 given: dict[str, dict[str, Any]]) -> None:  # fmt: skip
    from ..training import TrainOptions, train
    from ..training.settings import TUNING

    if fine_tune:
        options, weights = typed(TrainOptions, given["train"], TUNING), weights or Path("pfitre")
    else:
        options = typed(TrainOptions, given["train"])
    own = [specimen(file) for file in fine_tune]
    work("pfitre", out, train(options, out, resume=resume, device=device, weights=weights, own=own))


def specimen(file: Path) -> Any:
    """The volume in a file, or that of the scan in it, reconstructed."""
    from ..errors import FormatError, ScanError
    from ..io import read_scan, read_volume
    from ..recipes import RECIPES
    from ..results import finish
    from ..scans import TomoScan

    try:
        return read_volume(file).data
    except FormatError:
        scan = read_scan(file)
    if not isinstance(scan, TomoScan):
        raise ScanError(f"{file.name} holds a diffraction pattern; PFITRE learns from volumes and tomography scans")
    missing = sum(wedge.width for wedge in scan.missing_wedges)
    if missing > MOST_MISSING:
        raise ScanError(
            f"{file.name} lacks {missing:.0f}° of angles; to learn from it a scan should lack {MOST_MISSING:.0f}° at "
            "most, or its own artefacts would be learnt: give a full scan, or a volume"
        )
    note(f"{file.name}: reconstructed with FISTA-TV to learn from")
    with Bar() as bar:
        return finish(RECIPES["fista-tv"].run(scan), bar).data


def train_cdi_nn(out: Path, resume: bool, device: str, fine_tune: tuple[Path, ...], weights: Path | None,
                 given: dict[str, dict[str, Any]]) -> None:  # fmt: skip
    from ..training.cdi import TUNING, CdiTrainOptions, train_cdi, tune_cdi

    if not fine_tune:
        if weights is not None:
            raise click.UsageError("--weights is where a tuning starts from; name patterns with --fine-tune")
        return work("cdi-nn", out, train_cdi(typed(CdiTrainOptions, given["train"]), out, resume=resume, device=device))
    options = typed(CdiTrainOptions, given["train"], TUNING)
    scans = [pattern(file) for file in fine_tune]
    return work("cdi-nn", out, tune_cdi(options, scans, out, weights=weights, resume=resume, device=device))


def pattern(file: Path) -> Any:
    """The diffraction pattern of a file."""
    from ..errors import ScanError
    from ..io import read_scan
    from ..scans import CdiScan

    scan = read_scan(file)
    if not isinstance(scan, CdiScan):
        raise ScanError(f"{file.name} holds a tomography scan; --fine-tune takes diffraction patterns")
    for notice in scan.notices:
        note(f"Note: {notice}")
    return scan


def work(network: str, out: Path, run: Generator[Any, bool | None, Path]) -> None:
    """Drive a training with a bar; the first Ctrl-C makes it write what it has."""
    from ..results import finish

    with Bar() as bar, Interrupt() as stop:
        path = finish(run, bar, stop)
    click.echo(f"{path}: weights of {network}, with their card {path.with_suffix('.json').name}")
    if stop():
        note(f"Stopped early; go on with: napari-pfitre train {network} --out {out} --resume")


def _network(name: str, callback: Callable[..., None], sections: Callable[[], Sequence[Section]], text: str,
             *params: click.Parameter) -> GrownCommand:  # fmt: skip
    from ..device import DEVICES

    return GrownCommand(
        name,
        callback=callback,
        sections=sections,
        help=f"{text}\n\nCtrl-C once stops it: checkpoint and weights are written, and --resume goes on from there.",
        params=[
            click.Option(["--out"], required=True, metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False),
                         help="Where checkpoint, log and weights go."),
            click.Option(["--resume"], is_flag=True, help="Go on with the training in FOLDER."),
            click.Option(["--device"], type=click.Choice(DEVICES), default="auto", show_default=True,
                         help="Where to compute; auto is the GPU when there is one."),
            *params,
        ],
    )  # fmt: skip


class Networks(click.Group):
    """A command for each network that can be trained."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["pfitre", "cdi-nn"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = click.Path(path_type=Path)
        if cmd_name == "pfitre":
            return _network(
                cmd_name, train_pfitre, pfitre_sections,
                "Train PFITRE's network on simulated scans, inside the loop that will use it, or tune it on specimens "
                "of one's own, and write its weights to FOLDER.",
                click.Option(["--fine-tune"], multiple=True, metavar="FILE", type=path,
                             help="Learn from this volume, or full-angle scan, as well; may be given several times. "
                             "Takes 20 minutes at a rate of 2e-4 unless told otherwise."),
                click.Option(["--weights"], type=path, help="Where to start from: a file. A tuning starts from the "
                             "weights that come with the package."),
            )  # fmt: skip
        if cmd_name == "cdi-nn":
            return _network(
                cmd_name, train_cdi_nn, cdi_sections,
                "Train CDI-NN's network on simulated crystals, or tune it on measured patterns, and write its weights "
                "to FOLDER.",
                click.Option(["--fine-tune"], multiple=True, metavar="FILE", type=path,
                             help="Tune on this pattern instead, from its modulus alone; may be given several times. "
                             "Takes 3 minutes at a rate of 1e-4 unless told otherwise."),
                click.Option(["--weights"], type=path, help="Where a tuning starts from, when not from the weights "
                             "that come with the package."),
            )  # fmt: skip
        return None


command = Networks(
    "train",
    help="Train NETWORK on simulated data and write its weights to FOLDER.",
    subcommand_metavar="NETWORK --out FOLDER [OPTIONS]",
)
