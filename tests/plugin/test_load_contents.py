"""What the Load widget draws of a file, and what it remembers of it."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.io import inspect_file, write_scan
from napari_pfitre.plugin import _memory
from napari_pfitre.plugin._contents import HalfCircle, thumbnail
from napari_pfitre.plugin._memory import kept_hints, remember


@pytest.fixture
def angleless(tmp_path):
    path = tmp_path / "angleless.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.random.default_rng(0).uniform(100, 900, (12, 6, 16)).astype(np.uint16)
        file["exchange/data_white"] = np.full((2, 6, 16), 1000, np.uint16)
        file["exchange/data_dark"] = np.zeros((2, 6, 16), np.uint16)
    return path


def test_the_file_is_shown_before_anything_is_opened(load, tmp_path, make_scan, done):
    viewer, widget = load
    path = tmp_path / "scan.h5"
    write_scan(make_scan(), path)
    widget.file.value = path
    done(widget)
    assert "/exchange/data" in widget.tree.paths()
    assert widget.circle.wedges == [pytest.approx((60, 60))]
    assert widget.picture.pixmap().width() == 128
    assert "of the memory that is free" in widget.holds.value
    assert len(viewer.layers) == 0
    assert widget.grab().width() > 0  # paints itself


def test_a_dataset_of_the_tree_can_be_chosen(load, angleless, done):
    _, widget = load
    widget.file.value = angleless
    done(widget)
    widget.tree.chosen.emit("/exchange/data_white")
    assert widget.dataset.value == "/exchange/data_white"
    done(widget)


def test_answers_are_remembered_for_the_next_time(load, angleless, tmp_path, monkeypatch, done, qtbot):
    monkeypatch.setattr(_memory, "_file", lambda: tmp_path / "kept" / "hints.json")
    viewer, widget = load
    widget.file.value = angleless
    done(widget)
    widget.hints.row("angles").value = "0:180"
    qtbot.waitUntil(lambda: widget.open.enabled and widget.task is None, timeout=10000)
    widget.open.native.click()
    done(widget)
    assert kept_hints(angleless) == {"angles": "0:180"}
    widget.file.value = tmp_path / "other.h5"
    done(widget)
    assert widget.answers() == {}
    widget.file.value = angleless
    done(widget)
    assert widget.answers() == {"angles": "0:180"}
    viewer.layers.clear()
    viewer.open(angleless, plugin="napari-pfitre")  # dropped on the window: no question any more
    assert len(viewer.layers) == 1


def test_looking_again_sees_what_was_written_meanwhile(load, angleless, done, qtbot):
    _, widget = load
    widget.file.value = angleless
    done(widget)
    with h5py.File(angleless, "a") as file:
        file["exchange/theta"] = np.linspace(0, 165, 12)
        file["exchange/theta"].attrs["units"] = "degrees"
    widget.again.native.click()
    done(widget)
    assert widget.open.enabled


def test_hints_that_are_none_of_this_version_are_left_aside(tmp_path):
    file = tmp_path / "hints.json"
    remember(tmp_path / "a.h5", {"angles": "0:180"}, file)
    assert kept_hints(tmp_path / "a.h5", file) == {"angles": "0:180"}
    remember(tmp_path / "b.h5", {"sideways": 3}, file)
    assert kept_hints(tmp_path / "b.h5", file) == {}
    remember(tmp_path / "a.h5", {}, file)
    assert kept_hints(tmp_path / "a.h5", file) == {}
    file.write_text("{broken", encoding="utf-8")
    assert kept_hints(tmp_path / "a.h5", file) == {}


def test_the_missing_wedge_is_where_the_report_says(qtbot, make_scan):
    circle = HalfCircle()
    qtbot.addWidget(circle)
    circle.resize(220, 100)
    circle.show_scan(make_scan(angles=np.linspace(100, 170, 30)))  # nothing between 170° and 280°
    image = circle.grab().toImage()
    middle, bottom = circle.width() / 2, circle.height() - 8
    radius = 0.6 * min((circle.width() - 70) / 2, circle.height() - 24)

    def colour(angle):
        at = np.deg2rad(angle)
        return image.pixelColor(int(middle + radius * np.cos(at)), int(bottom - radius * np.sin(at)))

    for angle in (10, 45, 80):
        assert colour(angle).red() > colour(angle).blue() + 20
    blue = sum(colour(angle).blue() > colour(angle).red() for angle in np.linspace(100, 170, 50))
    assert blue > 25


def test_a_thumbnail_is_the_middle_projection(make_scan):
    scan = make_scan(rows=300, columns=200)
    image = thumbnail(scan)
    assert image.shape == (100, 67)
    frame = np.asarray(scan.projections[6])[::3, ::3]
    assert np.corrcoef(image.ravel(), frame.ravel())[0, 1] > 0.99


def test_a_report_of_a_folder_has_a_picture_too(tmp_path):
    import tifffile

    for at in range(12):
        tifffile.imwrite(tmp_path / f"p_{at}.tif", np.full((8, 9), 100 + at, np.uint16))
    (tmp_path / "angles.csv").write_text("angle\n" + "\n".join(str(15 * at) for at in range(12)), encoding="utf-8")
    report = inspect_file(tmp_path)
    assert thumbnail(report.scan).ndim == 2
