"""No file may hang or crash the program: HDF5 walks it first in a process of its own (walk.py).

Damaged metadata can send HDF5 round in a circle or end the process it runs in (about one in 500 randomly damaged
files); from within, neither can be stopped. The other process is started once, for the first HDF5 file, which costs
a quarter of a second; a file costs milliseconds then, and is walked again only when it has changed.
"""

from __future__ import annotations

import atexit
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ..errors import FormatError

__all__ = ["vouch"]

#: seconds of computing, not of waiting for a disk, after which a walk is given up
STUCK = 0.7
_REMEMBERED = 10_000
_WORDS = {"": "crashes on it", "stuck": "never comes to its end", "memory": "asks for all memory there is",
          "slow": "takes gigabytes for a value of a few bytes"}  # fmt: skip

_lock = threading.Lock()
_known: dict[str, tuple[tuple[int, int], str]] = {}  # path → (time and size of the file, what is wrong with it)
_walker: _Walker | None = None


class _Walker:
    """The process that walks, and its answers."""

    def __init__(self):
        program = [sys.executable, "-P", str(Path(__file__).with_name("walk.py"))]
        self.process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, pipe) -> None:
        for line in pipe:
            self.answers.put(line.strip())
        self.answers.put("")

    def next(self) -> str:
        """Its next word; ``"stuck"`` when it computes without end, empty when it died."""
        import psutil

        start = None
        while True:
            try:
                return self.answers.get(timeout=0.1)
            except queue.Empty:
                pass
            try:
                used = sum(psutil.Process(self.process.pid).cpu_times()[:2])
            except psutil.Error:
                return ""
            start = used if start is None else start
            if used - start > STUCK:
                return "stuck"

    def ask(self, path: Path) -> str:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{path}\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            return ""
        return self.next()

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what could not be written any more
                    pipe.close()
        self.process.wait()


def vouch(path: Path) -> None:
    """Return when HDF5 can be let loose on a file.

    Raises
    ------
    FormatError
        When it gets stuck on it, crashes, or asks for all memory: the file is damaged.
    """
    global _walker
    path = path.absolute()
    try:
        status = os.stat(path)
    except OSError:
        return  # whoever opens it has the words for it
    stamp = status.st_mtime_ns, status.st_size
    if "\n" in str(path):
        return
    with _lock:
        known = _known.get(str(path))
        if known is not None and known[0] == stamp:
            if known[1]:
                raise FormatError(known[1])
            return
        if _walker is None:
            try:
                _walker = _Walker()
            except OSError:  # no process to be had: better unguarded than not at all
                return
            if _walker.next() != "ready":
                _stop()
                return
        answer = _walker.ask(path)
        if answer in ("", "stuck"):
            _stop()
        does = _WORDS.get(answer, "")
        wrong = f"{path.name} is damaged inside: HDF5 {does}; copy it again" if does else ""
        if len(_known) > _REMEMBERED:
            _known.clear()
        _known[str(path)] = stamp, wrong
        if wrong:
            raise FormatError(wrong)


@atexit.register
def _stop() -> None:
    global _walker
    if _walker is not None:
        _walker.end()
        _walker = None
