"""How fast a run goes, in a line: 34 of 200 · 5.2 it/s · 0:32 left · residual 0.012."""

from __future__ import annotations

import time

from ..results import Progress

__all__ = ["Pace", "duration"]


class Pace:
    """Rate and time left, from when the first step was heard of: what comes before is reading and compiling."""

    def __init__(self):
        self._first: tuple[float, int] | None = None
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def line(self, progress: Progress, now: float | None = None) -> str:
        now = time.monotonic() if now is None else now
        if self._first is None:
            self._first = (now, progress.step)
        elapsed, steps = now - self._first[0], progress.step - self._first[1]
        parts = [progress.text, f"{progress.step} of {progress.total}"]
        if steps > 0 and elapsed > 0:
            rate = steps / elapsed
            parts.append(f"{rate:.3g} it/s" if rate >= 0.1 else f"{1 / rate:.3g} s/it")
            parts.append(f"{duration((progress.total - progress.step) / rate)} left")
        if progress.residual is not None:
            parts.append(f"residual {progress.residual:.4g}")
        if progress.objective is not None:
            parts.append(f"objective {progress.objective:.5g}")
        return " · ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """0:32, 12:05, 1:02:40"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
