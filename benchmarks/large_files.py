"""A scan of 50 GB: opening it, and a block of sinograms of it:  python benchmarks/large_files.py [--rows 16]

Frames of 2000 × 2000 × 2 bytes in Data Exchange. Stored contiguously or in chunks that were never written the file is
sparse and holds nothing on the disk; compressed, every frame is a chunk that is really unpacked. It is the same chunk
each time and compresses well, so that the figures are those of reading and unpacking and not of a disk.

A process of its own opens each file and reads the rows in the middle as a recipe does, `scan.sinograms(rows)`. What it
read is counted by the system (Linux): bytes over those of one pass. One frame stored as a chunk can only be read whole,
so a second pass over the frames would show as 2.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

SIDE = 2000
STORAGES = ("never-written", "contiguous", "bitshuffle-lz4", "gzip")

MEASURE = """
import resource, sys, time
from napari_pfitre.io import read_scan
small, path, n_rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
read_scan(small).sinograms(slice(0, 1))

def now():
    read = int(next(line for line in open("/proc/self/io") if line.startswith("rchar")).split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return time.perf_counter(), time.process_time(), peak, read

start = now()
scan = read_scan(path)
scan.projections[scan.shape[0] // 2]
opened = now()
first = (scan.shape[1] - n_rows) // 2
block = scan.sinograms(slice(first, first + n_rows))
done = now()
print(opened[0] - start[0], opened[2] - start[2], *(b - a for a, b in zip(opened, done)), block.nbytes)
"""


def frame() -> np.ndarray:
    """Counts with noise in every twentieth row, so that 6250 of them packed are 2 GB and not 30."""
    out = np.full((SIDE, SIDE), 1000, np.uint16)
    out[::20] = np.random.default_rng(0).poisson(1000, out[::20].shape)
    return out


def write(path: Path, storage: str, n_frames: int) -> int:
    """The file; how many bytes one pass over all frames reads of it, for 1 row when it is not stored in chunks."""
    shape = (n_frames, SIDE, SIDE)
    one_pass = 0
    with h5py.File(path, "w") as file:
        file["exchange/theta"] = np.linspace(0, 180, n_frames, endpoint=False)
        file["exchange/theta"].attrs["units"] = "degrees"
        group = file["exchange"]
        if storage == "contiguous":
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            space = h5py.h5s.create_simple(shape)
            h5py.h5d.create(group.id, b"data", h5py.h5t.NATIVE_UINT16, space, properties)
            return n_frames * SIDE * 2
        options = {"gzip": {"compression": "gzip"}, "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle())}.get(storage, {})
        stored = group.create_dataset("data", shape, np.uint16, chunks=(1, SIDE, SIDE), **options)
        if storage != "never-written":
            stored[0] = frame()
            file.flush()
            _, packed = stored.id.read_direct_chunk((0, 0, 0))
            for at in range(1, n_frames):
                stored.id.write_direct_chunk((at, 0, 0), packed)
            one_pass = n_frames * len(packed)
    return one_pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=6250)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--storage", nargs="+", choices=STORAGES, default=STORAGES[:3], help="gzip takes minutes")
    given = parser.parse_args()
    print(f"{given.frames} frames of {SIDE} × {SIDE}, {given.frames * SIDE * SIDE * 2 / 1e9:.0f} GB; {given.rows} rows")
    print("| stored | opened, s | MB | block, s | CPU s | MB above the block | passes over the frames |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        small = Path(name) / "small.h5"
        write(small, "gzip", 20)
        for storage in given.storage:
            path = Path(name) / "big.h5"
            one_pass = write(path, storage, given.frames) * (given.rows if storage == "contiguous" else 1)
            command = [sys.executable, "-c", MEASURE, str(small), str(path), str(given.rows)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            opened, grown, seconds, cpu, peak, read, block = map(float, out.stdout.split())
            passes = f"{read / one_pass:.3f}" if one_pass else f"{read / 1e6:.1f} MB read"
            print(f"| {storage} | {opened:.2f} | {grown / 1e6:.0f} | {seconds:.1f} | {cpu:.1f} | "
                  f"{(peak - block) / 1e6:.0f} of {block / 1e6:.0f} | {passes} |", flush=True)  # fmt: skip
            path.unlink()


if __name__ == "__main__":
    main()
