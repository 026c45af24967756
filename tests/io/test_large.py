"""Files of 50 GB open at once and cost no memory; regions are read as regions."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest
from beamline_files import COUNTS, DEGREES, write_exchange

from napari_pfitre.io import read_scan
from napari_pfitre.scans import row_blocks

MEASURE = """
import sys, time
import psutil
from napari_pfitre.io import inspect_file, read_scan
small, path = sys.argv[1:]
read_scan(small)
process = psutil.Process()
before, start = process.memory_info().rss, time.perf_counter()
scan = read_scan(path)
frame = scan.projections[scan.shape[0] // 2, :64]
seconds, grown = time.perf_counter() - start, process.memory_info().rss - before
print(scan.shape[0], seconds, grown, frame.size)
report = inspect_file(path)
print(any("0 of" in n or "zeros" in n for n in report.notices), process.memory_info().rss - before)
"""


@pytest.mark.parametrize("storage", ["chunked", "contiguous", "partly written"])
def test_fifty_gigabytes_open_in_a_second_and_fifty_megabytes(tmp_path, storage):
    n = 6250  # of 2000 × 2000 × 2 bytes
    path = tmp_path / "big.h5"
    with h5py.File(path, "w") as file:
        if storage == "contiguous":
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            space = h5py.h5s.create_simple((n, 2000, 2000))
            file.create_group("exchange")
            h5py.h5d.create(file["exchange"].id, b"data", h5py.h5t.NATIVE_UINT16, space, plist)
        else:
            stored = file.create_dataset("exchange/data", (n, 2000, 2000), np.uint16, chunks=(1, 2000, 2000))
            if storage == "partly written":
                stored[:2] = 1
        file["exchange/theta"] = np.linspace(0, 180, n)
        file["exchange/theta"].attrs["units"] = "degrees"
    small = write_exchange(tmp_path / "small.h5")
    out = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), str(path)],
        capture_output=True,
        text=True,
        check=storage != "partly written",
    )
    if storage == "partly written":
        assert "2 projections: that is not a tomography scan" in out.stderr
        return
    n_read, seconds, grown, size = out.stdout.split("\n")[0].split()
    assert int(n_read) == n
    assert int(size) == 64 * 2000
    assert float(seconds) < 1.0
    assert int(grown) < 50e6
    told, grown = out.stdout.split("\n")[1].split()
    assert told == "True"
    assert int(grown) < 100e6


@pytest.mark.parametrize("chunks", [None, (1, 4, 6), (5, 2, 6), (20, 1, 6), True])
def test_row_blocks_give_the_sinograms_of_the_whole(tmp_path, chunks):
    path = write_exchange(tmp_path / "scan.h5", chunks=chunks, compression="gzip" if chunks else None)
    scan = read_scan(path)
    blocks = list(row_blocks(scan, 2))
    assert len(blocks) > 1
    together = np.concatenate([scan.sinograms(rows) for rows in blocks])
    np.testing.assert_array_equal(together, COUNTS.transpose(1, 0, 2))
    assert together.dtype == np.float32


def test_many_threads_may_read_at_once(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    scan = read_scan(write_exchange(tmp_path / "scan.h5", chunks=(1, 4, 6), compression="gzip"))
    with ThreadPoolExecutor(8) as pool:
        frames = list(pool.map(lambda at: scan.projections[at % 20], range(200)))
    for at, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, COUNTS[at % 20])


def test_reading_loads_no_torch_and_no_napari(tmp_path):
    path = write_exchange(tmp_path / "scan.h5", theta=DEGREES)
    code = (
        "import sys; from napari_pfitre.io import read_scan; read_scan(sys.argv[1]).projections[0]; "
        "print([m for m in ('torch', 'napari', 'qtpy', 'dask', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
