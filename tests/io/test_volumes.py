"""Volumes written and read back: bit for bit, openable by others, never over something that is needed."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from beamline_files import write_exchange

from napari_pfitre.errors import FormatError
from napari_pfitre.io import inspect_file, read_volume, write_volume
from napari_pfitre.results import Provenance, Volume

DATA = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
DATA[1, 2, 3] = np.nan
DATA[0, 0, 0] = np.inf
PROVENANCE = Provenance(
    "fista-tv",
    {"weight": 0.1, "iterations": 100, "filter": None, "note": "größer / kleiner"},
    {"path": "scan.h5", "dataset": "/exchange/data", "size": 12345},
    (91, 135, 160),
    tuple(np.linspace(-88.2, 91.8, 91).tolist()),
    79.25,
    (6.5e-7, 6.5e-7),
    19.0,
    ("flat_field()", {"name": "crop", "parameters": {"rows": "1:3"}}),
    ("one angle too many",),
    {"torch": "2.13.0"},
    "cpu",
    3,
    "2024-05-01T12:00:00+02:00",
    12.5,
    True,
    {"objective": float("nan"), "residual": 0.1},
)
VOXEL = (0.7e-6, 1 / 3e6, 6.5e-7)


def volume(**changes) -> Volume:
    fields = {"data": DATA, "voxel_size": VOXEL, "provenance": PROVENANCE, "name": "Größe µ", "unit": "1/cm"}
    return Volume(**(fields | changes))


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".nxs", ".tif", ".tiff"])
def test_a_volume_comes_back_as_it_was(tmp_path, suffix):
    (path,) = write_volume(volume(), tmp_path / f"result{suffix}")
    back = read_volume(path)
    assert back.data.dtype == np.float32
    assert back.data.tobytes() == DATA.tobytes()
    assert back.voxel_size == VOXEL
    assert (back.name, back.unit, back.partial) == ("Größe µ", "1/cm", True)
    assert back.provenance.to_json() == PROVENANCE.to_json()
    assert inspect_file(path).usable
    assert "5 × 6 × 7 (z, y, x)" in "\n".join(inspect_file(path).lines())
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".h5", ".tif"])
@pytest.mark.parametrize("shape", [(1, 6, 7), (5, 1, 7), (2, 3, 1)])
def test_thin_volumes_keep_their_axes(tmp_path, suffix, shape):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    (path,) = write_volume(volume(data=data), tmp_path / f"thin{suffix}")
    back = read_volume(path)
    assert back.data.shape == shape
    np.testing.assert_array_equal(back.data, data)


@pytest.mark.parametrize("suffix", [".h5", ".tif"])
def test_a_volume_that_knows_nothing(tmp_path, suffix):
    (path,) = write_volume(Volume(DATA), tmp_path / f"bare{suffix}")
    back = read_volume(path)
    assert (back.voxel_size, back.provenance, back.unit, back.name) == (None, None, "1/pixel", "volume")


def test_companions_travel_with_the_volume(tmp_path):
    full = volume(layers={"fbp": DATA + 1, "a/b c": DATA * 2})
    (path,) = write_volume(full, tmp_path / "result.h5")
    back = read_volume(path)
    assert set(back.layers) == {"fbp", "a/b c"}
    assert back.layers["a/b c"].tobytes() == (DATA * 2).tobytes()
    paths = write_volume(full, tmp_path / "result.tif")
    assert [p.name for p in paths] == ["result.tif", "result_fbp.tif", "result_a_b_c.tif"]
    assert read_volume(paths[1]).data.tobytes() == (DATA + 1).tobytes()


def test_the_residual_comes_back_in_the_shape_of_the_data(tmp_path):
    left = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_volume(volume(residual=left), tmp_path / "result.h5")
    np.testing.assert_array_equal(read_volume(tmp_path / "result.h5").residual, left)


def test_other_tools_find_the_picture_and_the_history(tmp_path):
    (path,) = write_volume(volume(), tmp_path / "result.h5")
    with h5py.File(path) as file:
        entry = file[file.attrs["default"]]
        assert entry.attrs["NX_class"] == "NXentry"
        results = entry[entry.attrs["default"]]
        assert results.attrs["NX_class"] == "NXdata"
        data = results[results.attrs["signal"]]
        assert data.shape == DATA.shape
        assert data.attrs["interpretation"] == "image"
        assert data.attrs["units"] == "1/cm"
        assert data.chunks == (1, 6, 7)
        assert list(results.attrs["axes"]) == ["z", "y", "x"]
        np.testing.assert_allclose(results["x"], np.arange(7) * VOXEL[2])
        assert results["x"].attrs["units"] == "m"
        process = entry["reconstruction"]
        assert process["program"].asstr()[()] == "napari-pfitre"
        assert process["sequence_index"][()] == 1
        assert process["date"].asstr()[()] == PROVENANCE.started
        tree = process["configuration/tree"]
        assert tree["options/iterations"][()] == 100
        np.testing.assert_array_equal(tree["angles_deg"], PROVENANCE.angles_deg)
        assert json.loads(process["configuration/provenance"].asstr()[()])["seed"] == 3


def test_fiji_finds_the_voxel_size(tmp_path):
    (path,) = write_volume(volume(), tmp_path / "result.tif")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.imagej_metadata["spacing"] == pytest.approx(0.7)
        numerator, denominator = tif.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(0.65, rel=1e-5)
        assert tif.series[0].axes == "ZYX"


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "result.h5"
    write_volume(volume(), path)
    with pytest.raises(FormatError, match="exists already"):
        write_volume(volume(data=DATA + 1), path)
    write_volume(volume(data=DATA + 1), path, overwrite=True)
    assert read_volume(path).data[2, 2, 2] == DATA[2, 2, 2] + 1


@pytest.mark.parametrize("given", ["scan.h5", "./scan.h5", "link.h5"])
def test_the_source_is_never_overwritten(tmp_path, monkeypatch, given):
    source = write_exchange(tmp_path / "scan.h5")
    (tmp_path / "link.h5").symlink_to(source)
    before = source.read_bytes()
    monkeypatch.chdir(tmp_path)
    made = volume(provenance=Provenance("fbp", source={"path": str(source)}))
    with pytest.raises(FormatError, match="sources are never overwritten"):
        write_volume(made, Path(given), overwrite=True)
    assert source.read_bytes() == before


def test_a_file_in_use_is_not_replaced(tmp_path):
    path = tmp_path / "result.h5"
    write_volume(volume(), path)
    with h5py.File(path, "r"), pytest.raises(FormatError, match="in use"):
        write_volume(volume(), path, overwrite=True)


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "result.h5"
    write_volume(volume(), path)
    before = path.read_bytes()

    class Failing(np.ndarray):
        def __getitem__(self, key):
            raise MemoryError("no")

    with pytest.raises(MemoryError):
        write_volume(volume(data=DATA.view(Failing)), path, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("result.png", "ends in .png; use one of .h5"),
        ("result", "ends in nothing"),
        ("no/such/result.h5", "does not exist"),
    ],
)
def test_impossible_targets(tmp_path, name, said):
    with pytest.raises(FormatError, match=said):
        write_volume(volume(), tmp_path / name)


def test_a_permission_that_lacks_is_a_sentence(tmp_path, monkeypatch):
    import tempfile

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(FormatError, match=r"cannot be written to \(Permission denied\)"):
        write_volume(volume(), tmp_path / "result.h5")


def reconstruction(folder: Path, layout: str) -> Path:
    path = folder / "rec.h5"
    with h5py.File(path, "w") as file:
        if layout == "exchange":
            file["exchange/data"] = DATA
            file["exchange/data"].attrs["axes"] = "z:y:x"
        elif layout == "nabu":
            file["entry0000/reconstruction/results/data"] = DATA
        elif layout == "NXtomoproc":
            file["entry/definition"] = "NXtomoproc"
            file["entry/data/data"] = DATA
            for axis, n in zip("zyx", DATA.shape, strict=True):
                file[f"entry/data/{axis}"] = np.arange(n) * 0.5
                file[f"entry/data/{axis}"].attrs["units"] = "um"
        else:
            file["entry1/tomo_entry/data/data"] = DATA.astype(">f8")
            file["entry1/tomo_entry/data/data"].attrs["data_type"] = "ImageData"
    return path


@pytest.mark.parametrize("layout", ["exchange", "nabu", "NXtomoproc", "CIL"])
def test_reconstructions_of_others_are_read(tmp_path, layout):
    path = reconstruction(tmp_path, layout)
    back = read_volume(path)
    assert back.data.tobytes() == DATA.tobytes()
    assert back.voxel_size == (pytest.approx((5e-7, 5e-7, 5e-7)) if layout == "NXtomoproc" else None)
    report = inspect_file(path)
    assert report.usable
    assert report.volume.shape == DATA.shape


def test_a_scan_is_no_volume(exchange):
    with pytest.raises(FormatError, match="no reconstructed volume"):
        read_volume(exchange())


def test_the_report_of_a_volume_tells_its_history(tmp_path):
    for name in ("result.h5", "result.tif"):
        (path,) = write_volume(volume(), tmp_path / name)
        text = "\n".join(inspect_file(path).lines())
        assert "voxel size   700 nm × 333.33 nm × 650 nm (z, y, x)" in text
        assert "fista-tv from scan.h5 on 2024-05-01T12:00:00+02:00, stopped early" in text


def test_a_volume_whose_parts_are_missing_is_refused(tmp_path):
    layout = h5py.VirtualLayout(DATA.shape, np.float32)
    layout[:] = h5py.VirtualSource("rec_parts/p0000.h5", "data", shape=DATA.shape)
    with h5py.File(tmp_path / "rec.h5", "w") as file:
        file.create_virtual_dataset("exchange/data", layout)
        file["exchange/data"].attrs["axes"] = "z:y:x"
    with pytest.raises(FormatError, match=r"rec_parts/p0000\.h5 is not there"):
        read_volume(tmp_path / "rec.h5")
    assert not inspect_file(tmp_path / "rec.h5").usable


def test_big_stacks_are_bigtiff_and_keep_everything(tmp_path, monkeypatch):
    from napari_pfitre.io import volume_tiff

    monkeypatch.setattr(volume_tiff, "_IMAGEJ_LIMIT", 0)
    (path,) = write_volume(volume(), tmp_path / "result.tif")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
    back = read_volume(path)
    assert back.data.tobytes() == DATA.tobytes()
    assert (back.voxel_size, back.name) == (VOXEL, "Größe µ")
    assert back.provenance.to_json() == PROVENANCE.to_json()


def test_a_stack_of_imagej_has_its_voxel_size(tmp_path):
    tifffile.imwrite(
        tmp_path / "fiji.tif",
        DATA,
        imagej=True,
        resolution=(2, 2),
        metadata={"unit": "um", "spacing": 1.5, "axes": "ZYX"},
    )
    assert read_volume(tmp_path / "fiji.tif").voxel_size == pytest.approx((1.5e-6, 0.5e-6, 0.5e-6))
