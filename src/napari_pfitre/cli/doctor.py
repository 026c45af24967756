"""`napari-pfitre doctor`: everything about this installation that a report of a problem needs."""

from __future__ import annotations

import click

from .command import Command

__all__ = ["command"]


@click.command("doctor", cls=Command)
def command() -> None:
    """Versions, devices, display, memory and writable folders, as plain text to paste into a report.

    Exit code 1 when something is missing that reconstructing from the command line needs.
    """
    from .checkup import lines, missing

    for line in lines():
        click.echo(line)
    if absent := missing():
        click.echo(f"\nMissing: {', '.join(absent)}. Install napari-pfitre again with pip.")
        click.get_current_context().exit(1)
    click.echo("\nNothing that a reconstruction needs is missing.")
