"""Files of 50 GB open at once and cost no memory; regions are read as regions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from beamline_files import COUNTS, DEGREES, write_exchange

from napari_pfitre.io import read_scan
from napari_pfitre.preprocess import prepare
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


@pytest.fixture
def regions(monkeypatch):
    """Every region that is asked of HDF5, as (first frame, frames, rows)."""
    from napari_pfitre.io.stacks import Hdf5Frames

    seen: list[tuple[int, int, slice]] = []
    region = Hdf5Frames._region

    def counted(self, stored, frames, rows, columns):
        if stored.name == "/exchange/data":
            seen.append((frames.start, frames.stop - frames.start, rows))
        return region(self, stored, frames, rows, columns)

    monkeypatch.setattr(Hdf5Frames, "_region", counted)
    return seen


@pytest.mark.parametrize("how", ["as read", "with a frame left out", "prepared"])
def test_a_block_of_sinograms_touches_each_frame_once(tmp_path, regions, how):
    n_rows = 24
    data = np.random.default_rng(3).integers(1000, 3000, (30, n_rows, 16)).astype(np.uint16)
    path = write_exchange(tmp_path / "scan.h5", data=data, theta=np.arange(30) * 6.0, chunks=(1, n_rows, 16))
    scan = read_scan(path, exclude="7") if how == "with a frame left out" else read_scan(path)
    if how == "prepared":
        scan = prepare(scan)
    regions.clear()
    block = scan.sinograms(slice(4, 20))
    assert block.shape == (16, scan.shape[0], scan.shape[2])
    touched = [frame for first, count, _ in regions for frame in range(first, first + count)]
    assert touched == [frame for frame in range(30) if how != "with a frame left out" or frame != 7]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what a process reads")
@pytest.mark.parametrize("chunks", [(1, 64, 256), (1, 32, 128), (10, 16, 64)])
def test_a_block_of_sinograms_reads_each_chunk_once(tmp_path, chunks):
    """Counted by the system: HDF5 would read a chunk again that its cache did not keep."""
    data = np.random.default_rng(3).integers(0, 2**16, (60, 64, 256)).astype(np.uint16)  # packs to nothing smaller
    path = write_exchange(tmp_path / "scan.h5", data=data, theta=np.arange(60) * 3.0, chunks=chunks, compression="gzip")
    with h5py.File(path) as file:
        stored = file["exchange/data"].id
        infos = [stored.get_chunk_info(i) for i in range(stored.get_num_chunks())]
    scan = read_scan(path)
    for rows in row_blocks(scan, 16):
        needed = sum(
            i.size for i in infos if i.chunk_offset[1] < rows.stop and i.chunk_offset[1] + chunks[1] > rows.start
        )
        before = _bytes_read()
        block = scan.sinograms(rows)
        assert needed <= _bytes_read() - before < 1.2 * needed  # and what tells where the chunks are
        np.testing.assert_array_equal(block, data[:, rows].transpose(1, 0, 2))


def _bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])
