"""Mutated files against the readers:  python benchmarks/fuzz_readers.py [--files 5000] [--seed 0] [--journal FILE]

Every file is a small scan, pattern or volume in one of the layouts that are read, with one to three things done to it
(mutations.py). Reading it may end in a scan, a question or a sentence. A traceback, more than 5 s of computing or more
than 1 GB is a failure; so is a reader that hangs or dies.

Files are made and read in two processes of their own, which are given the next number when they are done with the last
one; either may die of what it is given. A file depends on the seed and its number alone. With a journal, a line a file,
a run that was ended goes on where it was when it is started again; the summary is of all that the journal holds, and it
is printed however the run ends (Ctrl-C, a signal, a time limit).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "io"))
import beamline_files  # the tests' writers of small files in the layouts of beamlines
import pattern_files
from outcomes import BYTES, SECONDS, measured, outcome

from mutations import mutated


def bases(folder: Path) -> list[Path]:
    """One file of each layout."""
    return [write(folder) for write in (beamline_files.LAYOUTS | pattern_files.LAYOUTS).values()]


def make(line: str) -> str:
    """Write a mutated file: base, path, seed and number on a line → what was done."""
    base, path, seed, number = line.split("\t")
    return "+".join(mutated(Path(base), Path(path), np.random.default_rng([int(seed), int(number)])))


def serve(work) -> None:
    """A process that answers a line with a line: CPU seconds and peak memory of the work, and what came of it."""
    import traceback
    import warnings

    warnings.simplefilter("error")
    for line in sys.stdin:

        def told(line: str = line) -> str:
            try:
                return work(line.rstrip("\n"))
            except MemoryError:
                return "FAILED MemoryError"
            except BaseException:
                return "FAILED " + " | ".join(traceback.format_exc().strip().split("\n")[-7:])

        said, cost = measured(told)
        print(json.dumps([cost.seconds, cost.memory, said]), flush=True)


class Child:
    """The other end of `serve`."""

    def __init__(self, what: str):
        self.what = what
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def ask(self, line: str) -> tuple[float, int, str]:
        """CPU seconds, bytes of memory, outcome; a child that is gone or says nothing any more is replaced."""
        said = ""
        with contextlib.suppress(OSError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], 4 * SECONDS)
            said = self.process.stdout.readline() if ready else "hung"
        with contextlib.suppress(ValueError):
            used, memory, outcome = json.loads(said)
            return float(used), int(memory), str(outcome)
        self.close(kill=True)
        code = self.process.returncode
        self.__init__(self.what)
        return 0.0, 0, "FAILED hung" if said == "hung" else f"FAILED died ({code})"

    def close(self, kill: bool = False) -> None:
        if kill:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # with the process that walks files for it
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Record:
    """What came of the files so far, those in the journal of earlier runs with them."""

    def __init__(self, seed: int, journal: Path | None):
        self.seed, self.journal = seed, journal
        self.lines: dict[int, dict] = {}
        if journal is not None and journal.exists():
            for line in journal.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError):  # the last line of a run that was killed
                    entry = json.loads(line)
                    if entry["seed"] == seed:
                        self.lines[entry["number"]] = entry

    def add(self, **entry) -> None:
        entry = {"seed": self.seed, **entry}
        self.lines[entry["number"]] = entry
        if self.journal is not None:
            with open(self.journal, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def summary(self) -> int:
        """Print it; the number of failures."""
        entries = list(self.lines.values())
        counts = collections.Counter(e["outcome"].split(" ")[0] if e["failed"] else e["outcome"] for e in entries)
        failures = [entry for entry in entries if entry["failed"]]
        for entry in failures:
            print(
                f"{entry['number']} {entry['base']} {entry['done']}: {entry['outcome']} "
                f"({entry['seconds']:.1f} s, {entry['memory'] / 1e6:.0f} MB)"
            )
        print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
        slowest = max((e["seconds"] for e in entries), default=0.0)
        largest = max((e["memory"] for e in entries), default=0)
        print(
            f"{len(entries)} files of seed {self.seed}, {len(failures)} failures, slowest {slowest:.1f} s of computing"
            f", most memory {largest / 1e6:.0f} MB",
            flush=True,
        )
        return len(failures)


def run(given: argparse.Namespace, record: Record) -> None:
    """The files that the record does not have yet."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        (Path(name) / "bases").mkdir()
        originals = bases(Path(name) / "bases")
        maker, reader = Child("make"), Child("read")
        stack.callback(lambda: (maker.close(kill=True), reader.close(kill=True)))
        reader.ask(str(originals[0]))
        end = time.monotonic() + given.minutes * 60
        for number in range(given.first, given.first + given.files):
            if number in record.lines:
                continue
            if time.monotonic() > end:
                return
            base = originals[number % len(originals)]
            path = Path(name) / f"{number}{base.suffix}"
            _, _, done = maker.ask(f"{base}\t{path}\t{given.seed}\t{number}")
            if done.startswith("FAILED"):  # HDF5 did not come to terms with its own file: whatever is there is read
                done = f"half-made ({done})"
            if not path.exists():
                path.touch()
            seconds, memory, outcome = reader.ask(str(path))
            failed = outcome.startswith("FAILED") or seconds > SECONDS or memory > BYTES
            record.add(number=number, base=base.stem, done=done, outcome=outcome, seconds=seconds, memory=memory,
                       failed=failed)  # fmt: skip
            if failed and given.keep:
                given.keep.mkdir(exist_ok=True, parents=True)
                path.replace(given.keep / f"{number}-{base.name}")
            path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after this time, with a summary")
    parser.add_argument("--journal", type=Path, help="a line a file; files that have one are not tried again")
    parser.add_argument("--keep", type=Path, help="folder for the files that made a reader fail")
    parser.add_argument("--serve", choices=["read", "make"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(make if given.serve == "make" else lambda line: outcome(Path(line)))
        return

    def stop(*_) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    record = Record(given.seed, given.journal)
    try:
        run(given, record)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        failures = record.summary()
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
