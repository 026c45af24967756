"""Everything that can happen during a run, against a recipe that does as it is told."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_pfitre.plugin._layers import provenance_of


def named(viewer, text):
    return [layer for layer in viewer.layers if text in layer.name]


def previewed(viewer, qtbot):
    qtbot.waitUntil(lambda: bool(named(viewer, "Fake")), timeout=10000)
    return named(viewer, "Fake")[0]


def test_a_run_becomes_one_layer_with_scale_units_labels_name_and_history(window, done):
    viewer, widget, layer = window
    widget.run.native.click()
    done(widget)
    (result,) = named(viewer, "Fake")
    assert result.name == "tooth · Fake"
    assert np.all(np.asarray(result.data) == 5)
    assert result.data.shape == (6, 16, 16)
    np.testing.assert_allclose(result.scale, 500)
    assert [str(unit) for unit in result.units] == ["nanometer"] * 3
    assert result.axis_labels == ("z", "y", "x")
    assert provenance_of(result).recipe == "fake"
    assert not result.rgb
    assert viewer.layers.extent.units is not None
    assert not layer.visible
    assert re.match(r"done after 0:0\d · residual 0\.2", widget.status.value)  # a busy machine takes a second


def test_while_running_only_stop_can_be_pressed_and_progress_is_told(window, done, qtbot):
    viewer, widget, _ = window
    widget.form.row("steps").value = 400
    widget.run.native.click()
    previewed(viewer, qtbot)
    assert not widget.run.enabled
    assert not widget.try_slice.enabled
    assert widget.stop.enabled
    qtbot.waitUntil(lambda: "left" in widget.status.value)
    for word in ("of 400", "it/s", "residual", "objective"):
        assert word in widget.status.value
    assert widget.bar.max == 400
    assert widget.bar.value > 0
    widget.stop.native.click()
    done(widget)
    assert widget.run.enabled
    assert not widget.stop.enabled
    assert not widget.bar.visible


def test_stop_keeps_the_partial_volume(window, done, qtbot, runs_closed):
    viewer, widget, _ = window
    widget.form.row("steps").value = 1000
    widget.run.native.click()
    layer = previewed(viewer, qtbot)
    begun = time.monotonic()
    widget.stop.native.click()
    done(widget)
    assert time.monotonic() - begun < 1.5
    assert 0 < np.asarray(layer.data).max() < 1000
    assert provenance_of(layer).partial
    assert layer.name == "tooth · Fake · stopped early"
    assert runs_closed == ["tooth"]


def test_stop_before_the_first_step(window, done):
    viewer, widget, _ = window
    widget.form.row("steps").value = 1000
    widget.start()
    widget.stop_run()
    done(widget)
    (layer,) = named(viewer, "Fake")
    assert provenance_of(layer).partial


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        ("runtime", "the reconstruction failed: shapes do not match"),
        ("memory", "out of memory on device 'cpu'"),
        ("ours", "numbers are not finite; check the flats"),
        ("value", "a bug"),
    ],
)
def test_a_failure_is_told_and_the_next_run_works(window, done, notes, fail, words, runs_closed):
    """RuntimeErrors, and torch's are, would leave the button dead for ever without our translation."""
    viewer, widget, _ = window
    widget.device.value = "cpu"
    widget.form.row("fail").value = fail
    widget.run.native.click()
    done(widget)
    assert any(words in text for _, text in notes)
    assert words in widget.status.value
    assert runs_closed == ["tooth"]
    assert widget.run.enabled
    widget.form.row("fail").value = "never"
    widget.run.native.click()
    done(widget)
    assert any(np.asarray(layer.data).max() == 5 for layer in named(viewer, "Fake"))


def test_a_bug_comes_with_its_traceback_and_our_own_errors_without(window, done, notes):
    from napari.utils.notifications import ErrorNotification, notification_manager

    _, widget, _ = window
    for fail in ("value", "ours"):
        widget.form.row("fail").value = fail
        widget.start()
        done(widget)
    kinds = [type(note) for note in notification_manager.records[-2:]]
    assert issubclass(kinds[0], ErrorNotification)
    assert not issubclass(kinds[1], ErrorNotification)
    assert len(notes) == 2


def test_without_a_scan_it_says_what_to_do(make_napari_viewer_proxy, recipes, notes):
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((4, 5, 6)), name="something else")
    viewer.add_labels(np.zeros((4, 5), int))
    widget = ReconstructWidget(viewer, recipes)
    widget.start()
    assert widget.task is None
    assert notes[-1] == ("warning", notes[-1][1])
    assert "Choose a scan first" in notes[-1][1]
    assert "drop a file" in widget.scan_note.value


def test_a_value_that_cannot_be_is_told_before_anything_runs(window, notes):
    _, widget, _ = window
    widget.form.row("pause").native.setText("-3")
    widget.start()
    assert widget.task is None
    assert "at least 0" in notes[-1][1]


def test_preview_deleted_mid_run_only_the_result_comes_back(window, done, qtbot):
    viewer, widget, _ = window
    widget.form.row("steps").value = 150
    widget.run.native.click()
    viewer.layers.remove(previewed(viewer, qtbot))
    qtbot.wait(700)
    assert widget.task is not None
    assert not named(viewer, "Fake")
    done(widget)
    (layer,) = named(viewer, "Fake")
    assert np.asarray(layer.data).max() == 150


def test_preview_renamed_and_contrast_moved_mid_run_are_respected(window, done, qtbot):
    viewer, widget, _ = window
    widget.form.row("steps").value = 120
    widget.run.native.click()
    layer = previewed(viewer, qtbot)
    layer.name, layer.contrast_limits, layer.colormap, layer.visible = "mine", (0.5, 0.9), "magma", False
    done(widget)
    (result,) = named(viewer, "mine")
    assert np.asarray(result.data).max() == 120
    assert tuple(result.contrast_limits) == (0.5, 0.9)
    assert result.colormap.name == "magma"
    assert not result.visible
    assert not named(viewer, "Fake")


def test_contrast_follows_the_data_until_it_is_touched(window, done):
    viewer, widget, _ = window
    widget.form.row("steps").value = 100
    widget.start()
    done(widget)
    low, high = named(viewer, "Fake")[0].contrast_limits
    assert low <= 100 <= high
    assert low > 90


def test_input_removed_mid_run(window, done, qtbot):
    viewer, widget, layer = window
    widget.form.row("steps").value = 120
    widget.run.native.click()
    previewed(viewer, qtbot)
    viewer.layers.remove(layer)
    done(widget)
    assert np.asarray(named(viewer, "Fake")[0].data).max() == 120
    assert widget.chosen is None


def test_input_renamed_mid_run(window, done, qtbot):
    viewer, widget, layer = window
    widget.form.row("steps").value = 60
    widget.run.native.click()
    layer.name = "renamed"
    done(widget)
    assert named(viewer, "tooth · Fake")
    assert widget.scan.current_choice == "renamed"


def test_widget_closed_mid_run_the_result_still_arrives(window, qtbot):
    viewer, widget, _ = window
    widget.form.row("steps").value = 120
    widget.run.native.click()
    previewed(viewer, qtbot)
    viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: widget.task is None, timeout=10000)
    assert np.asarray(named(viewer, "Fake")[0].data).max() == 120


def test_widget_destroyed_mid_run_the_result_still_arrives(window, qtbot):
    viewer, widget, _ = window
    widget.form.row("steps").value = 120
    widget.run.native.click()
    previewed(viewer, qtbot)
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.waitUntil(lambda: widget.task is None, timeout=10000)
    assert np.asarray(named(viewer, "Fake")[0].data).max() == 120


def test_viewer_closed_mid_run_ends_the_run_quickly(make_napari_viewer, add_scan, recipes, qtbot, scan, runs_closed):
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    viewer = make_napari_viewer()
    add_scan(viewer, scan)
    widget = ReconstructWidget(viewer, recipes)
    viewer.window.add_dock_widget(widget)
    widget.form.row("steps").value = 10000
    widget.start()
    previewed(viewer, qtbot)
    begun = time.monotonic()
    viewer.close()
    qtbot.waitUntil(lambda: runs_closed == ["tooth"], timeout=5000)
    assert time.monotonic() - begun < 2
    qtbot.waitUntil(lambda: widget.task is None, timeout=5000)


def test_a_second_click_is_ignored(window, done):
    viewer, widget, _ = window
    widget.form.row("steps").value = 30
    widget.start()
    first = widget.task
    widget.start()
    widget.run.native.click()
    assert widget.task is first
    done(widget)
    assert len(named(viewer, "Fake")) == 1


def test_napari_itself_aborting_the_run_keeps_the_preview(window, done, qtbot, runs_closed):
    """The list of tasks in napari calls quit(): nothing is returned then, and the generator would stay open."""
    viewer, widget, _ = window
    widget.form.row("steps").value = 1000
    widget.start()
    layer = previewed(viewer, qtbot)
    widget.task.worker.quit()
    done(widget)
    assert layer in viewer.layers
    assert "ended by napari" in widget.status.value
    assert runs_closed == ["tooth"]
    assert widget.run.enabled


@pytest.mark.parametrize("fail", ["never", "runtime"])
def test_the_activity_bar_has_an_entry_while_running_only(window, done, qtbot, fail):
    from napari.utils import progress

    before = len(progress._all_instances)
    _, widget, _ = window
    widget.form.row("steps").value = 60
    widget.form.row("fail").value = fail
    widget.start()
    entries = list(progress._all_instances)
    assert len(entries) == before + 1
    qtbot.waitUntil(lambda: entries[-1].n > 5)
    assert entries[-1].total == 60
    done(widget)
    assert len(progress._all_instances) == before


def test_nothing_is_printed(window, done, capfd):
    _, widget, _ = window
    widget.start()
    done(widget)
    assert capfd.readouterr().out == ""


def test_the_event_loop_stays_alive(window, done, qtbot):
    _, widget, _ = window
    widget.form.row("steps").value = 200
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)
    widget.start()
    done(widget)
    timer.stop()
    assert np.median(np.diff(ticks)) < 0.1


def test_previews_keep_their_distance(window, done, qtbot, monkeypatch):
    from napari_pfitre.plugin import _live

    _, widget, _ = window
    shown = []
    update = _live.LiveLayer.update
    monkeypatch.setattr(
        _live.LiveLayer,
        "update",
        lambda self, previews: (previews and shown.append(time.monotonic()), update(self, previews)),
    )
    widget.form.row("steps").value = 150
    widget.form.row("pause").value = 0.01
    widget.start()
    done(widget)
    assert len(shown) > 1
    assert np.diff(shown).min() > 0.3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory on device 'cpu' (MemoryError); crop rows"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "out of memory on device",
        ),
        (FileNotFoundError(2, "No such file", "scan.h5"), "could not be read while reconstructing"),
        (OSError("[WinError 1114] c10.dll"), "torch cannot be loaded after Qt on Windows"),
        (RuntimeError(""), "the reconstruction failed: RuntimeError"),
    ],
)
def test_failures_of_the_machine_in_one_sentence(error, words):
    from napari_pfitre.errors import ReconstructionError
    from napari_pfitre.plugin._worker import translated

    said = translated(error, "cpu")
    assert isinstance(said, ReconstructionError)
    assert not isinstance(said, RuntimeError)
    assert words in str(said)
    assert said.__cause__ is error


def test_a_pace_is_told_once_there_is_one():
    from napari_pfitre.plugin._pace import Pace, duration
    from napari_pfitre.results import Progress

    pace = Pace()
    assert pace.line(Progress(0, 100, "reading"), now=10.0) == "reading · 0 of 100"
    assert pace.line(Progress(50, 100, residual=0.25), now=20.0) == "50 of 100 · 5 it/s · 0:10 left · residual 0.25"
    assert pace.line(Progress(51, 100), now=1030.0) == "51 of 100 · 20 s/it · 16:20 left"
    assert duration(3760) == "1:02:40"
