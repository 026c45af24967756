"""`napari-pfitre run METHOD FILE -o OUT`: read, prepare, reconstruct, write.

Every method of `napari_pfitre.recipes` is a command here, with the flags of its own options, of the preparation and of
the reader. ``run --like VOLUME.h5`` takes all of them, and the file, from what a written volume remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import note
from .flags import GrownCommand, Section, typed
from .target import VOLUME_SUFFIXES, check_target

if TYPE_CHECKING:
    from ..recipes import Recipe

__all__ = ["command"]


class Methods(click.Group):
    """A command for each recipe; the table is read when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from ..recipes import RECIPES

        return list(RECIPES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from ..recipes import CDI_NN, GRIDREC, PFITRE, RECIPES

        for recipe in (PFITRE, CDI_NN):  # with weights of one's own they run where none came with the package
            if cmd_name == recipe.name:
                return method_command(recipe)
        if cmd_name == GRIDREC.name and cmd_name not in RECIPES:
            raise click.UsageError("gridrec needs TomoPy, which is not installed here; conda-forge has it, or use fbp")
        return method_command(RECIPES[cmd_name]) if cmd_name in RECIPES else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--like`` without a method names the volume's own."""
        like = _following(args, "--like")
        if like is not None and not set(args[:1]) & set(self.list_commands(ctx)):
            from .like import remembered

            args = [remembered(Path(like)).recipe, *args]
        return super().parse_args(ctx, args)


def _following(args: list[str], flag: str) -> str | None:
    for at, word in enumerate(args):
        if word == flag and at + 1 < len(args):
            return args[at + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


command = Methods(
    "run",
    help="Reconstruct a scan with one of the methods below; 'run METHOD --help' lists its options. "
    "Or repeat an earlier run: run --like VOLUME.h5 -o OUT, with any option changed on the way.",
    subcommand_metavar="METHOD FILE -o OUT [OPTIONS]",
)  # fmt: skip


def sections(recipe: Recipe) -> Sequence[Section]:
    """The options of a run, in the order of their importance."""
    from ..io import ReadHints
    from ..preprocess import options_for

    return (
        Section("method", f"{recipe.title} options", recipe.options_type, {"threshold": "--support-threshold"}),
        Section("prepare", "Preparing the data", options_for(recipe.scan_type), {"peak": "--centre-on"}),
        Section("read", "Reading the file", ReadHints, {"centre": ""}),  # the preparation's --centre says the same
    )


def method_command(recipe: Recipe) -> GrownCommand:
    """The command of one recipe."""
    from ..device import DEVICES

    def run(**parameters: Any) -> None:
        reconstruct(recipe, **parameters)

    path = click.Path(path_type=Path)
    return GrownCommand(
        recipe.name,
        callback=run,
        sections=lambda: sections(recipe),
        help=f"{recipe.summary}\n\nCtrl-C once stops the run and keeps what there is, marked partial.",
        short_help=recipe.summary,
        params=[
            click.Argument(["file"], type=path, required=False),
            click.Option(["-o", "--output", "--out"], type=path, required=True,
                         help="Volume to write: .h5, .cxi, .vti, .tif, .mrc."),
            click.Option(["--like"], type=path, help="Take method, options and file from this volume."),
            click.Option(["--device"], type=click.Choice(DEVICES), default="auto", show_default=True,
                         help="Where to compute; auto is the GPU when there is one."),
            click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."),
            click.Option(["--force"], is_flag=True, help="Run even if the forecast says memory will not do."),
        ],
    )  # fmt: skip


def reconstruct(
    recipe: Recipe,
    file: Path | None,
    output: Path,
    like: Path | None,
    device: str,
    overwrite: bool,
    force: bool,
    given: dict[str, dict[str, Any]],
) -> None:
    """One run from file to file."""
    from ..io import ReadHints, write_volume
    from ..preprocess import options_for
    from .like import NOTHING, recalled

    memory = NOTHING if like is None else recalled(like, recipe)
    file = file or memory.file
    if file is None:
        raise click.UsageError("Missing argument 'FILE' (only --like can do without it).")
    check_target(output, overwrite, VOLUME_SUFFIXES, file, like)
    options = typed(recipe.options_type, given["method"], memory.options)
    preparation = typed(options_for(recipe.scan_type), given["prepare"], memory.preparation)
    hints = typed(ReadHints, given["read"], memory.hints)

    from .job import forecast, prepared, report, work

    scan = prepared(file, hints, preparation, recipe)
    forecast(recipe, scan, options, device, force)
    volume = work(recipe.run(scan, options, device=device))
    for line in report(volume, write_volume(volume, output, overwrite=overwrite)):
        click.echo(line)
    if volume.partial:
        note("Stopped early; the volume is marked partial.")
        click.get_current_context().exit(130)
