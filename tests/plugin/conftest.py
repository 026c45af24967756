"""Viewers, small scans, and a recipe that does as it is told."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

os.environ["NAPARI_CONFIG"] = ""  # empty: no settings file of the person who runs the tests is read or written

pytest.importorskip("napari")

from napari_pfitre.frames import LazyFrames
from napari_pfitre.options import as_dict, check
from napari_pfitre.recipes import Recipe
from napari_pfitre.results import Preview, Progress, Provenance, Volume
from napari_pfitre.scans import Source, TomoScan


class ArrayFrames(LazyFrames):
    """An array behind the interface of a file."""

    def __init__(self, array: np.ndarray):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def read(self, frames, rows, columns):
        return self.array[frames, rows, columns].copy()


@dataclass(frozen=True)
class FakeOptions:
    """A run of some steps, each with a preview."""

    steps: Annotated[int, {"min": 1, "max": 10000, "tooltip": "Number of steps."}] = 5
    pause: Annotated[float, {"min": 0.0, "max": 10.0, "unit": "s", "tooltip": "Time each step takes."}] = 0.01
    fail: Annotated[Literal["never", "value", "runtime", "memory", "ours"], {"tooltip": "How to fail half-way."}] = (
        "never"
    )
    weight: Annotated[float | None, {"min": 0.0, "max": 10.0, "tooltip": "Something to choose.", "advanced": True}] = (
        None
    )

    def __post_init__(self):
        check(self)


class OutOfMemoryError(RuntimeError):
    """Named and derived as torch's is."""


closed: list[str] = []  #: names of scans whose runs were closed


def fake(scan: TomoScan, options: FakeOptions, device: str):
    """Slice values are the number of steps done."""
    n_rows, n = scan.shape[1:]
    data = np.zeros((n_rows, n, n), np.float32)
    stop = False
    try:
        for step in range(1, options.steps + 1):
            time.sleep(options.pause)
            if step == options.steps // 2 + 1 and options.fail != "never":
                raise _failure(options.fail)
            data = data + 1
            preview = Preview(0, data.copy())
            stop = yield Progress(step, options.steps, "working", 10.0 / step, 1.0 / step, preview)
            if stop:
                break
    finally:
        closed.append(scan.name)
    source = {} if scan.source is None else {"path": str(scan.source.path)}
    provenance = Provenance(
        "fake",
        as_dict(options),
        source,
        scan.shape,
        partial=bool(stop),
        device=device,
        figures={"residual": 1.0 / step},
    )
    size = None if scan.pixel_size is None else (scan.pixel_size[0], scan.pixel_size[1], scan.pixel_size[1])
    return Volume(data, size, provenance, name=scan.name)


def _failure(kind: str) -> Exception:
    from napari_pfitre.errors import ReconstructionError

    return {
        "value": ValueError("a bug"),
        "runtime": RuntimeError("shapes do not match"),
        "memory": OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        "ours": ReconstructionError("numbers are not finite; check the flats"),
    }[kind]


FAKE = Recipe("fake", "Fake", "Counts its steps.", FakeOptions, fake, lambda scan, options: 1_000_000)
QUICK = Recipe("quick", "Quick", "The same by another name.", FakeOptions, fake, lambda scan, options: 1 << 60)


@pytest.fixture
def recipes():
    closed.clear()
    return {recipe.name: recipe for recipe in (FAKE, QUICK)}


@pytest.fixture
def runs_closed():
    """Names of the scans whose runs were closed, as it grows."""
    return closed


def make_scan(name="tooth", angles=None, rows=6, columns=16, pixel_size=(5e-7, 5e-7), path=None, **fields) -> TomoScan:
    angles = np.linspace(-60, 60, 13) if angles is None else np.asarray(angles, float)
    rng = np.random.default_rng(3)
    frames = ArrayFrames(rng.uniform(0.1, 1.0, (len(angles), rows, columns)).astype(np.float32))
    fields = {"quantity": "line integrals"} | fields
    source = None if path is None else Source(path, "/data", "test")
    return TomoScan(frames, np.deg2rad(angles), name=name, pixel_size=pixel_size, source=source, **fields)


@pytest.fixture
def scan():
    return make_scan()


@pytest.fixture(name="make_scan")
def make_scan_fixture():
    """A function: fields that matter → a small scan."""
    return make_scan


@pytest.fixture
def add_scan():
    """A function: viewer, scan → the scan's layer."""
    from napari_pfitre.plugin._layers import scan_layer

    def add(viewer, scan):
        data, about, _ = scan_layer(scan)
        return viewer.add_image(data, **about)

    return add


@pytest.fixture
def notes(monkeypatch):
    """What napari notified the user of, as (severity, text)."""
    from napari.utils.notifications import notification_manager

    heard = []

    def hear(notification):
        heard.append((str(notification.severity), notification.message))

    notification_manager.notification_ready.connect(hear)
    yield heard
    notification_manager.notification_ready.disconnect(hear)


@pytest.fixture
def window(make_napari_viewer_proxy, add_scan, recipes, qtbot):
    """A viewer with a scan and a Reconstruct widget over the fake recipes: (viewer, widget, layer)."""
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    viewer = make_napari_viewer_proxy()
    layer = add_scan(viewer, make_scan())
    widget = ReconstructWidget(viewer, recipes)
    viewer.window.add_dock_widget(widget, name="Reconstruct")
    yield viewer, widget, layer
    if widget.task is not None:
        widget.task.stop()
        qtbot.waitUntil(lambda: widget.task is None, timeout=10000)


@pytest.fixture
def done(qtbot):
    """Wait until a widget's run or task has ended."""

    def wait(widget, timeout=15000):
        qtbot.waitUntil(lambda: widget.task is None, timeout=timeout)

    return wait


def pytest_collection_modifyitems(items):
    for item in items:
        if "make_napari_viewer" in "".join(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.gl)


@pytest.fixture
def load(make_napari_viewer_proxy):
    """A window with the Load widget."""
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Load")
    return viewer, widget
