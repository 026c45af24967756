"""What becomes of a file that may hold anything, and what it cost: what mutated and drawn files are held to."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from napari_pfitre.errors import PfitreError, QuestionError
from napari_pfitre.io import inspect_file, read_volume

__all__ = ["BYTES", "SECONDS", "Cost", "measured", "outcome"]

SECONDS, BYTES = 5.0, 1_000_000_000  #: of computing, and of memory, that no file may take


def outcome(path: Path) -> str:
    """What becomes of a file: scan, pattern, volume, question, refused. Anything but a PfitreError passes through."""
    report = inspect_file(path)
    assert report.lines()
    for sentence in (*report.lines(), *report.notices, str(report.problem or "")):
        assert not any(unicodedata.category(letter) == "Cc" for letter in sentence), sentence
        assert "Traceback" not in sentence, sentence
    try:
        if report.scan is not None:
            shape = report.scan.shape
            if shape[1] * shape[2] < 20_000_000:
                report.scan.projections[0]
                report.scan.projections[-1, : min(4, shape[1])]
            if shape[0] * shape[2] < 20_000_000:
                report.scan.sinograms(slice(0, 1))
            return "scan"
        if report.pattern is not None:
            if np.prod(report.pattern.shape[1:]) < 20_000_000:
                report.pattern.intensity[0]
                report.pattern.intensity[-1]
            return "pattern"
        if report.volume is not None:
            if report.volume.nbytes < 50_000_000:
                read_volume(path)
            return "volume"
    except PfitreError:
        return "scan that cannot be read"
    if "contradicts the layout" in str(report.problem):
        return "contradiction"
    return "question" if isinstance(report.problem, QuestionError) else "refused"


class Cost(NamedTuple):
    """What some work took of this process."""

    seconds: float  #: of computing
    memory: int  #: bytes at its peak, all of the process
    before: int  #: bytes of the process before


def measured(work: Callable[[], str]) -> tuple[str, Cost]:
    """What some work gave, and what it cost."""
    process = psutil.Process()
    used, held = sum(process.cpu_times()[:2]), process.memory_info().rss
    with contextlib.suppress(OSError):  # the peak from now on, where the system can
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    said = work()
    return said, Cost(sum(process.cpu_times()[:2]) - used, _peak(process), held)


def _peak(process: psutil.Process) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return process.memory_info().rss
