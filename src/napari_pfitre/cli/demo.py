"""`napari-pfitre demo`: the whole way on a simulated chip, with a picture to judge it by."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command

__all__ = ["command"]


@click.command("demo", cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), default="demo-output",
              show_default=True, help="Folder to write to; files of an earlier demo in it are replaced.")  # fmt: skip
def command(output: Path) -> None:
    """Simulate a limited-angle scan of a chip, reconstruct it by FBP and by FISTA-TV, and draw the comparison."""
    from ..demo import demo
    from .bar import Bar, Interrupt

    with Bar() as bar, Interrupt() as stop:
        for line in demo(output, on_progress=bar, should_stop=stop):
            click.echo(line)
