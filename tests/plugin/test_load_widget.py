"""The Load widget: look first, answer what is open, then read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.io import write_scan, write_volume
from napari_pfitre.plugin._layers import scan_of
from napari_pfitre.results import Provenance, Volume


@pytest.fixture
def scan_file(tmp_path, make_scan):
    path = tmp_path / "scan.h5"
    write_scan(make_scan(), path)
    return path


@pytest.fixture
def angleless(tmp_path):
    """A scan whose file does not say at which angles."""
    path = tmp_path / "angleless.h5"
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        file["exchange/data"] = np.random.default_rng(0).uniform(100, 900, (12, 6, 16)).astype(np.uint16)
        file["exchange/data_white"] = np.full((2, 6, 16), 1000, np.uint16)
        file["exchange/data_dark"] = np.zeros((2, 6, 16), np.uint16)
    return path


def test_it_tells_what_is_in_the_file_and_reads_nothing(load, scan_file, done):
    viewer, widget = load
    assert not widget.open.enabled
    widget.file.value = scan_file
    done(widget)
    assert "13 of 6 rows × 16 columns" in widget.holds.value
    assert "60° missing" in widget.holds.value
    assert widget.open.enabled
    assert "/exchange/data" in widget.dataset.choices
    assert len(viewer.layers) == 0


def test_open_adds_the_scan_with_its_units(load, scan_file, done):
    viewer, widget = load
    widget.file.value = scan_file
    done(widget)
    widget.open.native.click()
    done(widget)
    assert scan_of(viewer.layers[0]).shape == (13, 6, 16)
    assert viewer.layers.extent.units is not None


def test_rows_and_binning_are_chosen_before_anything_is_read(load, scan_file, done):
    viewer, widget = load
    widget.file.value = scan_file
    done(widget)
    widget.rows.value, widget.binning.value = "2:6", 2
    widget.open.native.click()
    done(widget)
    scan = scan_of(viewer.layers[0])
    assert scan.shape == (13, 2, 8)
    assert scan.pixel_size == pytest.approx((1e-6, 1e-6))
    assert dict(scan.history[-1].parameters) == {"rows": "2:6", "bin": 2}


def test_rows_that_are_not_there_are_told(load, scan_file, done, notes):
    viewer, widget = load
    widget.file.value = scan_file
    done(widget)
    widget.rows.value = "4:60"
    widget.open.native.click()
    done(widget)
    assert len(viewer.layers) == 0
    assert "4:60" in notes[-1][1]
    assert widget.open.enabled


def test_a_question_is_shown_with_its_answers_and_an_answer_opens_the_file(load, angleless, done, qtbot):
    viewer, widget = load
    widget.file.value = angleless
    done(widget)
    assert not widget.open.enabled
    assert "no angles" in widget.question.value
    assert not widget.hints.native.isHidden()
    widget.hints.row("angles").value = "0:180"
    qtbot.waitUntil(lambda: widget.open.enabled, timeout=5000)
    done(widget)
    assert widget.question.value == ""
    widget.open.native.click()
    done(widget)
    scan = scan_of(viewer.layers[0])
    np.testing.assert_allclose(np.rad2deg(scan.angles), np.arange(12) * 15)
    assert dict(scan.history[-1].parameters) == {"angles": "0:180"}


def test_an_offered_answer_is_taken_over(load, angleless, done, qtbot):
    _, widget = load
    widget.file.value = angleless
    done(widget)
    offered = [choice for choice in widget.answer.choices if choice is not None]
    assert ("angles", "0:180") in offered
    widget.answer.value = ("angles", "0:180")
    qtbot.waitUntil(lambda: widget.open.enabled, timeout=5000)
    assert widget.hints.row("angles").value == "0:180"


def test_dropping_a_file_with_a_question_brings_the_widget(make_napari_viewer_proxy, angleless, notes, qtbot):
    viewer = make_napari_viewer_proxy()
    viewer.open(angleless, plugin="napari-pfitre")
    assert len(viewer.layers) == 0
    assert [name for name in viewer.window.dock_widgets if "Load" in name]
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Load")
    qtbot.waitUntil(lambda: widget.task is None)
    assert "no angles" in widget.question.value
    assert "no angles" in notes[-1][1]


def test_hints_of_one_file_are_not_kept_for_the_next(load, angleless, scan_file, done, qtbot):
    _, widget = load
    widget.file.value = angleless
    done(widget)
    widget.hints.row("angles").value = "0:180"
    qtbot.waitUntil(lambda: widget.open.enabled, timeout=5000)
    widget.file.value = scan_file
    done(widget)
    assert widget.answers() == {}


def test_a_file_that_is_no_scan_is_said_to_be_so(load, tmp_path, done):
    _, widget = load
    path = tmp_path / "text.h5"
    path.write_text("hello, this is text")
    widget.file.value = path
    done(widget)
    assert "plain text, not HDF5" in widget.question.value
    assert not widget.open.enabled


def test_a_volume_is_opened_as_a_volume(load, tmp_path, done):
    viewer, widget = load
    path = tmp_path / "volume.h5"
    write_volume(Volume(np.ones((3, 5, 5), np.float32), (1e-6,) * 3, Provenance("fbp")), path)
    widget.file.value = path
    done(widget)
    widget.open.native.click()
    done(widget)
    assert viewer.layers[0].data.shape == (3, 5, 5)
    np.testing.assert_allclose(viewer.layers[0].scale, 1000)


def test_a_value_that_cannot_be_is_told_beside_the_form(load, scan_file, done, qtbot):
    _, widget = load
    widget.file.value = scan_file
    done(widget)
    widget.hints.row("axis_order").value = "up,down"
    qtbot.waitUntil(lambda: "axis_order" in widget.question.value, timeout=5000)


def test_the_widget_may_be_closed_while_it_looks(load, scan_file, qtbot):
    viewer, widget = load
    widget.file.value = scan_file
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    qtbot.wait(1000)
    assert not widget.alive
