"""`napari-pfitre benchmark`: how fast this machine is, in numbers that compare with others."""

from __future__ import annotations

import click

from .command import Command

__all__ = ["command"]


@click.command("benchmark", cls=Command)
@click.option("--quick", is_flag=True, help="A smaller problem: some seconds instead of a minute.")
def command(quick: bool) -> None:
    """Milliseconds a slice of the projector, its adjoint and their product, seconds of a FISTA-TV run, here and now.

    ASTRA's CPU projectors are measured beside them when the package astra-toolbox is installed.
    """
    from ..benchmark import measure

    for line in measure(quick=quick):
        click.echo(line)
