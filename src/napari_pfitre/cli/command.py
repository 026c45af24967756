"""What every command shares: it loads late, fails in one sentence, and shows a traceback only when asked."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from ..errors import PfitreError, QuestionError

__all__ = ["Command", "LazyGroup", "answer_with", "main", "note"]


class Command(click.Command):
    """A command with ``--traceback``."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--traceback"], is_flag=True, expose_value=False, is_eager=True, callback=_want_traceback,
                help="Show where an error came from.",
            )
        )  # fmt: skip


def _want_traceback(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().ensure_object(dict)["traceback"] = True


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; their one-line summaries stand in the table."""

    def __init__(self, name: str, table: dict[str, tuple[str, str]], **kwargs: Any):
        super().__init__(name, context_settings={"help_option_names": ["-h", "--help"]}, **kwargs)
        self.table = table
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
                help="Show the version and exit.",
            )
        )  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, _ = self.table[cmd_name]
        return import_module(f"napari_pfitre.cli.{module}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes one sentence on standard error and exit code 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            note("Stopped.")
            ctx.exit(130)
        except Exception as error:
            if ctx.ensure_object(dict).get("traceback"):
                traceback.print_exc()
            else:
                note(f"Error: {sentence(error)}")
            ctx.exit(1)


def sentence(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, QuestionError):
        return f"{error}\n{answer_with(error)}"
    if isinstance(error, PfitreError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            f"not enough memory: {str(error) or 'an array did not fit'}; take fewer rows (--rows a:b) or bin the data"
        )
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}"
    return (
        f"{type(error).__name__}: {error} (this should not happen; run it again with --traceback, and report "
        "what it says together with the output of 'napari-pfitre doctor')"
    )


_CHOICES = 8  #: that a line names


def answer_with(question: QuestionError) -> str:
    """The flag that answers a question of the reader."""
    more = "|…" if len(question.choices) > _CHOICES else ""
    values = f" {'|'.join(question.choices[:_CHOICES])}{more}" if question.choices else " …"
    return f"Answer it with --{question.hint.replace('_', '-')}{values}"


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from .. import __version__

        click.echo(f"napari-pfitre {__version__}")
        ctx.exit(0)


def note(text: str) -> None:
    """A line for the person at the terminal, on standard error."""
    click.echo(text, err=True)


def main() -> None:
    """The console script."""
    from . import cli

    # Threads that wait look again for some microseconds, then sleep. Asleep at once, two are no faster than one on
    # small slices; awake all the time, they are far slower where others work. Read once, by the OpenMP of torch
    # and numba, so it has to stand in the environment before they are loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    sys.exit(cli.main(prog_name="napari-pfitre", standalone_mode=True))
