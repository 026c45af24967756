"""Diffraction patterns in napari: dropped, masked by hand, prepared, inverted, saved, opened again."""

from __future__ import annotations

import threading

import h5py
import numpy as np
import pytest

from napari_pfitre.errors import FormatError, OptionError, ScanError
from napari_pfitre.io import read_volume
from napari_pfitre.options import as_dict
from napari_pfitre.plugin import _io, _layers
from napari_pfitre.plugin._code import as_command, as_python
from napari_pfitre.plugin._patterns import painted, pattern_about
from napari_pfitre.plugin._ready import ready
from napari_pfitre.recipes import RECIPES, Recipe
from napari_pfitre.recipes.phase_retrieval import PhaseRetrievalOptions
from napari_pfitre.results import Preview, Progress, Provenance, Volume
from napari_pfitre.scans import BraggGeometry, CdiScan

SHAPE = (20, 24, 28)
GEOMETRY = BraggGeometry(np.diag([2e6, 5e6, 5e6]), np.array([2e10, 0, 1e10]))


def counts(shape=SHAPE):
    grids = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    rate = 3000 * np.exp(-sum(g**2 for g in grids) / 8.0)
    return np.random.default_rng(0).poisson(rate).astype(np.int32)


@pytest.fixture
def pattern_file(tmp_path):
    path = tmp_path / "scan.npz"
    np.savez(path, data=counts())
    return path


GO_ON = threading.Event()  #: cleared, a run waits: or it could be over before it is stopped
GO_ON.set()


def fake_phasing(scan: CdiScan, options, device: str):
    """Ten steps, each with a preview; then a crystal with everything that a real run gives."""
    data = np.zeros(scan.shape, np.float32)
    stop = False
    for step in range(1, 11):
        GO_ON.wait(60)
        data = data.copy()
        data[8:13, 9:16, 10:19] = step / 10
        stop = yield Progress(step, 10, "phasing", None, 1 / step, Preview(0, data))
        if stop:
            break
    inside = (data > 0).astype(np.float32)
    layers = {"phase": 0.3 * inside, "support": inside, "displacement": 1e-11 * inside, "strain": 1e-3 * inside}
    made = Provenance("phase-retrieval", as_dict(options), partial=bool(stop), figures={"chi2": 0.01})
    return Volume(data, (3e-8, 1e-8, 1e-8), made, "crystal", "amplitude", layers)


FAKE = Recipe("phase-retrieval", "Phase retrieval", "Stands in.", PhaseRetrievalOptions, fake_phasing,
              lambda scan, options: 1000, CdiScan)  # fmt: skip
RECIPES_HERE = {"fbp": RECIPES["fbp"], "phase-retrieval": FAKE}


def by_name(viewer, end):
    layer = next(layer for layer in viewer.layers if layer.name.endswith(end))
    return getattr(layer, "__wrapped__", layer)


def test_ptychography_is_shown_and_not_phased(make_napari_viewer_proxy, tmp_path):
    frames = counts()[6:14]
    with h5py.File(tmp_path / "scan_7.h5", "w") as file:
        file["diffamp"] = np.sqrt(np.fft.fftshift(frames, axes=(1, 2)))
        file["points"] = np.zeros((2, len(frames)))
        file["lambda_nm"], file["z_m"], file["ccd_pixel_um"] = 0.14, 0.5, 55.0
    viewer = make_napari_viewer_proxy()
    viewer.open(tmp_path / "scan_7.h5", plugin="napari-pfitre")
    image = viewer.layers[0]
    np.testing.assert_allclose(image.data, frames, rtol=1e-5)
    scan = _layers.scan_of(image)
    said = pattern_about(scan)
    assert "ptychography: to be looked at" in said
    assert "squared to intensities" in said
    with pytest.raises(ScanError, match="taken at different places"):
        ready(scan)


def test_a_dropped_pattern_shows_its_counts_and_a_mask_to_paint_in(make_napari_viewer_proxy, pattern_file):
    viewer = make_napari_viewer_proxy()
    viewer.open(pattern_file, plugin="napari-pfitre")
    image, mask = viewer.layers
    np.testing.assert_array_equal(image.data, counts())
    assert image.gamma == pytest.approx(0.2)
    assert type(mask).__name__ == "Labels"
    assert mask.data.shape == SHAPE
    scan = _layers.scan_of(image)
    assert isinstance(scan, CdiScan)
    mask.data[:, 3, 4] = 1
    marked = painted(image, viewer.layers, scan)
    assert marked.mask[:, 3, 4].all()
    assert marked.mask.sum() == SHAPE[0]
    assert marked.history[-1].name == "paint_mask"


def test_an_untouched_mask_changes_nothing(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    mask = np.zeros(SHAPE, bool)
    mask[:, :2] = True
    for scan in (CdiScan(counts()), CdiScan(counts(), mask), CdiScan(counts(), mask[0])):
        viewer.layers.clear()
        for data, about, kind in _layers.scan_layers(scan):
            getattr(viewer, f"add_{kind}")(data, **about)
        assert painted(viewer.layers[0], viewer.layers, scan) is scan


def test_prepare_shows_what_is_for_patterns_and_takes_the_painted_mask(make_napari_viewer_proxy, pattern_file, done):
    viewer = make_napari_viewer_proxy()
    viewer.open(pattern_file, plugin="napari-pfitre")
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Prepare")
    assert widget.pattern_form.native.isVisibleTo(widget)
    assert not widget.form.native.isVisibleTo(widget)
    viewer.layers[1].data[:, 3, 4] = 1
    widget.pattern_form.row("shape").value = "18,20,20"
    widget.go.native.click()
    done(widget)
    made = by_name(viewer, "prepared")
    scan = _layers.scan_of(made)
    assert scan.shape == (18, 20, 20)
    assert scan.mask[:, 1, 0].all()  # row 3 and column 4 of the file
    assert by_name(viewer, "peak").data.tolist() == [[9, 10, 10]]
    assert made.visible
    assert not viewer.layers[0].visible
    assert widget.scan.value.name.endswith("prepared")


@pytest.fixture
def invert(make_napari_viewer_proxy, pattern_file):
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    viewer = make_napari_viewer_proxy()
    viewer.open(pattern_file, plugin="napari-pfitre")
    widget = ReconstructWidget(viewer, RECIPES_HERE)
    viewer.window.add_dock_widget(widget)
    return viewer, widget


def test_only_methods_for_patterns_are_offered(invert, add_scan, scan):
    viewer, widget = invert
    assert widget.method.choices == ("phase-retrieval",)
    assert widget.run.text == "Invert"
    assert not widget.slice_row.native.isVisibleTo(widget)
    add_scan(viewer, scan)
    widget.reset_choices()
    assert widget.method.choices == ("fbp",)
    assert widget.run.text == "Reconstruct"


def test_inverted_saved_and_opened_again(invert, done, tmp_path):
    viewer, widget = invert
    widget.run.native.click()
    done(widget)
    names = [layer.name.split(" · ", 2)[-1] for layer in viewer.layers][2:]
    assert names == ["Phase retrieval", "phase (rad)", "displacement (nm)", "strain", "support",
                     "surface, colour of the phase"]  # fmt: skip
    amplitude, phase = by_name(viewer, "Phase retrieval"), by_name(viewer, "phase (rad)")
    assert phase.colormap.name == "twilight_shifted"
    assert np.isnan(phase.data[0, 0, 0])
    assert phase.data[10, 12, 14] == pytest.approx(0.3)
    assert tuple(amplitude.scale) == (30, 10, 10)
    assert "chi2 0.01" in widget.status.value
    assert by_name(viewer, "displacement (nm)").data[10, 12, 14] == pytest.approx(0.01)
    for suffix in ("cxi", "h5", "vti"):
        (path,) = amplitude.save(str(tmp_path / f"crystal.{suffix}"), plugin="napari-pfitre")
        assert set(read_volume(path).layers) == {"phase", "support", "displacement", "strain"}
        before = len(viewer.layers)
        viewer.open(path, plugin="napari-pfitre")
        assert len(viewer.layers) == before + 6


def test_stopped_early_it_keeps_what_there_is(invert, done, qtbot):
    viewer, widget = invert
    GO_ON.clear()
    widget.start()
    widget.stop_run()
    GO_ON.set()
    done(widget)
    assert any(layer.name.endswith("stopped early") for layer in viewer.layers)


def test_a_pattern_itself_is_not_saved_over_or_copied(invert, tmp_path):
    viewer, _ = invert
    layer = viewer.layers[0]
    for write in (_io.write_hdf5, _io.write_cxi, _io.write_tiff):
        with pytest.raises(FormatError, match="is in its own file already; save the crystal"):
            write(str(tmp_path / "x.h5"), layer.data, {"metadata": layer.metadata, "name": layer.name})


def test_copied_code_prepares_as_the_widget_does(pattern_file):
    from napari_pfitre.io import read_scan
    from napari_pfitre.preprocess import CdiPrepareOptions, prepare_pattern

    scan = _io.loaded(read_scan(pattern_file))
    recipe = RECIPES["phase-retrieval"]
    text = as_python(prepare_pattern(scan, CdiPrepareOptions(shape="18,20,20")), recipe, recipe.options_type(), "cpu")
    assert "prepare_pattern(scan, CdiPrepareOptions(shape='18,20,20'))" in text
    compile(text, "copied", "exec")
    command = as_command(prepare_pattern(scan, CdiPrepareOptions(bin="1,2,2")), recipe, recipe.options_type(), "auto")
    assert command.startswith("napari-pfitre run phase-retrieval")
    assert "--bin 1,2,2" in command
    mask = np.zeros(SHAPE, np.uint8)
    mask[0] = 1
    layers = _layers.scan_layers(scan)

    class Layer:
        data, metadata = mask, layers[1][1]["metadata"]

    class Image:
        metadata = layers[0][1]["metadata"]

    with pytest.raises(OptionError, match="painted by hand"):
        as_python(painted(Image, [Layer], scan), recipe, recipe.options_type(), "cpu")


def test_a_pattern_with_a_geometry_is_drawn_in_the_crystals_box():
    layers = _layers.scan_layers(CdiScan(counts(), centre=(10, 12, 14), geometry=GEOMETRY))
    sizes = np.linalg.norm(GEOMETRY.voxels(SHAPE), axis=1) * 1e9
    for _, about, _ in layers:
        np.testing.assert_allclose(about["scale"], sizes, rtol=1e-9)
        assert about["units"] == ("nm",) * 3
    assert [kind for _, _, kind in layers] == ["image", "labels", "points"]
