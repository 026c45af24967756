"""Scans and volumes ⇄ layers: units, scales, contrast, lazy data, and the way back."""

from __future__ import annotations

import copy
import dataclasses

import dask.array as da
import numpy as np
import pytest

from napari_pfitre.errors import FormatError
from napari_pfitre.plugin import _layers
from napari_pfitre.results import Provenance, Volume

UNEVEN = [*range(-72, 0, 2), *range(94, 110, 2)]


@pytest.fixture
def viewer_model():
    from napari.components import ViewerModel

    return ViewerModel()


def add(viewer, made):
    data, about, kind = made
    assert kind == "image"
    return viewer.add_image(data, **about)


def volume(shape=(6, 16, 16), size=(5e-7, 5e-7, 5e-7), **fields):
    data = np.random.default_rng(0).random(shape).astype(np.float32)
    return Volume(data, size, Provenance("fbp", {"filter": "hann"}, angles_deg=(0.0, 1.5)), name="tooth", **fields)


def test_projections_are_angles_in_degrees_and_lengths_in_nanometres(viewer_model, make_scan):
    layer = add(viewer_model, _layers.scan_layer(make_scan()))
    assert layer.data.shape == (13, 1, 6, 16)
    assert layer.axis_labels == ("angle", "z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["degree", "nanometer", "nanometer", "nanometer"]
    np.testing.assert_allclose(layer.scale, [10, 3000, 500, 500])
    np.testing.assert_allclose(layer.translate, [-60, 1250, 0, 0])
    assert not layer.rgb
    assert layer.name == "tooth"


def test_the_scan_comes_back_from_its_layer_as_it_was(viewer_model, make_scan):
    scan = make_scan()
    layer = add(viewer_model, _layers.scan_layer(scan))
    assert _layers.scan_of(layer) is scan
    np.testing.assert_array_equal(np.asarray(layer.data)[:, 0], scan.projections[:])


def test_a_duplicated_layer_shares_the_scan(viewer_model, make_scan):
    from napari.layers import Layer

    scan = make_scan()
    layer = add(viewer_model, _layers.scan_layer(scan))
    twin = Layer.create(*copy.deepcopy(layer.as_layer_data_tuple()))
    assert _layers.scan_of(twin) is scan


def test_other_layers_and_changed_data_are_no_scans(viewer_model, make_scan):
    layer = add(viewer_model, _layers.scan_layer(make_scan()))
    layer.data = np.zeros((13, 1, 3, 8))
    assert _layers.scan_of(layer) is None
    assert _layers.scan_of(viewer_model.add_image(np.zeros((13, 1, 6, 16)))) is None
    assert _layers.scan_of(viewer_model.add_points(np.zeros((2, 2)))) is None


@pytest.mark.parametrize("pixel_size", [(5e-7, 5e-7), (2e-8, 3e-8), None])
@pytest.mark.parametrize("angles", [np.linspace(-60, 60, 13), np.linspace(60, -60, 13), UNEVEN, [5.0]])
def test_projections_volume_and_sweep_agree_about_units(viewer_model, make_scan, angles, pixel_size):
    """napari drops all units of a viewer in which two layers disagree about one axis."""
    scan = make_scan(angles=angles, pixel_size=pixel_size)
    add(viewer_model, _layers.scan_layer(scan))
    size = None if pixel_size is None else (pixel_size[0], pixel_size[1], pixel_size[1])
    for made in _layers.volume_layers(volume(size=size)):
        add(viewer_model, made)
    add(viewer_model, _layers.sweep_layer(np.ones((3, 16, 16)), [7.0, 7.5, 8.0], scan, "sweep"))
    assert viewer_model.layers.extent.units is not None


def test_a_projection_is_seen_at_every_height_of_the_volume(viewer_model, make_scan):
    scan = make_scan()
    layer = add(viewer_model, _layers.scan_layer(scan))
    for made in _layers.volume_layers(volume()):
        add(viewer_model, made)
    for z in range(6):
        viewer_model.dims.set_point(1, z * 500.0)
        row = layer.world_to_data(viewer_model.dims.point)[1]
        assert -0.5 <= row <= 0.5
    sweep = add(viewer_model, _layers.sweep_layer(np.ones((3, 16, 16)), [7.0, 7.5, 8.0], scan, "sweep"))
    for z in range(6):
        viewer_model.dims.set_point(2, z * 500.0)
        assert np.all(np.abs(sweep.world_to_data(viewer_model.dims.point)[1:3]) <= 0.5)


def test_companions_and_residual_start_hidden_and_lie_where_they_belong(viewer_model, make_scan):
    scan = make_scan(angles=np.linspace(60, -60, 13))
    signed = np.random.default_rng(0).normal(size=(6, 16, 16)).astype(np.float32)
    left = np.random.default_rng(1).normal(size=scan.shape).astype(np.float32)
    plain = volume()
    history = dataclasses.replace(plain.provenance, angles_deg=tuple(np.rad2deg(scan.angles)), pixel_size=(5e-7, 5e-7))
    made = dataclasses.replace(plain, provenance=history, layers={"difference": signed}, residual=left)
    whole, companion, residual = (add(viewer_model, layer) for layer in _layers.volume_layers(made))
    projections = add(viewer_model, _layers.scan_layer(scan))
    assert [whole.visible, companion.visible, residual.visible] == [True, False, False]
    low, high = companion.contrast_limits
    assert (low, companion.colormap.name) == (-high, "PiYG")
    np.testing.assert_array_equal(residual.data[0, 0], left[-1])  # sliders run upwards
    np.testing.assert_allclose(residual.scale, projections.scale)
    np.testing.assert_allclose(residual.translate, projections.translate)


def test_captions_tell_the_angle_that_the_slider_stands_at(viewer_model, make_scan):
    from napari_pfitre.plugin._caption import show_captions

    show_captions(viewer_model)
    show_captions(viewer_model)
    scan = make_scan(angles=UNEVEN)
    layer = add(viewer_model, _layers.scan_layer(scan))
    assert layer.axis_labels[0] == "projection"
    viewer_model.dims.set_current_step(0, 36)
    assert viewer_model.canvas.overlays.text.text == "projection 37 of 44 · 94.00°"
    assert viewer_model.canvas.overlays.text.visible
    down = add(viewer_model, _layers.scan_layer(make_scan(angles=[40, 30, 20])))
    viewer_model.dims.set_point(0, 30)
    assert viewer_model.canvas.overlays.text.text == "projection 2 of 3 · 30.00°"
    np.testing.assert_array_equal(np.asarray(down.data[0, 0]), _layers.scan_of(down).projections[2])
    for made in _layers.volume_layers(volume()):
        add(viewer_model, made)
    assert not viewer_model.canvas.overlays.text.visible


def test_captions_find_the_text_of_older_viewers():
    from types import SimpleNamespace

    from napari_pfitre.plugin._caption import _text_overlay

    text = object()
    assert _text_overlay(SimpleNamespace(text_overlay=text)) is text
    assert _text_overlay(SimpleNamespace(canvas=SimpleNamespace(overlays=SimpleNamespace(text=text)))) is text


def test_captions_leave_the_text_of_others_alone(viewer_model, make_scan):
    from napari_pfitre.plugin._caption import show_captions

    viewer_model.canvas.overlays.text.text, viewer_model.canvas.overlays.text.visible = "mine", True
    show_captions(viewer_model)
    for made in _layers.volume_layers(volume()):
        add(viewer_model, made)
    assert viewer_model.canvas.overlays.text.text == "mine"
    assert viewer_model.canvas.overlays.text.visible


def test_a_volume_goes_to_a_layer_and_comes_back(viewer_model):
    original = volume(size=(1.30e-6, 6.7e-7, 6.7e-7), unit="1/m")
    (made,) = _layers.volume_layers(original)
    layer = add(viewer_model, made)
    np.testing.assert_allclose(layer.scale, [1300, 670, 670])
    data, meta, _ = layer.as_layer_data_tuple()
    back = _layers.volume_of(data, meta)
    np.testing.assert_array_equal(back.data, original.data)
    assert back.voxel_size == original.voxel_size
    assert back.provenance == original.provenance
    assert (back.name, back.unit) == ("tooth", "1/m")


def test_a_scale_set_by_the_user_is_what_gets_saved(viewer_model):
    (made,) = _layers.volume_layers(volume())
    layer = add(viewer_model, made)
    layer.units, layer.scale = ("um", "um", "um"), (2.0, 3.0, 3.0)
    data, meta, _ = layer.as_layer_data_tuple()
    assert _layers.volume_of(data, meta).voxel_size == pytest.approx((2e-6, 3e-6, 3e-6))


def test_layers_of_others_can_be_saved_when_they_are_volumes(viewer_model):
    layer = viewer_model.add_image(np.ones((4, 5), np.uint8), name="flat")
    back = _layers.volume_of(*layer.as_layer_data_tuple()[:2])
    assert (back.data.shape, back.voxel_size, back.provenance) == ((1, 4, 5), None, None)
    layer = viewer_model.add_image(np.ones((2, 3, 4, 5)), name="four")
    with pytest.raises(FormatError, match=r"'four' has shape \(2, 3, 4, 5\)"):
        _layers.volume_of(*layer.as_layer_data_tuple()[:2])


def test_complex_volumes_become_amplitude_and_phase(viewer_model):
    """A complex layer raises a bare NotImplementedError in napari."""
    data = np.exp(1j * np.linspace(-3, 3, 6 * 16 * 16).reshape(6, 16, 16)).astype(np.complex64)
    made = _layers.volume_layers(Volume(data, name="crystal"))
    layers = [add(viewer_model, one) for one in made]
    assert [layer.name for layer in layers] == ["crystal · amplitude", "crystal · phase"]
    assert tuple(layers[1].contrast_limits) == pytest.approx((-np.pi, np.pi))
    assert layers[1].colormap.name == "twilight"


def test_companions_of_a_volume_are_layers_too():
    made = _layers.volume_layers(volume(layers={"uncertainty": np.ones((6, 16, 16), np.float32)}))
    assert [about["name"] for _, about, _ in made] == ["tooth", "tooth · uncertainty"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.zeros((3, 4, 5)), (0, 1)),
        (np.full((3, 4, 5), np.nan), (0, 1)),
        (np.full((3, 4, 5), 7.0), (7, 8)),
        (np.where(np.arange(60).reshape(3, 4, 5) == 30, np.inf, 2.0), (2, 3)),
        (np.linspace(0, 1, 3000).reshape(3, 10, 100), (0.005, 0.995)),
        (np.linspace(0, 60000, 3000).reshape(3, 10, 100).astype(np.uint16), (300, 59700)),
    ],
)
def test_contrast_limits_are_robust_and_never_empty(data, expected):
    low, high = _layers.contrast_limits(data)
    assert (low, high) == pytest.approx(expected, rel=0.02)


def test_one_hot_pixel_and_a_few_nans_do_not_spoil_the_contrast():
    data = np.random.default_rng(0).uniform(1, 2, (5, 100, 100))
    data[2, 50, 50], data[2, 0, :10] = 1e9, np.nan
    low, high = _layers.contrast_limits(data)
    assert 1 <= low < high <= 2


def test_three_or_four_columns_are_not_taken_for_colours(viewer_model, make_scan):
    layer = add(viewer_model, _layers.scan_layer(make_scan(rows=40, columns=4)))
    assert layer.data.shape == (13, 1, 40, 4)
    for made in _layers.volume_layers(volume((40, 40, 3))):
        assert add(viewer_model, made).data.shape == (40, 40, 3)


def test_lazy_projections_read_single_frames_and_little_for_contrast(make_scan):
    scan = make_scan(angles=np.linspace(-60, 60, 61), rows=8)
    read = []
    frames = scan.projections
    original = type(frames).read

    class Counting(type(frames)):
        def read(self, frames, rows, columns):
            read.append(frames.stop - frames.start)
            return original(self, frames, rows, columns)

    data, _, _ = _layers.scan_layer(scan.replace(projections=Counting(frames.array)))
    assert isinstance(data, da.Array)
    assert sum(read) <= 3
    read.clear()
    data[7].compute()
    assert read == [1]


def test_fifty_gigabytes_become_a_layer_at_once(make_scan):
    import time

    import psutil

    small = make_scan().projections

    class Huge(type(small)):
        def __init__(self):
            self.shape, self.dtype = (12_000, 2048, 1024), np.dtype(np.uint16)

        def read(self, frames, rows, columns):
            shape = [s.stop - s.start for s in (frames, rows, columns)]
            return np.broadcast_to(np.arange(shape[2], dtype=np.uint16), shape)

    scan = make_scan(angles=np.linspace(0, 180, 12_000, endpoint=False)).replace(projections=Huge())
    before, begun = psutil.Process().memory_info().rss, time.perf_counter()
    data, about, _ = _layers.scan_layer(scan)
    assert time.perf_counter() - begun < 1
    assert psutil.Process().memory_info().rss - before < 100e6
    assert data.shape == (12_000, 1, 2048, 1024)
    assert about["contrast_limits"] == pytest.approx((5, 1018), abs=5)


def test_the_name_of_lazy_data_holds_path_and_time_and_is_never_used_twice(make_scan, tmp_path):
    """napari caches blocks by that name: a file that was written anew would show its old frames."""
    path = tmp_path / "scan.h5"
    path.write_bytes(b"")
    names = [_layers.scan_layer(make_scan(path=path))[0].name for _ in range(2)]
    assert names[0] != names[1]
    parent = _layers.scan_layer(make_scan(path=path))[0]
    keys = [str(key) for key in parent.dask.layers]
    assert any(str(path) in key and str(path.stat().st_mtime_ns) in key for key in keys)


def test_changing_layer_data_from_a_thread_is_refused_by_the_proxy(make_napari_viewer_proxy, make_scan, add_scan):
    """The guard that our own tests run under: a plain viewer would crash instead."""
    import threading

    viewer = make_napari_viewer_proxy()
    add_scan(viewer, make_scan())
    layer, caught = viewer.layers[0], []

    def change():
        try:
            layer.name = "from a thread"
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    assert "main Qt thread" in caught[0]
