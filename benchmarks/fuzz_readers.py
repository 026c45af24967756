"""Mutated files against the readers:  python benchmarks/fuzz_readers.py [--files 5000] [--seed 0] [--first 0]

Every file is a small scan, pattern or volume in one of the layouts that are read, with one to three things done to it:
bytes overwritten, cut off, members deleted, types, shapes and attributes replaced, links bent. Reading it may end in a
scan, a question or a sentence. A traceback, more than 5 s or more than 1 GB is a failure; so is a reader that dies.

Readers run in a process of their own, which is given the next file when it is done with the last one. A file depends on
the seed and its number alone: a run that was ended goes on with `--first`, and several may share the numbers.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "io"))
import beamline_files  # the tests' writers of small files in the layouts of beamlines
import pattern_files

SECONDS, BYTES = 5.0, 1_000_000_000
Rng = np.random.Generator


def bases(folder: Path) -> list[Path]:
    """One file of each layout."""
    return [write(folder) for write in (beamline_files.LAYOUTS | pattern_files.LAYOUTS).values()]


# -- what is done to the bytes


def _overwrite(path: Path, rng: Rng, start: int, stop: int) -> None:
    data = bytearray(path.read_bytes())
    stop = min(stop, len(data))
    if start >= stop:
        return
    at, length = int(rng.integers(start, stop)), int(rng.choice([1, 2, 4, 8, 64]))
    values = {0: bytes(length), 1: b"\xff" * length, 2: rng.bytes(length)}[int(rng.integers(3))]
    data[at : at + length] = values[: len(data) - at]
    path.write_bytes(data)


def overwrite_anywhere(path: Path, rng: Rng) -> None:
    _overwrite(path, rng, 0, path.stat().st_size)


def overwrite_the_beginning(path: Path, rng: Rng) -> None:
    _overwrite(path, rng, 0, 2048)


def overwrite_much(path: Path, rng: Rng) -> None:
    for _ in range(int(rng.integers(5, 60))):
        _overwrite(path, rng, 48, path.stat().st_size)


def copy_a_piece_elsewhere(path: Path, rng: Rng) -> None:
    data = bytearray(path.read_bytes())
    length = int(rng.choice([8, 16, 64, 512]))
    if len(data) > length:
        source, goal = (int(n) for n in rng.integers(0, len(data) - length, 2))
        data[goal : goal + length] = data[source : source + length]
        path.write_bytes(data)


def bend_an_address(path: Path, rng: Rng) -> None:
    """Metadata are held together by 8-byte addresses: one that points to another place makes loops and nonsense."""
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    words = data[: data.size // 8 * 8].view("<u8")
    found = np.flatnonzero((words > 40) & (words < data.size))
    if found.size > 1:
        one, other = rng.choice(found, 2, replace=False)
        words[one] = words[other] if rng.random() < 0.7 else int(rng.integers(0, data.size))
    path.write_bytes(data.tobytes())


def truncate(path: Path, rng: Rng) -> None:
    os.truncate(path, int(rng.integers(0, path.stat().st_size + 1)))


def append(path: Path, rng: Rng) -> None:
    with open(path, "ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 4096))))


# -- what is done to the members


def _members(file: h5py.File, rng: Rng) -> tuple[list[str], list[str]]:
    datasets: list[str] = []
    groups: list[str] = ["/"]
    file.visititems(lambda name, thing: (datasets if isinstance(thing, h5py.Dataset) else groups).append(name))
    return datasets, groups


def _odd_values(rng: Rng) -> Callable[[h5py.Group, str, tuple[int, ...]], object]:
    def huge(group, name, shape):
        rank = int(rng.integers(1, 5))
        sizes = tuple(int(n) for n in rng.choice([3, 1000, 10**6, 10**9, 2**40], rank))
        total = np.prod(np.array(sizes, float))
        chunks = tuple(min(n, 16) for n in sizes)
        return group.create_dataset(name, sizes, "u2", chunks=chunks if total < 1e17 or rng.random() < 0.5 else None)

    def bomb(group, name, shape):
        side = 4096
        stored = group.create_dataset(name, (64, side, side), "u1", chunks=(64, side, side // 4), compression="gzip")
        stored.id.write_direct_chunk((0, 0, 0), _BOMB)
        return stored

    def typed(kind):
        def make(group, name, shape):
            return group.create_dataset(name, data=np.resize(np.arange(7), shape or (1,)).astype(kind))

        return make

    def strings(group, name, shape):
        return group.create_dataset(name, data=np.full(shape or (1,), b"38.2nm\xff"))

    def ragged(group, name, shape):
        return group.create_dataset(name, (3,), h5py.vlen_dtype(np.int32))

    def text(group, name, shape):
        return group.create_dataset(name, data="NXtomo\0\xe4" * int(rng.integers(1, 50)), dtype=h5py.string_dtype())

    def empty(group, name, shape):
        return group.create_dataset(name, data=h5py.Empty("f4"))

    def none(group, name, shape):
        return group.create_dataset(name, (0, *shape[1:]), "f4")

    def reference(group, name, shape):
        return group.create_dataset(name, data=group.file.ref, dtype=h5py.ref_dtype)

    def compound(group, name, shape):
        return group.create_dataset(name, data=np.zeros(shape or (1,), [("real", "f4"), ("imag", "f4")]))

    def opaque(group, name, shape):
        return group.create_dataset(name, data=np.zeros(shape or (1,), "V5"))

    def enumerated(group, name, shape):
        kind = h5py.enum_dtype({"A": 0, "B": 1}, basetype="i1")
        return group.create_dataset(name, data=np.zeros(shape or (1,), "i1"), dtype=kind)

    def other_shape(group, name, shape):
        rank = int(rng.integers(0, 6))
        return group.create_dataset(name, data=rng.random(tuple(int(n) for n in rng.integers(1, 9, rank))))

    def not_numbers(group, name, shape):
        values = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0], shape or (1,))
        return group.create_dataset(name, data=values)

    kinds = ["f2", "f8", ">u2", "i8", "u8", "c8", "?", "i1", "longdouble"]
    makers = [huge, bomb, strings, ragged, text, empty, none, reference, compound, opaque, enumerated, other_shape,
              not_numbers, *map(typed, kinds)]  # fmt: skip
    return makers[int(rng.integers(len(makers)))]


def _bomb() -> bytes:
    import zlib

    return zlib.compress(bytes(64 * 4096 * 1024), 9)


_BOMB = _bomb()


def replace_a_dataset(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, _ = _members(file, rng)
        if not datasets:
            return
        name = str(rng.choice(datasets))
        attributes, shape = dict(file[name].attrs), file[name].shape or ()
        del file[name]
        try:
            stored = _odd_values(rng)(file["/"], name, shape)
        except (ValueError, TypeError, OverflowError):  # sizes that HDF5 itself refuses
            return
        if rng.random() < 0.7:
            for key, value in attributes.items():
                stored.attrs[key] = value


def delete_a_member(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        names = [name for name in datasets + groups if name != "/"]
        if names:
            del file[str(rng.choice(names))]


def bend_a_link(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        if not datasets:
            return
        name, other = (str(name) for name in rng.choice(datasets + groups[1:], 2))
        del file[name]
        choice = int(rng.integers(6))
        if choice == 0:
            file[name] = h5py.SoftLink("/" + name)
        elif choice == 1:
            file[name] = h5py.SoftLink("/nowhere/at/all")
        elif choice == 2:
            file[name] = h5py.ExternalLink("gone.h5", "/data")
        elif choice == 3:
            file[name] = h5py.ExternalLink(path.name, "/" + name)
        elif choice == 4:
            file[name] = file["/"]
        elif other in file:
            file[name] = h5py.SoftLink("/" + other)


def replace_attributes(path: Path, rng: Rng) -> None:
    values: list[object] = [
        b"\xe4\xff", h5py.Empty("S1"), np.array([b"deg", b"rad"]), "x" * 3000, 3, -1.0, np.nan, 1e308, "1 m", "rad",
        np.zeros(3), np.arange(40), np.array([], float), True, np.float16(3), 1 + 2j, "data", "/", "..", "z:y:x",
    ]  # fmt: skip
    names = ["units", "unit", "axes", "signal", "default", "definition", "NX_class", "creator", "voxel_size", "scale",
             "offset", "centre", "energy_kev", "pixel_size", "dim0", "emd_group_type", "nangles"]  # fmt: skip
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        for _ in range(int(rng.integers(1, 5))):
            thing = file[str(rng.choice(datasets + groups))]
            present = list(thing.attrs)
            name = str(rng.choice(present if present and rng.random() < 0.6 else names))
            thing.attrs[name] = values[int(rng.integers(len(values)))]


def change_values(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, _ = _members(file, rng)
        stored = file[str(rng.choice(datasets))] if datasets else None
        if stored is None or stored.dtype.kind not in "iuf" or not stored.size:
            return
        values = np.array(stored[()], dtype=float)
        flat = values.reshape(-1)
        where = rng.random(flat.size) < rng.choice([0.02, 0.5, 1.0])
        flat[where] = (
            rng.choice([0.0, 1.0, -1.0, 3.0, 1e9, 1e300]) if rng.random() < 0.6 else rng.normal(size=where.sum())
        )
        limits = (np.finfo if stored.dtype.kind == "f" else np.iinfo)(stored.dtype)
        stored[()] = np.clip(values, float(limits.min), float(limits.max) * 0.999).astype(stored.dtype)


BYTES_DONE = (overwrite_anywhere, overwrite_the_beginning, overwrite_much, copy_a_piece_elsewhere, bend_an_address,
              truncate, append)  # fmt: skip
MEMBERS_DONE = (replace_a_dataset, delete_a_member, bend_a_link, replace_attributes, change_values)


def mutated(base: Path, path: Path, rng: Rng) -> list[str]:
    """Write a copy of `base` to `path` with some things done to it; their names."""
    path.write_bytes(base.read_bytes())
    done = []
    if h5py.is_hdf5(base) and rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 3))):
            change = MEMBERS_DONE[int(rng.integers(len(MEMBERS_DONE)))]
            try:
                change(path, rng)
            except (KeyError, RuntimeError, OSError, ValueError):  # an earlier change left nothing to do this to
                continue
            done.append(change.__name__)
    if not done or rng.random() < 0.4:
        change = BYTES_DONE[int(rng.integers(len(BYTES_DONE)))]
        change(path, rng)
        done.append(change.__name__)
    return done


# -- reading


def read(path: Path) -> str:
    """What becomes of a file: scan, pattern, volume, question, refused. Anything but a PfitreError passes through."""
    from napari_pfitre.errors import PfitreError, QuestionError
    from napari_pfitre.io import inspect_file, read_volume

    report = inspect_file(path)
    assert report.lines()
    for sentence in (*report.notices, str(report.problem or "")):
        assert "\n" not in sentence, sentence
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


def serve() -> None:
    """The process of the readers: a path a line, an outcome a line."""
    import traceback
    import warnings

    import psutil

    warnings.simplefilter("error")
    process = psutil.Process()
    for line in sys.stdin:
        try:
            outcome = read(Path(line.rstrip("\n")))
        except MemoryError:
            outcome = "FAILED MemoryError"
        except BaseException:
            outcome = "FAILED " + " | ".join(traceback.format_exc().strip().split("\n")[-7:])
        print(process.memory_info().rss, outcome, flush=True)


class Reader:
    """The other end of `serve`."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, __file__, "--serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)  # fmt: skip

    def ask(self, path: Path) -> tuple[str, float, int]:
        """Outcome, seconds, bytes of memory."""
        import select

        start = time.perf_counter()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 4 * SECONDS)
        said = self.process.stdout.readline() if ready else ""
        seconds = time.perf_counter() - start
        if said:
            memory, _, outcome = said.rstrip("\n").partition(" ")
            return outcome, seconds, int(memory)
        self.process.kill()
        code = self.process.wait()
        self.__init__()
        return ("FAILED hung" if not ready else f"FAILED died ({code})"), seconds, 0

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="folder for the files that made a reader fail")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    counts: collections.Counter[str] = collections.Counter()
    slowest, largest, failures = 0.0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "bases").mkdir()
        originals = bases(Path(name) / "bases")
        reader = Reader()
        reader.ask(originals[0])
        for number in range(given.first, given.first + given.files):
            rng = np.random.default_rng([given.seed, number])
            base = originals[number % len(originals)]
            path = Path(name) / f"{number}{base.suffix}"
            done = mutated(base, path, rng)
            outcome, seconds, memory = reader.ask(path)
            slowest, largest = max(slowest, seconds), max(largest, memory)
            failed = outcome.startswith("FAILED") or seconds > SECONDS or memory > BYTES
            counts[outcome.split(" ")[0] if failed else outcome] += 1
            if failed:
                failures += 1
                print(f"{number} {base.stem} {'+'.join(done)}: {outcome} ({seconds:.1f} s, {memory / 1e6:.0f} MB)")
                if given.keep:
                    given.keep.mkdir(exist_ok=True)
                    path.replace(given.keep / f"{number}-{base.name}")
            path.unlink(missing_ok=True)
        reader.close()
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"{given.files} files, {failures} failures, slowest {slowest:.1f} s, most memory {largest / 1e6:.0f} MB")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
