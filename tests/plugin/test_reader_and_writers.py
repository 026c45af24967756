"""Opening and saving through npe2, as napari does it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import h5py
import napari.layers
import npe2
import numpy as np
import pytest

from napari_pfitre.errors import FormatError, PfitreError
from napari_pfitre.io import read_scan, read_volume, write_scan, write_volume
from napari_pfitre.plugin import _layers
from napari_pfitre.plugin._io import get_reader, write_hdf5
from napari_pfitre.results import Provenance, Volume

PLUGIN = "napari-pfitre"


@pytest.fixture
def plugin(npe2pm):
    with npe2pm.tmp_plugin(package=PLUGIN):
        yield npe2pm


def opened(path) -> list:
    return [
        napari.layers.Image(data, **about) for data, about, _ in npe2.read([str(path)], stack=False, plugin_name=PLUGIN)
    ]


@pytest.fixture
def scan_file(tmp_path, make_scan):
    path = tmp_path / "scan.h5"
    write_scan(make_scan(), path)
    return path


@pytest.fixture
def volume():
    data = np.random.default_rng(0).random((4, 9, 9)).astype(np.float32)
    return Volume(data, (1.3e-6, 6.7e-7, 6.7e-7), Provenance("fbp", {"filter": "hann", "cutoff": 0.5}), name="tooth")


def test_a_scan_opens_with_everything_a_layer_should_have(plugin, scan_file):
    (layer,) = opened(scan_file)
    scan = _layers.scan_of(layer)
    assert scan.shape == (13, 6, 16)
    assert [str(unit) for unit in layer.units] == ["degree", *["nanometer"] * 3]
    assert scan.history[-1].name == "read_scan"


@pytest.mark.parametrize("name", ["SCAN.H5", "scan_10.5keV.H5", "scan.v2.nxs", "s.NX", "s.hdf", "s.HDF5"])
def test_extensions_in_capitals_and_names_with_dots(plugin, scan_file, name):
    path = scan_file.with_name(name)
    shutil.copy(scan_file, path)
    assert opened(path)[0].data.shape == (13, 1, 6, 16)


def broken_files(folder: Path):
    (folder / "text.h5").write_text("not HDF5")
    (folder / "empty.nxs").write_bytes(b"")
    (folder / "plain.tif").write_bytes(b"II*\0")
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["somebody/elses"] = np.zeros((3, 4, 5))
    with h5py.File(folder / "nothing.hdf5", "w"):
        pass
    with h5py.File(folder / "cut.h5", "w") as file:
        file["exchange/data"] = np.zeros((3, 40, 50))
    with open(folder / "cut.h5", "r+b") as file:
        file.truncate(3000)


def test_what_is_not_ours_is_left_to_others_quickly(tmp_path):
    broken_files(tmp_path)
    paths = [*tmp_path.iterdir(), tmp_path, tmp_path / "missing.h5"]
    assert len(paths) == 8
    for path in paths:
        begun = time.perf_counter()
        assert get_reader(str(path)) is None, path
        assert get_reader(path) is None, "a Path is a path too"
        assert time.perf_counter() - begun < 1
    assert get_reader([str(path) for path in paths]) is None


def test_a_tiff_stack_is_ours_when_a_table_of_angles_lies_beside(tmp_path):
    import tifffile

    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.ones((3, 4, 5), np.float32))
    assert get_reader(str(path)) is None
    path.with_suffix(".csv").write_text("0\n10\n20\n")
    assert get_reader(str(path)) is not None


def test_opening_a_file_loads_no_torch(scan_file):
    import subprocess
    import sys

    code = (
        "import sys; from napari_pfitre.plugin._io import get_reader;"
        f"layers = get_reader({str(scan_file)!r})({str(scan_file)!r}); assert layers[0][0].shape == (13, 1, 6, 16);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_was_written_anew_shows_its_new_frames(make_napari_viewer_proxy, scan_file, make_scan):
    """napari caches blocks of lazy data by name."""
    viewer = make_napari_viewer_proxy()
    viewer.open(scan_file, plugin=PLUGIN)
    before = np.asarray(viewer.layers[0].data[3])
    scan_file.unlink()
    scan = make_scan()
    write_scan(scan.replace(projections=scan.projections[:] + 5), scan_file)
    viewer.open(scan_file, plugin=PLUGIN)
    np.testing.assert_allclose(np.asarray(viewer.layers[1].data[3]), before + 5, rtol=1e-5)


def test_no_file_stays_open(plugin, scan_file):
    import psutil

    layers = opened(scan_file)
    np.asarray(layers[0].data[2])
    assert str(scan_file) not in [file.path for file in psutil.Process().open_files()]


@pytest.mark.parametrize("extension", [".h5", ".nxs", ".tif"])
def test_a_volume_is_saved_and_opened_again_with_all_it_had(plugin, tmp_path, volume, extension):
    (made,) = _layers.volume_layers(volume)
    layer = napari.layers.Image(made[0], **made[1])
    target = tmp_path / f"volume{extension}"
    written = npe2.write(str(target), [layer], plugin_name=PLUGIN)
    assert [Path(path) for path in written] == [target]
    assert not [path for path in tmp_path.iterdir() if path != target], "nothing temporary is left"
    (back,) = opened(target)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.scale, layer.scale)
    assert back.units == layer.units
    assert back.axis_labels == layer.axis_labels
    assert _layers.provenance_of(back) == volume.provenance
    assert read_volume(target).voxel_size == pytest.approx(volume.voxel_size, rel=1e-12)


def test_a_scan_is_saved_as_a_scan(plugin, scan_file, tmp_path, make_scan):
    (layer,) = opened(scan_file)
    target = tmp_path / "copy.h5"
    npe2.write(str(target), [layer], plugin_name=PLUGIN)
    (back,) = opened(target)
    np.testing.assert_array_equal(np.asarray(back.data), np.asarray(layer.data))
    np.testing.assert_allclose(_layers.scan_of(back).angles, _layers.scan_of(layer).angles)
    with pytest.raises(FormatError, match="lose the angles"):
        npe2.write(str(tmp_path / "copy.tif"), [layer], plugin_name=PLUGIN)


def test_measured_data_are_never_replaced(plugin, scan_file, volume):
    (layer,) = opened(scan_file)
    with pytest.raises(FormatError, match="measured data"):
        npe2.write(str(scan_file), [layer], plugin_name=PLUGIN)
    history = Provenance("fbp", source={"path": str(scan_file)})
    (made,) = _layers.volume_layers(Volume(volume.data, provenance=history))
    with pytest.raises(FormatError, match="measured data"):
        npe2.write(str(scan_file), [napari.layers.Image(made[0], **made[1])], plugin_name=PLUGIN)


def test_a_saved_volume_may_be_replaced_after_the_dialog_has_asked(plugin, tmp_path, volume):
    target = tmp_path / "volume.h5"
    write_volume(volume, target)
    (made,) = _layers.volume_layers(volume)
    npe2.write(str(target), [napari.layers.Image(made[0] * 2, **made[1])], plugin_name=PLUGIN)
    np.testing.assert_array_equal(opened(target)[0].data, volume.data * 2)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("tomo/tooth.h5", (181, 1, 2, 640)),
        ("tomo/24737_nxtomo_lib.nx", (91, 1, 135, 160)),
        ("tomo/24737_dls_tomo_entry.nxs", (91, 1, 135, 160)),
        ("tomo/tooth_nxtomomill_link.nx", (181, 1, 2, 640)),
        ("tomo/k11_diad/k11-18014.nxs", (3001, 1, 22, 26)),
        ("tomo/Cu_example_23_LimitedAngle.tiff", (51, 1, 84, 150)),
    ],
)
def test_real_files_open_by_dropping_them(make_napari_viewer_proxy, real_file, name, shape):
    viewer = make_napari_viewer_proxy()
    viewer.open(real_file(name), plugin=PLUGIN)
    (layer,) = viewer.layers
    assert layer.data.shape == shape
    low, high = layer.contrast_limits
    seen = np.asarray(layer.data[shape[0] // 2])
    assert low < np.median(seen) < high


@pytest.mark.parametrize("name", ["not_hdf5_stxm.nxs", "test_chip00.xrm"])
def test_real_files_of_other_kinds_are_left_alone(real_file, name):
    assert get_reader(str(real_file(f"tomo/broken/{name}"))) is None


@pytest.mark.parametrize(("name", "words"), [("demo.h5", "exchange"), ("24888.nxs", "pco1-24888.hdf")])
def test_real_files_of_ours_that_are_broken_say_what_is_wrong(real_file, name, words):
    path = str(real_file(f"tomo/broken/{name}"))
    with pytest.raises(PfitreError, match=words):
        get_reader(path)(path)


def test_projections_are_saved_in_either_format_and_others_misreading_them_is_told(plugin, tmp_path, make_scan, notes):
    data, about, _ = _layers.scan_layer(make_scan())
    for name, format in (("saved.h5", "APS Data Exchange"), ("saved.nxs", "NeXus NXtomo")):
        for _ in range(2):  # napari has asked before it replaces a file
            assert write_hdf5(str(tmp_path / name), data, about) == [str(tmp_path / name)]
        back = read_scan(tmp_path / name)
        assert (back.source.format, back.quantity) == (format, "line integrals")
        np.testing.assert_array_equal(back.projections[:], np.asarray(data)[:, 0])
        assert "these are line integrals" in notes[-1][1]
