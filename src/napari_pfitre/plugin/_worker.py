"""Run → napari worker thread: errors arrive, previews come at a pace a person can follow, stopping keeps the partial
volume, and the run is closed when the thread is done with it.

Errors are returned, not raised, by what runs in a thread. superqt's generator workers take every RuntimeError, as all
of torch's are, for "worker deleted" and never emit `errored` or `finished`; and with PySide6 napari's own slot for
`errored` fails and leaves the task busy for ever. Nothing in this file touches a layer: slots are called in the main
thread.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils import progress
from napari.utils.notifications import notification_manager, show_error

from ..errors import PfitreError, ReconstructionError
from ..results import Preview, Progress, Run, Volume

__all__ = ["Job", "Task", "Update", "start_run", "start_task", "tell"]

_TICK = 0.05  # s between updates of a progress bar
_LONGEST = 1e9


class Update(NamedTuple):
    """What the main thread hears of a run."""

    progress: Progress
    previews: tuple[Preview, ...]  #: slices that changed since the last update with previews


class Failure(NamedTuple):
    """What a thread returns when it could not do its work."""

    error: Exception


@dataclass
class Job:
    """One run, as its thread sees it."""

    begin: Callable[[], Run]  #: called in the thread: may import torch and read files
    device: str = "auto"
    interval: float = 0.5  #: s between previews, at least
    rarely: bool = False  #: twice that; set and reset by the main thread as drawing gets dear

    def __post_init__(self):
        self.stop = threading.Event()
        self.drawn = threading.Event()  #: set by the main thread when it has shown the last previews
        self.drawn.set()
        self.run: Run | None = None

    def close(self) -> None:
        """Free what the run holds, on the device too."""
        if self.run is not None:
            self.run.close()
            self.run = None
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def reconstruct(job: Job) -> Generator[Update, bool | None, Volume | Failure]:
    """Drive a job's run; the napari worker iterates over this."""
    try:
        job.run = job.begin()
        progress = next(job.run)
        pending: dict[int, Preview] = {}
        told = shown = -_LONGEST
        while True:
            if progress.preview is not None:
                pending[progress.preview.start] = progress.preview
            now = time.monotonic()
            due = pending and now - shown >= job.interval * (1 + job.rarely) and job.drawn.is_set()
            if due or now - told >= _TICK or job.stop.is_set():
                previews = tuple(pending.values()) if due else ()
                if due:
                    pending, shown = {}, now
                    job.drawn.clear()
                told = now
                if (yield Update(progress._replace(preview=None), previews)):
                    job.stop.set()
            progress = job.run.send(job.stop.is_set())
    except StopIteration as end:
        return end.value
    except Exception as error:
        return Failure(translated(error, job.device))
    finally:
        job.close()


def translated(error: Exception, device: str) -> Exception:
    """Failures of the machine as an error of ours; anything else as it is."""
    if isinstance(error, PfitreError) or not isinstance(error, RuntimeError | MemoryError | OSError):
        return error
    said = ReconstructionError(explain(error, device))
    said.__cause__ = error
    return said


def explain(error: BaseException, device: str) -> str:
    """A failure of the machine in one sentence, with what to try."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    short_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if short_of_memory or "out of memory" in text.lower() or "can't allocate memory" in text:
        return (
            f"the run was out of memory on device {device!r} ({text}); crop rows, bin the projections, or choose "
            "another device"
        )
    if "WinError 1114" in text:
        return (
            "torch cannot be loaded after Qt on Windows; start napari by "
            'python -c "import torch, napari; napari.Viewer(); napari.run()"'
        )
    if isinstance(error, OSError):
        return f"the data could not be read while reconstructing ({text}); check that the file is still there"
    return f"the reconstruction failed: {text}"


class RunWorker(GeneratorWorker):
    """A generator worker whose run is closed in its own thread, also when napari aborts it between two steps."""

    def __init__(self, function: Callable, job: Job):
        super().__init__(function, job)
        self.job = job

    def work(self) -> Any:
        try:
            return super().work()
        finally:
            self.job.close()


class Bar:
    """An entry in napari's activity dialog; made, moved and closed in the main thread only."""

    def __init__(self, title: str):
        self._bar = progress(total=0, desc=title, file=io.StringIO())

    def move(self, step: int, total: int) -> None:
        if self._bar.total != total:
            self._bar.total = total
        self._bar.update(min(step, total) - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class Task:
    """Something running in a thread, as the main thread sees it.

    Exactly one of `on_result` and `on_error` is called, and then `on_end`; only `on_end` when napari itself aborted it.
    """

    def __init__(self, worker: Any, title: str, on_result: Callable, on_error: Callable, on_end: Callable):
        self.worker = worker
        self.running = True
        self._bar = Bar(title)
        self._on_result, self._on_error, self._on_end = on_result, on_error, on_end
        worker.returned.connect(self._returned)
        worker.finished.connect(self._finished)

    def _returned(self, result: Any) -> None:
        if self.worker.abort_requested:  # napari is closing: there may be no viewer left to show anything in
            return
        if isinstance(result, Failure):
            self._on_error(result.error)
        else:
            self._on_result(result)

    def _finished(self) -> None:
        self.running = False
        self._bar.close()
        self._on_end()


class RunTask(Task):
    """A run of a recipe."""

    def __init__(self, worker: RunWorker, title: str, on_update: Callable[[Update], None], *slots: Callable):
        super().__init__(worker, title, *slots)
        self._on_update = on_update
        worker.yielded.connect(self._yielded)

    def _yielded(self, update: Update) -> None:
        if self.running and not self.worker.abort_requested:
            self._bar.move(update.progress.step, update.progress.total)
            self._on_update(update)
        self.worker.job.drawn.set()

    def stop(self) -> None:
        """Ask the run to return what it has; it does so at its next step."""
        self.worker.job.stop.set()  # not worker.send: a generator that has not begun refuses to be sent anything


def start_run(
    job: Job,
    title: str,
    *,
    on_update: Callable[[Update], None],
    on_volume: Callable[[Volume], None],
    on_error: Callable[[Exception], None],
    on_end: Callable[[], None],
) -> RunTask:
    """Start a job in a thread; the slots are called in the main thread."""
    worker = create_worker(reconstruct, job, _worker_class=RunWorker, _start_thread=False)
    task = RunTask(worker, title, on_update, on_volume, on_error, on_end)
    worker.start()
    return task


def start_task(
    function: Callable[[], Any],
    title: str,
    *,
    on_result: Callable[[Any], None],
    on_error: Callable[[Exception], None],
    on_end: Callable[[], None] = lambda: None,
) -> Task:
    """Run a plain function in a thread (reading a file, finding a centre); the slots are called in the main thread."""

    def work() -> Any:
        try:
            return function()
        except Exception as error:
            return Failure(error)

    worker = create_worker(work, _start_thread=False)
    task = Task(worker, title, on_result, on_error, on_end)
    worker.start()
    return task


def tell(error: BaseException) -> None:
    """Show a failure: our own in their one sentence, anything unforeseen with its traceback."""
    if isinstance(error, PfitreError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)
