"""Volumes that are left in their file: shown slice by slice, renewed, and saved without being loaded."""

from __future__ import annotations

import dask.array as da
import napari.layers
import npe2
import numpy as np
import pytest

from napari_pfitre.errors import ChangedError, FormatError
from napari_pfitre.io import read_volume, write_volume
from napari_pfitre.plugin import _io, _layers, _shown
from napari_pfitre.results import Provenance, Volume

PLUGIN = "napari-pfitre"
SHAPE = (9, 10, 12)


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr(_io, "_AT_ONCE", 4 * 500)
    monkeypatch.setattr(_shown, "_told", {})


@pytest.fixture(autouse=True)
def plugin(npe2pm):
    with npe2pm.tmp_plugin(package=PLUGIN):
        yield npe2pm


def made(shape=SHAPE, seed=0, **fields) -> Volume:
    data = np.random.default_rng(seed).random(shape).astype(np.float32)
    return Volume(data, (1.3e-6, 6.7e-7, 6.7e-7), Provenance("fbp", {"filter": "hann"}), "tooth", **fields)


def opened(path) -> list:
    return [
        napari.layers.Image(*data[:1], **data[1]) for data in npe2.read([str(path)], stack=False, plugin_name=PLUGIN)
    ]


@pytest.mark.parametrize("name", ["v.h5", "v.nxs", "v.tif", "v.mrc", "v.vti", "v.zarr"])
def test_a_large_volume_is_read_slice_by_slice_and_is_otherwise_as_a_small_one(tmp_path, monkeypatch, name):
    volume = made()
    write_volume(volume, tmp_path / name)
    (large,) = opened(tmp_path / name)
    assert isinstance(large.data, da.Array)
    assert large.data.chunksize == (1, *SHAPE[1:])
    np.testing.assert_array_equal(np.asarray(large.data[4]), volume.data[4])
    np.testing.assert_array_equal(np.asarray(large.data), volume.data)
    monkeypatch.setattr(_io, "_AT_ONCE", 10**9)
    (small,) = opened(tmp_path / name)
    assert isinstance(small.data, np.ndarray)
    for attribute in ("name", "units", "axis_labels", "contrast_limits"):
        assert getattr(large, attribute) == getattr(small, attribute)
    np.testing.assert_allclose(large.scale, small.scale)
    assert _layers.provenance_of(large) == _layers.provenance_of(small)


def test_only_what_is_shown_is_read(tmp_path, monkeypatch):
    from napari_pfitre.io.stacks import Hdf5Frames

    read: list[int] = []
    before = Hdf5Frames.read
    monkeypatch.setattr(
        Hdf5Frames, "read", lambda self, z, y, x: read.append(z.stop - z.start) or before(self, z, y, x)
    )
    write_volume(made((40, 10, 12)), tmp_path / "v.h5")
    (layer,) = opened(tmp_path / "v.h5")
    assert sum(read) <= 3 + 2, "some slices for the contrast, and the one that is drawn"
    read.clear()
    npe2.write(str(tmp_path / "copy.h5"), [layer], plugin_name=PLUGIN)
    assert set(read) == {1}, "never more than a slice in memory"
    np.testing.assert_array_equal(read_volume(tmp_path / "copy.h5").data, made((40, 10, 12)).data)


def test_companions_and_what_is_left_of_the_data_are_read_so_too(tmp_path):
    residual = np.random.default_rng(3).normal(size=(7, 9, 12)).astype(np.float32)
    volume = made(layers={"spread": made(seed=1).data}, residual=residual)
    write_volume(volume, tmp_path / "v.h5")
    layers = opened(tmp_path / "v.h5")
    assert [layer.name for layer in layers] == ["tooth", "tooth · spread", "tooth · residual"]
    assert all(isinstance(layer.data, da.Array) for layer in layers)
    np.testing.assert_array_equal(np.asarray(layers[1].data), made(seed=1).data)
    np.testing.assert_array_equal(np.asarray(layers[2].data)[:, 0], residual)


def test_a_crystal_is_read_whole_because_its_surface_needs_it(tmp_path):
    z, y, x = np.indices((10, 12, 14)) - np.array([5, 6, 7])[:, None, None, None]
    ball = (z**2 + y**2 + x**2 < 16).astype(np.float32)
    write_volume(Volume(ball, name="crystal", layers={"phase": ball / 2, "support": ball}), tmp_path / "c.cxi")
    layers = npe2.read([str(tmp_path / "c.cxi")], stack=False, plugin_name=PLUGIN)
    assert isinstance(layers[0][0], np.ndarray)
    assert layers[-1][2] == "surface"


@pytest.mark.parametrize("name", ["copy.h5", "copy.tif", "copy.vti", "copy.mrc", "copy.zarr"])
def test_it_is_saved_in_any_format(tmp_path, name):
    write_volume(made(), tmp_path / "v.h5")
    (layer,) = opened(tmp_path / "v.h5")
    layer.scale = (2600, 1340, 1340)
    data, about, _ = layer.as_layer_data_tuple()
    write = {"tif": _io.write_tiff, "vti": _io.write_vti, "mrc": _io.write_mrc, "zarr": _io.write_zarr}
    write.get(name.split(".")[1], _io.write_hdf5)(str(tmp_path / name), data, about)
    back = read_volume(tmp_path / name)
    np.testing.assert_array_equal(back.data, made().data)
    assert back.voxel_size == pytest.approx((2.6e-6, 1.34e-6, 1.34e-6), rel=1e-5)


def test_the_file_that_it_is_read_from_is_not_replaced_under_it(tmp_path):
    write_volume(made(), tmp_path / "v.h5")
    (layer,) = opened(tmp_path / "v.h5")
    with pytest.raises(FormatError, match="reads its slices from it while it is saved; choose another name"):
        npe2.write(str(tmp_path / "v.h5"), [layer], plugin_name=PLUGIN)
    np.testing.assert_array_equal(np.asarray(layer.data), made().data)


def test_what_cannot_be_read_is_no_blank_file(tmp_path):
    """On the canvas a slice that is gone is blank; nothing of that kind is saved."""
    write_volume(made(), tmp_path / "v.h5")
    (layer,) = opened(tmp_path / "v.h5")
    (tmp_path / "v.h5").unlink()
    with pytest.raises(ChangedError, match="gone"):
        npe2.write(str(tmp_path / "copy.h5"), [layer], plugin_name=PLUGIN)
    assert not list(tmp_path.iterdir())


def test_the_load_widget_says_so_and_looks_again(load, tmp_path, done):
    viewer, widget = load
    path = tmp_path / "v.h5"
    write_volume(made((4, 10, 12)), path)
    widget.file.value = path
    done(widget)
    assert "is read into memory" in widget.holds.value
    widget.open.native.click()
    done(widget)
    layer = viewer.layers[0]
    assert isinstance(layer.data, np.ndarray)
    for seed, shape in ((1, SHAPE), (2, (12, *SHAPE[1:]))):
        write_volume(made(shape, seed), path, overwrite=True)
        widget.again.native.click()
        done(widget)
        assert isinstance(layer.data, da.Array)
        np.testing.assert_array_equal(np.asarray(layer.data), made(shape, seed).data)
        assert f"read again, {shape[0]} × 10 × 12 voxels now" in widget.status.value
        assert "slice by slice" in widget.holds.value
    viewer.dims.ndisplay = 3
    np.testing.assert_array_equal(np.asarray(layer.data[-1]), made((12, *SHAPE[1:]), 2).data[-1])
