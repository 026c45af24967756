"""The Reconstruct widget between runs: slices to try, forecasts, forms, settings in and out, the choice of scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_pfitre.device import size_text
from napari_pfitre.plugin._layers import scan_of, volume_layers
from napari_pfitre.results import Provenance, Volume


def named(viewer, text):
    return [layer for layer in viewer.layers if text in layer.name]


def test_one_slice_is_tried_at_its_height(window, done):
    viewer, widget, layer = window
    assert (widget.slice.value, widget.slice.max) == (3, 5)
    widget.slice.value = 2
    widget.try_slice.native.click()
    done(widget)
    (result,) = named(viewer, "slice 2")
    assert result.data.shape == (1, 16, 16)
    assert result.translate[0] == 2 * 500
    assert viewer.layers.extent.units is not None
    assert scan_of(layer).shape == (13, 6, 16)


def test_a_volume_beyond_memory_is_refused_with_numbers_until_insisted(window, done, notes, monkeypatch):
    from napari_pfitre.plugin import _reconstruct

    viewer, widget, _ = window
    monkeypatch.setattr(_reconstruct, "available_memory", lambda: 10_000)
    widget.run.native.click()
    assert widget.task is None
    assert "6 × 16 × 16 voxels needs about 12.3 kB of 10.0 kB free" in notes[-1][1]
    assert widget.run.text == "Reconstruct anyway"
    widget.run.native.click()
    done(widget)
    assert named(viewer, "Fake")
    assert widget.run.text == "Reconstruct"


def test_the_forecast_says_what_a_run_needs(window):
    _, widget, _ = window
    memory = widget.recipe.memory(widget.chosen, widget.form.options)
    assert f"needs about {size_text(memory.needed)} of" in widget.forecast.value
    widget.method.value = "quick"
    assert "in blocks" in widget.forecast.value
    widget.form.row("pause").native.setText("-3")
    widget.form.row("steps").value = 9
    assert "at least 0" in widget.forecast.value


def test_each_method_keeps_its_own_form(window):
    _, widget, _ = window
    widget.form.row("steps").value = 7
    widget.method.value = "quick"
    assert widget.form.options.steps == 5
    widget.method.value = "fake"
    assert widget.form.options.steps == 7


def test_settings_of_a_volume_refill_the_form(window, done, notes):
    viewer, widget, layer = window
    widget.form.row("steps").value = 8
    widget.form.row("weight").value = 0.125
    widget.start()
    done(widget)
    used = widget.form.options
    widget.form.options = type(used)()
    widget.method.value = "quick"
    viewer.layers.selection.active = layer
    widget.rerun.native.click()
    assert "Select a volume" in notes[-1][1]
    viewer.layers.selection.active = named(viewer, "Fake")[0]
    widget.rerun.native.click()
    assert widget.method.value == "fake"
    assert widget.form.options == used


def test_a_run_of_counts_needs_no_input_by_hand(window):
    _, widget, _ = window
    assert widget.method.choices == ("fake", "quick")
    assert widget.device.value == "auto"
    assert "13 projections of 6 × 16 pixels" in widget.scan_note.value
    assert "60° missing" in widget.scan_note.value
    assert "500 nm" in widget.scan_note.value


def test_the_choice_of_scans_follows_the_layer_list(window, add_scan, make_scan):
    viewer, widget, _ = window
    other = add_scan(viewer, make_scan("other"))
    assert {layer.name for layer in widget.scan.choices} == {"other", "tooth"}
    assert widget.scan.value.name == "other", "what was just opened or prepared is wanted"
    viewer.layers.remove(other)
    assert widget.scan.value.name == "tooth"


def provenance(path="", **prepared):
    history = ({"name": "prepare", "parameters": prepared},) if prepared else ()
    return Provenance("fake", {"steps": 6}, {"path": str(path)}, history=history)


@pytest.fixture
def files(window, add_scan, make_scan, tmp_path):
    """(widget, add): `add` puts a volume with a history into the viewer and takes its settings."""
    viewer, widget, _ = window
    path = tmp_path / "scan.h5"
    path.write_bytes(b"")
    add_scan(viewer, make_scan("scan", path=path))

    def use(name, history):
        ((data, about, _),) = volume_layers(Volume(np.ones((6, 16, 16), np.float32), (5e-7,) * 3, history), name)
        viewer.layers.selection.active = viewer.add_image(data, **about)
        widget.use_settings()

    return widget, use, path


def test_settings_come_with_the_scan_they_were_used_on(files, notes, add_scan, make_scan):
    widget, use, path = files
    add_scan(widget.viewer, make_scan("another"))
    assert widget.scan.value.name == "another"
    use("scan · Fake", provenance(path))
    assert widget.scan.value.name == "scan"
    assert widget.form.options.steps == 6
    assert not notes


def test_settings_of_data_that_are_not_open_say_which_file(files, notes):
    _, use, _ = files
    use("far · Fake", provenance("/far/away.h5"))
    assert "open /far/away.h5" in notes[-1][1]


def test_settings_of_prepared_data_say_how_they_were_prepared(files, notes):
    _, use, path = files
    use("scan · Fake", provenance(path, rows="1:3", bin=1))
    assert "prepared with rows 1:3; do the same in Prepare" in notes[-1][1]


def test_settings_of_another_version_are_refused_in_a_sentence(files, notes):
    widget, use, path = files
    use("scan · Fake", replace(provenance(path), options={"unheard_of": 1}))
    assert "has no option unheard_of" in notes[-1][1]
    use("scan · Fake", replace(provenance(path), recipe="magic"))
    assert "was made by magic" in notes[-1][1]
    assert widget.method.value == "fake"


def test_a_second_window_is_a_world_of_its_own(window, make_napari_viewer_proxy, recipes):
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    _, widget, _ = window
    other = ReconstructWidget(make_napari_viewer_proxy(), recipes)
    assert widget.chosen is not None
    assert other.chosen is None


def test_an_unprepared_scan_is_prepared_once_for_all_its_runs(make_scan, monkeypatch):
    from napari_pfitre import preprocess
    from napari_pfitre.plugin._ready import ready

    calls = []
    original = preprocess.ready
    monkeypatch.setattr(preprocess, "ready", lambda scan: (calls.append(scan), original(scan))[1])
    scan = make_scan()
    whole, row = ready(scan), ready(scan, 4)
    assert len(calls) == 1
    assert whole.history[-1].name == "prepare"
    assert row.shape == (13, 1, 16)
    assert row.centre == whole.centre
    assert ready(whole) is whole
