"""Files that are something else, cut off, locked, damaged or half there: one sentence, or a scan with a notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from beamline_files import COUNTS, DEGREES, write_exchange, write_nxtomo

from napari_pfitre.errors import FormatError, PfitreError
from napari_pfitre.io import inspect_file, read_scan
from napari_pfitre.io.quantity import look


def written(data: bytes):
    def build(folder: Path) -> Path:
        (folder / "scan.h5").write_bytes(data)
        return folder / "scan.h5"

    return build


def truncated(folder: Path) -> Path:
    path = write_exchange(folder / "scan.h5")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def corrupt_metadata(folder: Path) -> Path:
    path = write_exchange(folder / "scan.h5")
    data = bytearray(path.read_bytes())
    data[30:200] = b"\x07" * 170
    path.write_bytes(data)
    return path


def dangling(folder: Path) -> Path:
    with h5py.File(folder / "scan.h5", "w") as file:
        file["exchange/theta"] = DEGREES
        file["exchange/data"] = h5py.ExternalLink("raw_0001.h5", "/entry/data/data")
    return folder / "scan.h5"


def looping(folder: Path) -> Path:
    with h5py.File(folder / "scan.h5", "w") as file:
        file["exchange/theta"] = DEGREES
        file["exchange/data"] = h5py.SoftLink("/exchange/data2")
        file["exchange/data2"] = h5py.SoftLink("/exchange/data")
    return folder / "scan.h5"


def virtual_without_source(folder: Path) -> Path:
    layout = h5py.VirtualLayout(COUNTS.shape, np.uint16)
    layout[:] = h5py.VirtualSource("parts/p0000.h5", "data", shape=COUNTS.shape)
    path = write_exchange(folder / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file.create_virtual_dataset("exchange/data", layout, fillvalue=65535)
    return path


def virtual_over_a_dangling_link(folder: Path) -> Path:
    layout = h5py.VirtualLayout(COUNTS.shape, np.uint16)
    layout[:] = h5py.VirtualSource(".", "/exchange/part1", shape=COUNTS.shape)
    path = write_exchange(folder / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file["exchange/part1"] = h5py.ExternalLink("xrc_209_000001.h5", "/data")
        file.create_virtual_dataset("exchange/data", layout)
    return path


def unknown_filter(folder: Path) -> Path:
    path = write_exchange(folder / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 4, 6))
        plist.set_filter(32031, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(COUNTS.shape)
        h5py.h5d.create(file["exchange"].id, b"data", h5py.h5t.NATIVE_UINT16, space, plist)
    return path


def without_images(folder: Path) -> Path:
    with h5py.File(folder / "log.h5", "w") as file:
        file["entry/scan/data/image_file/value"] = np.arange(5)
        file["entry/scan/data/s_rot/value"] = np.arange(5.0)
    return folder / "log.h5"


def of(dataset: str, data, **attributes):
    def build(folder: Path) -> Path:
        with h5py.File(folder / "scan.h5", "w") as file:
            file[dataset] = data
            file.attrs.update(attributes)
        return folder / "scan.h5"

    return build


def nabu_volume(folder: Path) -> Path:
    with h5py.File(folder / "rec.h5", "w") as file:
        file["entry0000/reconstruction/results/data"] = np.zeros((4, 6, 6), np.float32)
    return folder / "rec.h5"


def recon_in_exchange(folder: Path) -> Path:
    with h5py.File(folder / "rec.h5", "w") as file:
        file["exchange/data"] = np.zeros((4, 6, 6), np.float32)
        file["exchange/data"].attrs["axes"] = "z:y:x"
    return folder / "rec.h5"


def one_image(folder: Path) -> Path:
    import tifffile

    tifffile.imwrite(folder / "one.tif", np.zeros((8, 9), np.float32))
    return folder / "one.tif"


REFUSED = {
    "git lfs pointer": (
        written(b"version https://git-lfs.github.com/spec/v1\noid sha256:00"),
        "Git LFS pointer.*git lfs pull",
    ),
    "empty": (written(b""), r"is empty \(0 bytes\)"),
    "zeros": (written(bytes(4096)), "nothing but zero bytes"),
    "hdf4": (written(b"\x0e\x03\x13\x01" + bytes(600)), "is HDF4.*h4toh5"),
    "xml": (written(b"<?xml version='1.0'?><a/>"), "is XML text"),
    "ole2": (written(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), r"OLE2 .*\.txrm"),
    "matlab 5": (written(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(600)), "damaged MATLAB file"),
    "text": (written(b"angle\n0\n1\n"), "is plain text"),
    "noise": (written(bytes(range(1, 200)) * 4), "neither HDF5 nor TIFF"),
    "missing": (lambda folder: folder / "nothing.h5", "does not exist"),
    "folder": (lambda folder: folder, "is a folder"),
    "truncated": (truncated, r"incomplete: \d+ of \d+ bytes \(\d+ %\); copy it again"),
    "corrupt metadata": (corrupt_metadata, "damaged|incomplete"),
    "dangling link": (dangling, r"link to dataset /entry/data/data of the file raw_0001\.h5, which is not there"),
    "link loop": (looping, r"/exchange/data2 in scan\.h5 is a link that leads in a circle"),
    "virtual dataset without source": (
        virtual_without_source,
        r"assembled from other files, and parts/p0000\.h5 is not there",
    ),
    "virtual dataset over a dangling link": (
        virtual_over_a_dangling_link,
        r"dataset /data of the file xrc_209_000001\.h5",
    ),
    "unknown filter": (unknown_filter, r"compressed with .*\(filter 32031\).*hdf5plugin"),
    "no images": (without_images, "contains no images; it is a DESY log"),
    "nothing in it": (of("number", 3), "contains no images"),
    "complex": (of("exchange/data", COUNTS.astype(np.complex64)), "complex numbers.*phase or amplitude"),
    "compound complex": (
        of("exchange/data", np.zeros((4, 4, 4), [("real", "f4"), ("imag", "f4")])),
        "complex numbers.*phase or amplitude",
    ),
    "strings": (of("exchange/data", np.full((2, 2, 2), b"x")), "not numbers"),
    "no frame": (of("exchange/data", np.zeros((0, 4, 6))), "is empty"),
    "empty exchange": (of("exchange/theta", DEGREES, implements="x"), "contains no images"),
    "cxi": (of("cxi_version", 150), "CXI"),
    "nabu's volume": (nabu_volume, "reconstructed volume.*open it as a volume"),
    "recon in exchange": (recon_in_exchange, "reconstructed volume.*open it as a volume"),
    "one image": (one_image, "holds one image of 8 × 9 pixels"),
}


def _several(folder: Path, **datasets) -> Path:
    with h5py.File(folder / "scan.h5", "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return folder / "scan.h5"


@pytest.mark.parametrize("case", REFUSED)
def test_a_wreck_gives_one_sentence(tmp_path, case):
    build, said = REFUSED[case]
    path = build(tmp_path)
    with pytest.raises(PfitreError, match=said) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert 20 < len(sentence) < 700
    report = inspect_file(path)
    assert report.lines()
    assert report.scan is None  # nothing was guessed instead
    assert report.pattern is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(exchange):
    path = exchange()
    path.chmod(0)
    with pytest.raises(FormatError, match="may not be read"):
        read_scan(path)


LOCKER = """
import sys, h5py
file = h5py.File(sys.argv[1], "a", libver="latest" if "swmr" in sys.argv else None)
if "swmr" in sys.argv:
    file.swmr_mode = True
print("ready", flush=True)
if "die" in sys.argv:
    import os
    file.flush()
    os._exit(1)
sys.stdin.read()
"""


def writer(path: Path, *how: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path), *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def closed(process: subprocess.Popen) -> None:
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_a_file_that_is_being_written_is_read_with_a_notice(exchange):
    path = exchange()
    process = writer(path)
    try:
        scan = read_scan(path)
        assert any("locked" in notice and "may still be written" in notice for notice in scan.notices)
        np.testing.assert_array_equal(scan.projections[3], COUNTS[3])
    finally:
        closed(process)


def test_a_file_whose_writer_died_is_read_with_a_notice(exchange):
    path = exchange()
    with h5py.File(path, "r") as old, h5py.File(path.with_name("new.h5"), "w", libver="latest") as new:
        old.copy("exchange", new)
    path = path.with_name("new.h5")
    closed(writer(path, "swmr", "die"))
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(path, "r")
    scan = read_scan(path)
    assert any("marked as being written" in notice for notice in scan.notices)
    np.testing.assert_array_equal(scan.projections[3], COUNTS[3])


def test_a_corrupt_frame_is_named_and_can_be_left_out(exchange):
    path = exchange(chunks=(1, 4, 6), fletcher32=True)
    with h5py.File(path) as file:
        info = file["exchange/data"].id.get_chunk_info(7)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + 5] ^= 0xFF
    path.write_bytes(data)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections[6], COUNTS[6])
    with pytest.raises(FormatError, match=r"frame 7 of /exchange/data in scan\.h5 cannot be read.*exclude=7"):
        scan.sinograms(slice(0, 2))
    without = read_scan(path, exclude="7")
    assert without.shape[0] == 19
    np.testing.assert_array_equal(without.sinograms(slice(0, 1))[0], np.delete(COUNTS, 7, axis=0)[:, 0])
    np.testing.assert_allclose(np.rad2deg(without.angles), np.delete(DEGREES, 7))


def test_frames_never_written_are_dropped_with_their_angles(tmp_path):
    path = write_exchange(tmp_path / "scan.h5", flats=None, darks=None)
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        stored = file.create_dataset("exchange/data", COUNTS.shape, np.uint16, chunks=(1, 4, 6))
        stored[:13] = COUNTS[:13]
    scan = read_scan(path)
    assert scan.shape[0] == 13
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES[:13])
    assert any("only 13 of 20 frames are present" in notice for notice in scan.notices)
    np.testing.assert_array_equal(scan.projections[:], COUNTS[:13])


def test_frames_of_zeros_at_the_end_are_dropped_with_their_angles(exchange):
    data = COUNTS.copy()
    data[16:] = 0
    scan = read_scan(exchange(data=data))
    assert scan.shape[0] == 16
    assert len(scan.angles) == 16
    assert any("last 4 of 20 projections hold nothing but zeros" in notice for notice in scan.notices)


def test_a_huge_claim_in_a_tiny_file_is_told(tmp_path):
    path = tmp_path / "scan.h5"
    n = 1_000_000
    with h5py.File(path, "w") as file:
        file.create_dataset("exchange/data", (n, 2000, 2000), np.uint16, chunks=(1, 2000, 2000))
        file["exchange/theta"] = np.linspace(0, 180, n)
    report = inspect_file(path)
    assert report.usable
    assert any("0 of 1000000 frames are present" in notice for notice in report.notices)


def test_missing_parts_of_a_virtual_dataset_are_dropped(tmp_path):
    layout = h5py.VirtualLayout(COUNTS.shape, np.uint16)
    for part in range(2):
        name = f"part{part}.h5"
        layout[part * 10 : part * 10 + 10] = h5py.VirtualSource(name, "data", shape=(10, *COUNTS.shape[1:]))
        if part == 0:
            with h5py.File(tmp_path / name, "w") as file:
                file["data"] = COUNTS[:10]
    path = write_exchange(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file.create_virtual_dataset("exchange/data", layout)
    scan = read_scan(path)
    assert scan.shape[0] == 10
    assert any("part1.h5 is not there" in notice for notice in scan.notices)
    np.testing.assert_array_equal(scan.projections[:], COUNTS[:10])


def test_a_source_beside_the_master_is_found_although_its_folder_is_gone(tmp_path):
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["data"] = COUNTS
    layout = h5py.VirtualLayout(COUNTS.shape, np.uint16)
    layout[:] = h5py.VirtualSource("/beamline/2024/visit/raw.h5", "data", shape=COUNTS.shape)
    path = write_exchange(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file.create_virtual_dataset("exchange/data", layout)
    np.testing.assert_array_equal(read_scan(path).projections[:], COUNTS)


def test_loops_elsewhere_in_the_file_harm_nobody(nxtomo):
    path = nxtomo()
    with h5py.File(path, "a") as file:
        file["entry0000/a"] = h5py.SoftLink("/entry0000/b")
        file["entry0000/b"] = h5py.SoftLink("/entry0000/a")
        file["entry0000/self"] = file["entry0000"]
    assert read_scan(path).shape == (20, 4, 6)
    assert inspect_file(path).usable


def test_a_file_may_be_deleted_or_replaced_while_a_scan_of_it_is_open(exchange):
    path = exchange()
    scan = read_scan(path)
    scan.projections[0]
    path.unlink()
    with pytest.raises(FormatError, match=r"is gone from .* since it was opened"):
        scan.projections[0]
    write_exchange(path, data=COUNTS[:, :2])
    with pytest.raises(FormatError, match="has changed on disk"):
        scan.projections[0]


def test_a_dangling_image_key_group_does_not_hide_the_good_one(tmp_path):
    path = write_nxtomo(tmp_path / "scan.nx")
    with h5py.File(path, "a") as file:
        file["other/instrument/cam/image_key"] = np.zeros(5, int)
        file["other/instrument/cam/data"] = h5py.ExternalLink("gone.h5", "/data")
    scan = read_scan(path)
    assert scan.shape == (20, 4, 6)
    assert any("/other/instrument/cam" in notice for notice in scan.notices)


@pytest.mark.parametrize("seed", range(30))
def test_damage_anywhere_gives_a_sentence_or_a_scan(exchange, seed):
    path = exchange(chunks=(1, 4, 6), compression="gzip")
    rng = np.random.default_rng(seed)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    start = int(rng.integers(0, data.size - 64))
    data[start : start + int(rng.integers(1, 64))] = 0xA5
    path.write_bytes(data.tobytes())
    report = inspect_file(path)
    assert report.lines()
    if report.scan is None:
        assert isinstance(report.problem, PfitreError)
        return
    try:
        assert report.scan.projections[:].shape == report.scan.shape
    except FormatError as error:
        assert "scan.h5" in str(error)  # noqa: PT017  either outcome is right


def test_what_another_library_says_in_lines_is_one_sentence(tmp_path):
    """NumPy tells, in three lines, to trust a file whose header claims to be long."""
    path = tmp_path / "array.npy"
    np.save(path, COUNTS)
    data = bytearray(path.read_bytes())
    data[8:10] = (10_102).to_bytes(2, "little")
    path.write_bytes(data + bytes(10_102))
    problem = str(inspect_file(path).problem)
    assert "array.npy is a damaged NumPy file (Header info length (10102) is large" in problem
    assert "\n" not in problem
    assert "pickle" not in problem


def test_a_number_that_signals_is_no_warning(exchange):
    frames = np.full((20, 4, 6), 0.5, np.float32)
    frames.view(np.uint32)[10, 2, 3] = 0x7FA00000  # a NaN that a cast complains of
    path = exchange(data=frames, flats=None, darks=None)
    values = look(read_scan(path).projections)
    assert values.size == 3 * 24 - 1
    assert (values == 0.5).all()


def test_of_large_pieces_one_is_looked_at(tmp_path):
    """HDF5 unpacks a piece of storage as a whole: what the values are like shows in one as well as in all."""
    path = write_exchange(tmp_path / "large.h5", flats=None, darks=None, theta=np.linspace(0, 170, 16))
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        shape, piece = (16, 2048, 3072), (16, 2048, 1024)
        stored = file.create_dataset("exchange/data", shape, "u1", chunks=piece, compression="lzf")
        for i in range(3):
            stored[:, 1000:1050, 1024 * i : 1024 * (i + 1)] = i + 1
    assert set(look(read_scan(path).projections)) == {0, 2}
