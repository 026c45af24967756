"""`info`, `convert`, `simulate`: files in, files and honest exit codes out."""

from __future__ import annotations

import tracemalloc

import beamline_files
import h5py
import mrcfile
import numpy as np
import pattern_files
import pytest
import tifffile

from napari_pfitre import read_scan, read_volume, write_volume
from napari_pfitre.cli.bar import Interrupt
from napari_pfitre.io import volume_zarr
from napari_pfitre.io.volumes import VOLUME_FORMATS
from napari_pfitre.results import Volume


def test_info_of_a_scan(call, scan_file):
    result = call("info", scan_file)
    assert result.exit_code == 0
    for fact in ("APS Data Exchange", "24 of 5 rows × 32 columns", "40° missing", "10 flats, 10 darks", "9 keV"):
        assert fact in result.stdout


def test_info_of_a_volume(call, scan_file, tmp_path):
    call("run", "fbp", scan_file, "-o", tmp_path / "v.h5")
    result = call("info", tmp_path / "v.h5")
    assert result.exit_code == 0
    assert "5 × 32 × 32" in result.stdout


def test_info_asks_what_the_file_leaves_open_and_a_flag_answers(call, scan_file):
    with h5py.File(scan_file, "r+") as file:
        del file["exchange/theta"]
    asked = call("info", scan_file)
    assert asked.exit_code == 1
    assert "question" in asked.stdout
    assert "--angles" in asked.stderr
    answered = call("info", scan_file, "--angles", "0:140:inclusive")
    assert answered.exit_code == 0, answered.output
    assert "0° to 140°" in answered.stdout


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x89HDF\r\n\x1a\n and then nothing"])
def test_info_of_something_else(call, tmp_path, content):
    path = tmp_path / "odd.h5"
    path.write_bytes(content)
    result = call("info", path)
    assert result.exit_code == 1
    assert "odd.h5" in result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("tomo/tooth.h5", ["181 of 2 rows × 640 columns", "10 flats, 10 darks", "no wedge"]),
        ("tomo/Cu_example_23_LimitedAngle.tiff", ["96° missing", "emission", "51 of 84 rows × 150 columns"]),
        ("tomo/fly_scan_id_24737_limited.h5", ["46 angles for 45 projections", "dropped"]),
    ],
)
def test_info_tells_the_truth_about_real_files(call, real_file, name, facts):
    result = call("info", real_file(name))
    assert result.exit_code == 0
    for fact in facts:
        assert fact in result.stdout


def test_a_scan_becomes_data_exchange(call, real_file, tmp_path):
    source = real_file("tomo/24737_nxtomo_lib.nx")
    result = call("convert", source, tmp_path / "dx.h5")
    assert result.exit_code == 0, result.output
    before, after = read_scan(source), read_scan(tmp_path / "dx.h5")
    assert after.source.format == "APS Data Exchange"
    np.testing.assert_array_equal(before.projections[3:5], after.projections[3:5])
    np.testing.assert_allclose(before.angles, after.angles, atol=1e-6)


def test_a_scan_becomes_nxtomo_by_its_suffix_or_by_layout(call, scan_file, tmp_path):
    before = read_scan(scan_file)
    for name, flags in (("a.nxs", ()), ("b.h5", ("--layout", "nxtomo"))):
        result = call("convert", scan_file, tmp_path / name, *flags)
        assert result.exit_code == 0, result.output
        assert "24 projections, 5 × 32 pixels (NeXus NXtomo)" in result.stdout
        after = read_scan(tmp_path / name)
        assert after.source.format == "NeXus NXtomo"
        np.testing.assert_array_equal(before.projections[:], after.projections[:])
        np.testing.assert_array_equal(before.flats[:], after.flats[:])
        assert (after.pixel_size, after.energy_kev) == (before.pixel_size, before.energy_kev)


def test_converting_tells_how_far_it_is_and_leaves_nothing_when_stopped(call, scan_file, tmp_path, monkeypatch):
    from napari_pfitre.io import scan_nxtomo

    monkeypatch.setattr(scan_nxtomo, "_BLOCK", 4 * 5 * 32 * 8)
    result = call("convert", scan_file, tmp_path / "a.nxs")
    assert "24/24  writing" in result.stderr

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_pfitre.cli.bar.Bar.__call__", stop)
    result = call("convert", scan_file, tmp_path / "b.nxs")
    assert result.exit_code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nxs", "scan.h5"]


@pytest.mark.parametrize("kind", ["tiff", "mrc", "pyxrf", "xrf-maps"])
def test_what_is_no_single_hdf5_file_becomes_a_scan(call, tmp_path, kind):
    frames = np.random.default_rng(0).uniform(0, 9, (8, 5, 7)).astype(np.float32)
    source, flags = tmp_path / "in", ("--angles", "0:160", "--quantity", "line integrals")
    if kind == "tiff":
        source.mkdir()
        for at, frame in enumerate(frames):
            tifffile.imwrite(source / f"frame_{at:03d}.tif", frame)
    elif kind == "mrc":
        source = tmp_path / "tilts.mrc"
        with mrcfile.new(source) as file:
            file.set_data(frames)
    else:
        write = beamline_files.write_pyxrf_folder if kind == "pyxrf" else beamline_files.write_xrf_maps_folder
        write(source)
        frames, flags = beamline_files.MAPS[:, 0], ("--index", "0")
    result = call("convert", source, tmp_path / "out.nxs", *flags)
    assert result.exit_code == 0, result.output
    back = read_scan(tmp_path / "out.nxs")
    np.testing.assert_allclose(back.projections[:], frames, rtol=1e-6)
    assert back.quantity == ("line integrals" if kind in ("tiff", "mrc") else "emission")
    assert f"NXtomo is for counts of a detector, and these are {back.quantity}" in result.stderr
    if source.is_dir():
        inside = source / "out.h5"
        inside.write_bytes(b"somebody's")
        again = call("convert", source, inside, "--overwrite", *flags)
        assert again.exit_code == 1
        assert inside.read_bytes() == b"somebody's"


@pytest.mark.parametrize("layout", [row.layout for row in VOLUME_FORMATS])
def test_converting_a_volume_keeps_little_of_it_in_memory_and_tells_how_far_it_is(call, tmp_path, monkeypatch, layout):
    """There and back; of OME-Zarr one layer of blocks is held, and two of a part while coarser ones are made."""
    monkeypatch.setattr(volume_zarr, "_BLOCK", 16)  # slices, of 64
    data = np.random.default_rng(0).integers(0, 9, (64, 200, 220)).astype(np.float32)
    (source,) = write_volume(Volume(data), tmp_path / "v.h5")
    suffix = next(row.suffixes[0] for row in VOLUME_FORMATS if row.layout == layout)
    steps = [(source, tmp_path / f"a{suffix}", "--layout", layout), (tmp_path / f"a{suffix}", tmp_path / "back.h5")]
    (small,) = write_volume(Volume(data[:2, :4, :4]), tmp_path / "small.h5")
    call("convert", small, tmp_path / f"small_a{suffix}", "--layout", layout)  # what is imported is none of it
    tracemalloc.start()
    try:
        for step in steps:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            result = call("convert", *step, "--overwrite")
            assert result.exit_code == 0, result.output
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < data.nbytes * (0.6 if layout == "zarr" else 0.1)
            assert "64/64  writing" in result.stderr
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(read_volume(tmp_path / "back.h5").data, data)


@pytest.mark.parametrize("layout", [row.layout for row in VOLUME_FORMATS])
def test_converting_a_volume_that_is_stopped_leaves_the_old_one(call, tmp_path, monkeypatch, layout):
    data = np.random.default_rng(0).normal(size=(9, 6, 5)).astype(np.float32)
    (source,) = write_volume(Volume(data), tmp_path / "v.h5")
    suffix = next(row.suffixes[0] for row in VOLUME_FORMATS if row.layout == layout)
    (old,) = write_volume(Volume(data + 1), tmp_path / f"old{suffix}", layout=layout)

    def stop(self, progress):
        if progress.step == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("napari_pfitre.cli.bar.Bar.__call__", stop)
    for output in (old, tmp_path / f"new{suffix}"):
        assert call("convert", source, output, "--layout", layout, "--overwrite").exit_code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([old.name, "v.h5"])
    np.testing.assert_array_equal(read_volume(old).data, data + 1)


@pytest.mark.parametrize(
    ("name", "flags"), [("v.zarr", ()), ("v.rec", ()), ("slices", ("--layout", "slices")), ("v.nx", ())]
)
def test_a_volume_goes_to_every_format_and_back(call, tmp_path, name, flags):
    data = np.random.default_rng(1).normal(size=(4, 6, 5)).astype(np.float32)
    (source,) = write_volume(Volume(data, (2e-8, 1e-8, 1e-8), name="chip"), tmp_path / "v.h5")
    result = call("convert", source, tmp_path / name, *flags)
    assert result.exit_code == 0, result.output
    assert call("convert", source, tmp_path / name, *flags).exit_code == 1
    assert call("convert", source, tmp_path / name, "--overwrite", *flags).exit_code == 0
    assert call("convert", tmp_path / name, tmp_path / "back.h5").exit_code == 0
    back = read_volume(tmp_path / "back.h5")
    np.testing.assert_array_equal(back.data, data)
    np.testing.assert_allclose(back.voxel_size, (2e-8, 1e-8, 1e-8), rtol=1e-4)


def test_a_pattern_is_told_where_it_belongs(call, tmp_path):
    pattern_files.write_34idc(tmp_path, pattern_files.counts())
    result = call("convert", tmp_path / "AD34idc" / "Sample_S0054", tmp_path / "out.h5")
    assert result.exit_code == 1
    assert "diffraction pattern" in result.stderr
    assert not (tmp_path / "out.h5").exists()


def test_a_volume_goes_to_tiff_and_back(call, scan_file, tmp_path):
    a, b, c = (tmp_path / name for name in ("a.h5", "b.tif", "c.h5"))
    call("run", "fbp", scan_file, "-o", a)
    assert call("convert", a, b).exit_code == 0
    assert call("convert", b, c).exit_code == 0
    first, last = read_volume(a), read_volume(c)
    np.testing.assert_array_equal(first.data, last.data)
    np.testing.assert_allclose(first.voxel_size, last.voxel_size, rtol=1e-4)
    assert first.provenance.options == last.provenance.options


def test_convert_refuses(call, scan_file, tmp_path):
    assert call("convert", scan_file, tmp_path / "scan.tif").exit_code == 2  # a scan has angles; a TIFF has not
    assert call("convert", tmp_path / "none.h5", tmp_path / "out.h5").exit_code == 2
    assert call("convert", scan_file, scan_file, "--overwrite").exit_code == 1
    (tmp_path / "odd.h5").write_bytes(b"no such thing")
    result = call("convert", tmp_path / "odd.h5", tmp_path / "out.h5")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert not (tmp_path / "out.h5").exists()


def test_simulate_stopped_writes_nothing(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Interrupt, "__call__", lambda self: True)
    result = call("simulate", tmp_path / "s.h5", "--size", 24, "--slices", 2, "--angles", 20)
    assert result.exit_code == 130
    assert "Stopped; nothing was written." in result.stderr
    assert not (tmp_path / "s.h5").exists()


def test_simulate_writes_what_it_says(call, tmp_path):
    out = tmp_path / "s.h5"
    words = ("simulate", out, "--size", 24, "--slices", 2, "--angles", 20, "--missing", 50, "--phantom", "ellipsoids")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "20 projections of 2 × 24 pixels, 50° missing" in result.stdout
    scan = read_scan(out)
    assert scan.shape == (20, 2, 24)
    assert [wedge.width for wedge in scan.missing_wedges] == pytest.approx([50], abs=0.01)
    assert call(*words).exit_code == 1
    assert call(*words, "--overwrite").exit_code == 0


def test_simulate_with_what_cannot_be(call, tmp_path):
    assert call("simulate", tmp_path / "s.h5", "--size", 3).exit_code == 2
    assert call("simulate", tmp_path / "s.h5", "--size", 32, "--centre-offset", 30).exit_code == 2
    assert call("simulate", tmp_path / "s.tif").exit_code == 2
