"""A writer that is killed half-way, kill -9, leaves the old file or none, in every format of scans and volumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from napari_pfitre.io import read_scan, read_volume, write_scan, write_volume
from napari_pfitre.io.scan_files import SCAN_FORMATS
from napari_pfitre.io.volumes import VOLUME_FORMATS
from napari_pfitre.results import Volume
from napari_pfitre.scans import TomoScan

DATA = np.random.default_rng(4).normal(size=(5, 7, 9)).astype(np.float32)
OLD = {"scan": TomoScan(DATA, np.linspace(0, 3, 5), quantity="line integrals"), "volume": Volume(DATA)}
WRITE = {"scan": write_scan, "volume": write_volume}
READ = {"scan": lambda path: read_scan(path).projections[:], "volume": lambda path: read_volume(path).data}
FORMATS = [("scan", row) for row in SCAN_FORMATS] + [("volume", row) for row in VOLUME_FORMATS]

WRITER = """
import sys, time
import numpy as np
from napari_pfitre.frames import LazyFrames
from napari_pfitre.io import write_scan, write_volume
from napari_pfitre.results import Volume
from napari_pfitre.scans import TomoScan

class Slow(LazyFrames):
    shape, dtype = (2000, 128, 128), np.dtype(np.float32)
    def read(self, frames, rows, columns):
        if frames.stop > 100:
            print("half", flush=True)
            time.sleep(60)
        return np.ones([s.stop - s.start for s in (frames, rows, columns)], np.float32)

what, path, layout = sys.argv[1:]
if what == "scan":
    write_scan(TomoScan(Slow(), np.linspace(0, 3, 2000)), path, layout=layout, overwrite=True)
else:
    write_volume(Volume(Slow()), path, layout=layout, overwrite=True)
"""


@pytest.mark.parametrize(("what", "form"), FORMATS, ids=[f"{what}-{row.layout}" for what, row in FORMATS])
@pytest.mark.parametrize("old", [True, False])
def test_a_writer_that_is_killed_leaves_the_old_file_or_none(tmp_path, what, form, old):
    path = tmp_path / ("result" + form.suffixes[0])
    if old:
        WRITE[what](OLD[what], path, layout=form.layout)
    words = [sys.executable, "-c", WRITER, what, str(path), form.layout]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "half\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    if old:
        np.testing.assert_array_equal(READ[what](path), DATA)
    else:
        assert not path.exists()
