"""A file is opened, reconstructed, saved and opened again through napari; pictures of the window are not blank."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.plugin._layers import provenance_of, scan_of

PLUGIN = "napari-pfitre"


def reconstruct(viewer, done, method, **options):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")
    widget.method.value = method
    widget.device.value = "cpu"
    for name, value in options.items():
        widget.form.row(name).value = value
    widget.run.native.click()
    done(widget, 200_000)
    return widget


def test_from_file_to_volume_and_back(make_napari_viewer_proxy, tmp_path, done):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample(PLUGIN, "chip")
    truth, scan = viewer.layers
    scan.save(str(tmp_path / "chip.h5"), plugin=PLUGIN)
    viewer.layers.clear()
    viewer.open(tmp_path / "chip.h5", plugin=PLUGIN)
    widget = reconstruct(viewer, done, "fista-tv", iterations=30, weight=0.5)
    result = viewer.layers[-1]
    assert result.name == "chip · FISTA-TV"
    assert provenance_of(result).source["path"] == str(tmp_path / "chip.h5")
    error = np.linalg.norm(result.data - truth.data) / np.linalg.norm(truth.data)
    assert error < 0.6
    assert viewer.layers.extent.units is not None

    result.save(str(tmp_path / "volume.h5"), plugin=PLUGIN)
    viewer.layers.remove(result)
    viewer.open(tmp_path / "volume.h5", plugin=PLUGIN)
    back = viewer.layers[-1]
    np.testing.assert_array_equal(back.data, result.data)
    np.testing.assert_allclose(back.scale, result.scale)
    widget.form.options = widget.form.options_type()
    widget.method.value = "fbp"
    viewer.layers.selection.active = back
    widget.rerun.native.click()
    assert widget.method.value == "fista-tv"
    assert (widget.form.options.iterations, widget.form.options.weight) == (30, 0.5)
    assert scan_of(widget.scan.value).source.path == tmp_path / "chip.h5"


def test_counts_need_no_preparation_by_hand(make_napari_viewer_proxy, done):
    viewer = make_napari_viewer_proxy()
    viewer.open_sample(PLUGIN, "counts")
    truth = viewer.layers[0]
    widget = reconstruct(viewer, done, "fbp")
    result = viewer.layers[-1]
    assert "rotation axis was searched" in widget.status.value
    inside = np.corrcoef(np.ravel(result.data[:, 30:-30, 30:-30]), np.ravel(truth.data[:, 30:-30, 30:-30]))
    assert inside[0, 1] > 0.7


@pytest.mark.parametrize("name", ["tooth.h5", "24737_nxtomo_lib.nx"])
def test_real_counts_become_a_volume(make_napari_viewer_proxy, real_file, done, name):
    viewer = make_napari_viewer_proxy()
    viewer.open(real_file(f"tomo/{name}"), plugin=PLUGIN)
    reconstruct(viewer, done, "fbp")
    scan, result = viewer.layers
    _, rows, columns = scan_of(scan).shape
    assert result.data.shape == (rows, columns, columns)
    low, high = result.contrast_limits
    centre = np.median(result.data[rows // 2, columns // 3 : -columns // 3, columns // 3 : -columns // 3])
    assert low < centre < high


def test_the_window_shows_projections_and_then_their_volume(make_napari_viewer, done):
    """Real OpenGL; layers are hidden, never removed one by one: software rendering crashes over that."""
    viewer = make_napari_viewer(show=True)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")
    viewer.open_sample(PLUGIN, "chip")
    before = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    reconstruct(viewer, done, "fbp")
    after = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    for picture in (before, after):
        assert picture.std() > 5
    rows, columns = (
        min(a, b) for a, b in zip(before.shape[:2], after.shape[:2], strict=True)
    )  # sliders may come or go
    assert np.abs(before[:rows, :columns] - after[:rows, :columns]).mean() > 5


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", ["Load", "Prepare", "Reconstruct"])
def test_widgets_fit_a_narrow_dock(make_napari_viewer, name, theme):
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    viewer.open_sample(PLUGIN, "counts")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    assert widget.minimumSizeHint().width() <= 350
    assert widget.minimumSizeHint().height() <= 700
    widget.resize(350, 700)
    picture = widget.grab().toImage()
    assert picture.width() == widget.width()
    colours = {picture.pixelColor(x, y).rgb() for x in range(0, picture.width(), 5) for y in range(0, 300, 5)}
    assert len(colours) > 10
