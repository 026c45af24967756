"""Files made to do harm, or damaged as if: bounded time and memory, one sentence; no link is followed unasked."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pattern_files
import pytest
from beamline_files import COUNTS, DEGREES, LAYOUTS, write_datasets, write_exchange
from outcomes import outcome

from napari_pfitre.errors import FormatError, PfitreError, QuestionError
from napari_pfitre.io import inspect_file, read_scan, read_volume
from napari_pfitre.io.guard import vouch


def endless(folder: Path) -> Path:
    """The free space of a heap of strings is said to be of size 0: HDF5 looks for its end for ever."""
    return _without_end(write_exchange(folder / "endless.h5", axes="theta:y:x"))


def _without_end(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    at = data.find(b"GCOL") + 16
    while (head := struct.unpack("<HHIQ", data[at : at + 16]))[0] != 0:
        at += 16 + -(-head[3] // 8) * 8
    data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    return path


def endless_without_a_list(folder: Path) -> Path:
    """The same in an attribute of the root, of which HDF5 can tell neither its members nor where it lies."""
    path = write_datasets(folder / "unlisted.h5", {"file_format": "HyperSpy"}, Experiments__tilt__data=COUNTS)
    data = bytearray(_without_end(path).read_bytes())
    at = data.find(b"HEAP")
    while at >= 0:
        data[at + 16 : at + 24] = struct.pack("<Q", 3)  # where the free space of its names begins
        at = data.find(b"HEAP", at + 1)
    path.write_bytes(data)
    return path


def endless_text(folder: Path) -> Path:
    """A name of eight letters that claims to have four thousand million."""
    path = write_datasets(folder / "text.h5", {"file_format": "HyperSpy"}, Experiments__tilt__data=COUNTS)
    data = bytearray(path.read_bytes())
    at = data.find(struct.pack("<IQI", 8, data.find(b"GCOL"), 1))  # length, and where the letters are
    data[at : at + 4] = struct.pack("<I", 0xFFFF0008)
    path.write_bytes(data)
    return path


def huge(folder: Path) -> Path:
    with h5py.File(folder / "huge.h5", "w") as file:
        file.create_dataset("exchange/data", (2**40, 2**20, 2**20), np.uint16, chunks=(1, 64, 64))
        file["exchange/theta"] = DEGREES
    return folder / "huge.h5"


def huge_angles(folder: Path) -> Path:
    path = write_exchange(folder / "angles.h5", theta=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("exchange/theta", (2**44,), np.float64, chunks=(1024,))
    return path


def bomb(folder: Path) -> Path:
    """Four GB of zeros in four MB, in one chunk that HDF5 unpacks as a whole."""
    shape = (32, 8192, 8192)
    path = write_exchange(folder / "bomb.h5", theta=np.linspace(0, 180, 32), data=np.zeros((32, 2, 2)))
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        stored = file.create_dataset("exchange/data", shape, np.uint8, chunks=shape, compression="gzip")
        stored.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(10**7), 9))
    return path


def words_for_numbers(folder: Path) -> Path:
    path = write_exchange(folder / "words.h5", theta=None)
    with h5py.File(path, "a") as file:
        file["exchange/theta"] = np.full(20, b"ten degrees")
        file["exchange/theta"].attrs["units"] = np.arange(3)
        file["measurement/instrument/monochromator/energy"] = "\xe4\xff much"
        file["process/acquisition/rotation/num_angles"] = h5py.Empty("i4")
        file["measurement/instrument/detector/pixel_size"] = np.zeros(2, [("a", "f4"), ("b", "S3")])
    return path


def rings(folder: Path) -> Path:
    """Groups that hold each other, many times."""
    with h5py.File(folder / "rings.h5", "w") as file:
        for at in range(12):
            file.create_group(f"g{at}")
        for one in range(12):
            for other in range(12):
                file[f"g{one}/g{other}"] = file[f"g{other}"]
        file["g0/up"] = h5py.SoftLink("/g1/up")
        file["g1/up"] = h5py.SoftLink("/g0/up")
        file["g0/self"] = h5py.ExternalLink("rings.h5", "/g0/self")
    return folder / "rings.h5"


HARMFUL = {
    "endless": (endless, "damaged inside: HDF5 never comes to its end"),
    "a text without end": (endless_text, "damaged inside: HDF5 asks for all memory there is"),
    "endless without a list": (endless_without_a_list, "damaged inside: HDF5 never comes to its end"),
    "huge": (huge, "claims the shape .* no detector has"),
    "huge angles": (huge_angles, "claims 17592186044416 values"),
    "bomb": (bomb, r"stored in pieces of 2\.1 GB .*h5repack"),
    "words for numbers": (words_for_numbers, "no angles"),
    "rings": (rings, "no images"),
}

#: In a process of its own: its time and its memory are those of this one file.
TELL = """
import resource, sys, time
from napari_pfitre.io import inspect_file
inspect_file(sys.argv[1])
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
report = inspect_file(sys.argv[2])
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, report.problem)
"""


@pytest.mark.parametrize("case", HARMFUL)
def test_harm_is_bounded_and_told(tmp_path, case):
    build, said = HARMFUL[case]
    path = build(tmp_path)
    harmless = write_exchange(tmp_path / "harmless.h5")
    start = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-c", TELL, str(harmless), str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert time.perf_counter() - start < 30
    seconds, kilobytes, problem = out.stdout.strip().split(" ", 2)
    assert float(seconds) < 2
    assert int(kilobytes) < 200_000
    with pytest.raises(PfitreError, match=said):
        raise PfitreError(problem)


def test_a_file_on_which_hdf5_never_ends_is_refused_at_once_the_second_time(tmp_path):
    path = endless(tmp_path)
    with pytest.raises(FormatError, match="never comes to its end"):
        read_scan(path)
    start = time.perf_counter()
    with pytest.raises(FormatError, match="never comes to its end"):
        read_volume(path)
    assert time.perf_counter() - start < 0.5
    path.write_bytes(write_exchange(tmp_path / "good.h5").read_bytes())
    assert read_scan(path).shape == COUNTS.shape


def test_a_walker_that_died_is_replaced(exchange, tmp_path):
    import napari_pfitre.io.guard as guard

    path = exchange()
    vouch(path)
    guard._walker.process.kill()
    guard._walker.process.wait()
    other = write_exchange(tmp_path / "other.h5")
    with pytest.raises(FormatError, match="HDF5 crashes on it"):  # what it looks like from here
        vouch(other)
    vouch(write_exchange(tmp_path / "third.h5"))


@pytest.fixture
def elsewhere(tmp_path):
    """A master in one folder and its frames in another: (master, a function that writes its /exchange/data)."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    master = write_exchange(tmp_path / "here" / "scan.h5")
    raw = tmp_path / "there" / "raw.h5"
    with h5py.File(raw, "w") as file:
        file["frames"] = COUNTS
    return master, raw


def linked(master: Path, raw: Path) -> None:
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file["exchange/data"] = h5py.ExternalLink(str(raw), "/frames")


def relative(master: Path, raw: Path) -> None:
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file["raw"] = h5py.ExternalLink(os.path.relpath(raw, master.parent), "/")
        file["exchange/data"] = h5py.SoftLink("/raw/frames")


def virtual(master: Path, raw: Path) -> None:
    layout = h5py.VirtualLayout(COUNTS.shape, COUNTS.dtype)
    layout[:] = h5py.VirtualSource(str(raw), "frames", shape=COUNTS.shape)
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file.create_virtual_dataset("exchange/data", layout)


def by_a_third(master: Path, raw: Path) -> None:
    """Its folder is trusted, but what lies there sends on."""
    with h5py.File(master.parent / "next.h5", "w") as file:
        file["frames"] = h5py.ExternalLink(str(raw), "/frames")
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file["exchange/data"] = h5py.ExternalLink("next.h5", "/frames")


def raw_bytes(master: Path, raw: Path) -> None:
    """HDF5 can keep a dataset's values in any file at all."""
    raw.write_bytes(COUNTS.tobytes())
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file.create_dataset("exchange/data", COUNTS.shape, COUNTS.dtype, external=[(str(raw), 0, COUNTS.nbytes)])


@pytest.mark.parametrize("link", [linked, relative, virtual, by_a_third, raw_bytes])
def test_links_out_of_the_folder_are_followed_when_the_user_says_so(elsewhere, link):
    master, raw = elsewhere
    link(master, raw)
    with pytest.raises(QuestionError, match=r"outside the folder of .*links='anywhere'") as caught:
        read_scan(master)
    assert (caught.value.hint, caught.value.choices) == ("links", ("anywhere",))
    assert inspect_file(master).question is not None
    scan = read_scan(master, links="anywhere")
    np.testing.assert_array_equal(scan.projections[:], COUNTS)


def test_links_into_the_folder_and_below_are_followed(elsewhere):
    master, raw = elsewhere
    below = master.parent / "parts" / "raw.h5"
    below.parent.mkdir()
    raw.rename(below)
    linked(master, below)
    np.testing.assert_array_equal(read_scan(master).projections[:], COUNTS)


def test_a_link_elsewhere_that_is_not_needed_is_only_mentioned(elsewhere):
    master, raw = elsewhere
    with h5py.File(master, "a") as file:
        file["exchange/data_white_post"] = h5py.ExternalLink(str(raw), "/frames")
    scan = read_scan(master)
    assert any("was not followed" in notice and "raw.h5" in notice for notice in scan.notices)


def test_a_damaged_file_behind_a_link_harms_only_itself(tmp_path):
    endless(tmp_path)
    master = write_exchange(tmp_path / "scan.h5")
    with h5py.File(master, "a") as file:
        file["exchange/data_white_post"] = h5py.ExternalLink("endless.h5", "/exchange/data")
        file["extra"] = h5py.ExternalLink("endless.h5", "/")
    np.testing.assert_array_equal(read_scan(master).projections[:], COUNTS)
    assert inspect_file(master).usable


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "scan.h5")
    with pytest.raises(FormatError, match="device or a pipe"):
        read_scan(tmp_path / "scan.h5")
    master = write_exchange(tmp_path / "master.h5")
    with h5py.File(master, "a") as file:
        del file["exchange/data"]
        file["exchange/data"] = h5py.ExternalLink("scan.h5", "/data")
    with pytest.raises(FormatError, match="is a link to dataset /data of the file scan"):
        read_scan(master)


@pytest.fixture(scope="module")
def fuzz():
    script = Path(__file__).parents[2] / "benchmarks" / "fuzz_readers.py"
    spec = importlib.util.spec_from_file_location("fuzz_readers", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("layout", LAYOUTS | pattern_files.LAYOUTS)
def test_mutated_files_end_in_a_scan_or_a_sentence(tmp_path, fuzz, layout):
    """A sample of what benchmarks/fuzz_readers.py does thousands of times."""
    base = (LAYOUTS | pattern_files.LAYOUTS)[layout](tmp_path)
    outcomes = set()
    for number in range(12):
        rng = np.random.default_rng([11, number])
        path = tmp_path / f"{number}{base.suffix}"
        fuzz.mutated(base, path, rng)
        outcomes.add(outcome(path))
    assert outcomes <= {"scan", "pattern", "volume", "question", "refused", "scan that cannot be read"}


def test_a_fuzzing_run_that_is_ended_sums_up_and_goes_on(tmp_path):
    script, journal = Path(__file__).parents[2] / "benchmarks" / "fuzz_readers.py", tmp_path / "journal.jsonl"
    words = [sys.executable, str(script), "--seed", "3", "--journal", str(journal)]
    with subprocess.Popen([*words, "--files", "100000"], stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (journal.exists() and journal.stat().st_size):
            time.sleep(0.05)
        process.terminate()
        said = process.stdout.read()
    assert re.search(r"stopped\n.*\n[1-9]\d* files of seed 3, 0 failures", said)
    with open(journal, "a", encoding="utf-8") as file:
        file.write('{"seed": 3, "num')  # killed while it wrote
    done = len(journal.read_text(encoding="utf-8").splitlines()) - 1
    result = subprocess.run([*words, "--files", str(done + 3)], stdout=subprocess.PIPE, text=True, check=False)
    assert f"{done + 3} files of seed 3, 0 failures" in result.stdout
    assert result.returncode == 0


def test_large_pieces_that_are_unpacked_for_each_frame_are_told(tmp_path):
    path = write_exchange(tmp_path / "scan.h5", flats=None, darks=None)
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        stored = file.create_dataset(
            "exchange/data", (20, 2048, 2048), np.uint16, chunks=(20, 2048, 2048), compression=1
        )
        stored.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(20 * 2048 * 2048 * 2), 1))
    notices = read_scan(path, quantity="emission").notices
    assert any("pieces of 167.8 MB that have to be unpacked for each frame" in notice for notice in notices)


def test_names_with_line_breaks_and_commands_for_terminals_are_told_in_one_line(tmp_path):
    path = write_datasets(tmp_path / "names.h5", **{"a\n\x1b[2Jb": COUNTS, "c\rd": COUNTS})
    report = inspect_file(path)
    assert len(report.datasets) == 2
    text = "".join((*report.lines(), str(report.problem)))
    assert not any(letter in text for letter in "\n\r\x1b")
    assert "a\N{REPLACEMENT CHARACTER}[2Jb" in text
