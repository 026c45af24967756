"""Progress of a run at a terminal, and Ctrl-C as a polite request."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from ..results import Progress
from .command import note

__all__ = ["Bar", "Interrupt"]


class Interrupt:
    """While this is entered, the first Ctrl-C asks for a stop and the second one insists.

    Calling it tells whether a stop was asked for.
    """

    def __init__(
        self, said: str = "Stopping after this step; what there is will be kept (Ctrl-C again: drop it)."
    ) -> None:
        self.asked, self.said = False, said

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        note(self.said)


class Bar:
    """A bar with time left, objective and residual on a terminal; a line now and then anywhere else."""

    PAUSE = 10.0  # seconds between lines when nobody watches: a log file stays short

    def __init__(self) -> None:
        self._last = 0.0
        self._from: tuple[float, int] | None = None  # when the first step was heard of, and which: a run may go on
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Bar:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._rich = RichProgress(
                TextColumn("{task.description}"), BarColumn(bar_width=28), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[figures]}"),
                console=Console(stderr=True), transient=False,
            )  # fmt: skip
            self._rich.start()
            self._task = self._rich.add_task("starting", total=None, figures="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._rich.stop()

    def __call__(self, progress: Progress) -> None:
        if self._live:
            self._rich.update(
                self._task, description=progress.text or "running", completed=progress.step, total=progress.total,
                figures=figures(progress),
            )  # fmt: skip
            return
        now = time.monotonic()
        if self._from is None and progress.step:
            self._from = now, progress.step
        if now - self._last < self.PAUSE and progress.step < progress.total:
            return
        self._last = now
        words = [f"{progress.step}/{progress.total}", progress.text, figures(progress), self._left(now, progress)]
        note("  ".join(word for word in words if word))

    def _left(self, now: float, progress: Progress) -> str:
        start, first = self._from or (now, progress.step)
        if not first < progress.step < progress.total:
            return ""
        return f"{(now - start) * (progress.total - progress.step) / (progress.step - first):.0f} s left"


def figures(progress: Progress) -> str:
    """Objective and residual, where there are any."""
    parts = []
    if progress.objective is not None:
        parts.append(f"objective {progress.objective:.5g}")
    if progress.residual is not None:
        parts.append(f"residual {progress.residual:.2%}")
    return "  ".join(parts)
