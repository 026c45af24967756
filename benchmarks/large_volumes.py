"""Volumes larger than the memory they are written with:  python benchmarks/large_volumes.py [--size 1024] [--layout …]

A volume of size³ float32 that exists nowhere, each slice computed when it is asked for, is written in every format of
the table and read back slice by slice; noise, so that nothing compresses. Every format has a process of its own. Memory
is the system's peak of the process less what it held before; bytes are those on the disk over those of the values.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from napari_pfitre.io.volumes import VOLUME_FORMATS

MEASURE = """
import resource, sys, time
import numpy as np
from napari_pfitre.frames import LazyFrames
from napari_pfitre.io import open_volume, write_volume
from napari_pfitre.results import Volume

class Noise(LazyFrames):
    def __init__(self, n):
        self.shape, self.dtype = (n, n, n), np.dtype(np.float32)
        self.plane = np.random.default_rng(0).standard_normal((n, n), np.float32)

    def read(self, frames, rows, columns):
        return np.stack([self.plane[rows, columns] * np.float32(1 + z / 999) for z in range(frames.start, frames.stop)])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

folder, layout, suffix, n = *sys.argv[1:4], int(sys.argv[4])
small = Volume(np.zeros((8, 8, 8), np.float32), (1e-6,) * 3, name="small")
open_volume(write_volume(small, f"{folder}/small{suffix}", layout=layout)[0]).data[0]
data, before, start = Noise(n), peak(), time.perf_counter()
write_volume(Volume(data, (1e-6,) * 3, name="large"), f"{folder}/large{suffix}", layout=layout)
written, held = time.perf_counter(), peak()
back = open_volume(f"{folder}/large{suffix}").data
same = all(np.array_equal(back[z], data[z]) for z in range(0, n, 16))
print(written - start, held - before, time.perf_counter() - written, peak() - before, same)
"""


def main() -> None:
    layouts = [form.layout for form in VOLUME_FORMATS]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--layout", nargs="+", choices=layouts, default=layouts)
    given = parser.parse_args()
    values = 4 * given.size**3
    print(f"{given.size}³ voxels, {values / 1e9:.1f} GB\n")
    print("| format | written, s | MB held | every 16th slice read, s | MB held | the same | bytes |")
    print("|---|---|---|---|---|---|---|")
    for form in VOLUME_FORMATS:
        if form.layout in given.layout:
            with tempfile.TemporaryDirectory() as name:
                words = [name, form.layout, form.suffixes[0], str(given.size)]
                out = subprocess.run(
                    [sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True
                )
                *numbers, same = out.stdout.split()
                wrote, held, read, most = map(float, numbers)
                files = [path for path in Path(name).rglob("*") if path.is_file() and "small" not in str(path)]
                share = sum(path.stat().st_size for path in files) / values
            print(f"| {form.title} | {wrote:.1f} | {held / 1e6:.0f} | {read:.1f} | {most / 1e6:.0f} | {same} | "
                  f"{share:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
