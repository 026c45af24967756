"""The Simulate widget: options in, projections and truth out, for the other widgets to take."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.options import describe
from napari_pfitre.plugin._layers import provenance_of, scan_of
from napari_pfitre.plugin._simulate import EXAMPLES
from napari_pfitre.twin import SimulateOptions, simulate


@pytest.fixture
def simulator(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Simulate")
    return viewer, widget


def small(widget, **more):
    for name, value in {"size": 32, "slices": 4, "angles": 20, **more}.items():
        widget.form.row(name).value = value


def test_an_untouched_form_is_the_defaults(simulator):
    _, widget = simulator
    assert widget.form.options == SimulateOptions()
    assert set(widget.form.names) == {option.name for option in describe(SimulateOptions)}


def test_the_layers_are_the_simulation(simulator, done):
    viewer, widget = simulator
    small(widget, jitter=0.5, seed=3)
    expected = simulate(SimulateOptions(size=32, slices=4, angles=20, jitter=0.5, seed=3))
    widget.go.native.click()
    assert not widget.go.enabled
    done(widget)
    truth, projections = viewer.layers
    np.testing.assert_array_equal(scan_of(projections).projections, expected.scan.projections)
    np.testing.assert_array_equal(truth.data, expected.truth.data)
    assert provenance_of(truth).recipe == "simulate"
    assert (truth.visible, projections.visible) == (False, True)
    assert viewer.layers.extent.units is not None  # those of both agree
    assert "done after" in widget.status.value


def test_the_truth_can_be_shown(simulator, done):
    viewer, widget = simulator
    small(widget)
    widget.show_truth.value = True
    widget.start()
    done(widget)
    assert viewer.layers[0].visible


def test_reconstruct_takes_what_was_simulated(simulator, done):
    viewer, widget = simulator
    _, reconstruct = viewer.window.add_plugin_dock_widget("napari-pfitre", "Reconstruct")
    small(widget, photons=20000.0)
    widget.start()
    done(widget)
    assert reconstruct.chosen is scan_of(viewer.layers[-1])
    reconstruct.method.value = "fbp"
    reconstruct.start()
    done(reconstruct)
    assert viewer.layers[-1].data.shape == (4, 32, 32)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_fill_the_form(simulator, name):
    _, widget = simulator
    widget.example.value = name
    assert widget.form.options == SimulateOptions(**EXAMPLES[name])
    options = widget.form.options
    assert f"{options.angles} projections of 16 × 128 pixels" in widget.size.value


def test_stop_adds_nothing(simulator, done, monkeypatch):
    monkeypatch.setattr("napari_pfitre.twin.simulation._WORKING_BYTES", 1)
    viewer, widget = simulator
    small(widget, slices=400, size=128)
    widget.start()
    widget.stop.native.click()
    done(widget)
    assert len(viewer.layers) == 0
    assert widget.status.value == "stopped; nothing was added"
    assert widget.go.enabled
    assert not widget.stop.enabled


def test_a_value_out_of_range_is_told_and_nothing_runs(simulator, notes):
    viewer, widget = simulator
    small(widget, noise="much")
    assert "Noise should be a number" in widget.size.value
    widget.start()
    assert widget.task is None
    assert len(viewer.layers) == 0
    assert any("Noise should be a number" in text for _, text in notes)


def test_a_failure_is_told(simulator, done, notes, monkeypatch):
    from napari_pfitre.errors import OptionError

    def failing(options):
        raise OptionError("scikit-image should contain data/coins.png; choose another phantom")
        yield

    monkeypatch.setattr("napari_pfitre.plugin._simulate.simulating", failing)
    _, widget = simulator
    small(widget)
    widget.start()
    done(widget)
    assert "failed: scikit-image should contain" in widget.status.value
    assert any("choose another phantom" in text for _, text in notes)
