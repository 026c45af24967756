"""The Prepare widget: options, the rotation axis, a prepared layer that Reconstruct takes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.plugin._axis import Sweep
from napari_pfitre.plugin._layers import scan_of
from napari_pfitre.twin import SimulateOptions, simulate

AXIS = 34.5  # of the simulated scan, whose file names column 31.5


@pytest.fixture(scope="module")
def counts():
    options = SimulateOptions(
        phantom="ellipsoids", size=64, slices=4, angles=60, missing=0, photons=1e5, centre_offset=3.0, centre_error=-3.0
    )
    scan, _ = simulate(options)
    return scan.replace(name="counts", centre=None)


@pytest.fixture
def prepare(make_napari_viewer_proxy, add_scan, counts):
    viewer = make_napari_viewer_proxy()
    layer = add_scan(viewer, counts)
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Prepare")
    return viewer, widget, layer


def test_prepared_projections_are_a_layer_of_their_own(prepare, done):
    viewer, widget, layer = prepare
    widget.form.row("rows").value = "1:3"
    widget.form.row("centre").value = AXIS
    widget.go.native.click()
    done(widget)
    made = viewer.layers[-1]
    scan = scan_of(made)
    assert made.name == "counts · prepared"
    assert (scan.quantity, scan.shape, scan.centre) == ("line integrals", (60, 2, 64), AXIS)
    assert scan.history[-1].name == "prepare"
    assert not layer.visible
    assert viewer.layers.extent.units is not None
    assert widget.scan.value.name == "counts · prepared"
    assert "prepared already" in widget.scan_note.value


def test_the_axis_is_found_and_written_into_the_form(prepare, done):
    _, widget, _ = prepare
    assert widget.form.options.centre is None
    widget.find_button.native.click()
    assert not widget.find_button.enabled
    done(widget, 60000)
    assert widget.form.options.centre == pytest.approx(AXIS, abs=0.5)
    assert "the rotation axis was searched" in widget.axis_note.value
    assert widget.first.value < AXIS < widget.last.value


def test_a_sweep_is_a_stack_with_the_axis_on_its_slider(prepare, done, notes):
    viewer, widget, _ = prepare
    widget.use.native.click()
    assert "sweep first" in notes[-1][1]
    widget.first.value, widget.last.value, widget.step.value = 32.5, 36.5, 0.5
    widget.sweep.native.click()
    done(widget, 60000)
    sweep = viewer.layers[-1]
    assert sweep.data.shape == (9, 1, 1, 64, 64)
    assert sweep.axis_labels[0] == "centre"
    assert viewer.layers.extent.units is not None
    assert viewer.dims.current_step[0] == 4
    assert viewer.canvas.overlays.text.text == "rotation axis at column 34.50"
    stack = np.asarray(sweep.data)[:, 0, 0]
    sharpness = np.abs(np.diff(stack, axis=2)).max(axis=(1, 2))
    assert abs(int(np.argmax(sharpness)) - 4) <= 2
    viewer.dims.set_current_step(0, 5)
    widget.use.native.click()
    assert widget.form.options.centre == 35.0


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (Sweep(0, 10, 5, 1), "empty"),
        (Sweep(0, 5, 10, 0), "empty"),
        (Sweep(0, 5, 64, 1), "0 to 63"),
        (Sweep(0, 0, 63, 0.1), "101 are the most"),
    ],
)
def test_a_sweep_that_cannot_be(sweep, message):
    with pytest.raises(OptionError, match=message):
        sweep.centres(64)


def test_the_axes_of_a_sweep():
    np.testing.assert_allclose(Sweep(0, 30, 31, 0.25).centres(64), [30, 30.25, 30.5, 30.75, 31])


def test_what_cannot_be_done_is_told_and_the_widget_goes_on(prepare, done, notes):
    _, widget, _ = prepare
    widget.form.row("rows").value = "3:99"
    widget.go.native.click()
    done(widget)
    assert "3:99" in notes[-1][1]
    assert widget.go.enabled
    widget.step.native.setText("wide")
    widget.sweep.native.click()
    assert "step should be a number" in notes[-1][1]
    assert widget.task is None


def test_without_a_scan_it_says_what_to_do(make_napari_viewer_proxy, notes):
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Prepare")
    widget.go.native.click()
    assert "Choose a scan first" in notes[-1][1]


def test_reconstruct_takes_the_prepared_scan(prepare, done):
    viewer, widget, _ = prepare
    _, reconstruct = viewer.window.add_plugin_dock_widget("napari-pfitre", "Reconstruct")
    assert reconstruct.scan.value.name == "counts"
    widget.form.row("centre").value = AXIS
    widget.go.native.click()
    done(widget)
    assert reconstruct.scan.value.name == "counts · prepared"
    assert reconstruct.chosen.centre == AXIS
