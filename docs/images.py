"""Make the pictures of docs/napari.md anew, in a real window:  xvfb-run -a python docs/images.py

Everything shown is simulated (File ▸ Open Sample), so the script needs no data. Pictures go to docs/images.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # napari as it comes, not as somebody has set it up

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_pfitre.io import write_scan
from napari_pfitre.plugin._simulate import EXAMPLES
from napari_pfitre.twin import SimulateOptions, simulate

FOLDER = Path(__file__).parent / "images"
PLUGIN = "napari-pfitre"
MOST_BYTES = 400_000
FOAM = SimulateOptions(
    phantom="foam", size=160, slices=96, angles=91, missing=0.0, photons=20000.0, rings=0.01, centre_offset=3.5
)


def pump(until: Callable[[], bool] = lambda: False, seconds: float = 0.6) -> None:
    """Let the window work until something is the case, or for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def finished(widget) -> None:
    pump(lambda: widget.task is None, 300)
    pump()


def window(theme: str = "dark") -> napari.Viewer:
    viewer = napari.Viewer(show=True)
    viewer.theme = theme
    viewer.window.resize(1280, 820)
    viewer.canvas.overlays.scale_bar.visible = True
    return viewer


def save(viewer: napari.Viewer, name: str) -> None:
    pump(seconds=1.0)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    path = FOLDER / f"{name}.png"
    picture.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    sys.stderr.write(f"{path.name}  {picture.width} x {picture.height}  {size // 1000} kB\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES // 1000} kB")


def load(viewer: napari.Viewer, file: Path) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Load")
    widget.file.value = file
    finished(widget)
    widget.rows.value = "16:80"
    widget.open.native.click()
    finished(widget)
    with widget.file.changed.blocked():
        widget.file.line_edit.value = file.name  # not where this script put it
    save(viewer, "load")
    viewer.window.remove_dock_widget(widget)


def prepare(viewer: napari.Viewer) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Prepare")
    widget.find_button.native.click()
    finished(widget)
    widget.sweep.native.click()
    finished(widget)
    save(viewer, "prepare")
    widget.go.native.click()
    finished(widget)
    viewer.window.remove_dock_widget(widget)


def reconstruct(viewer: napari.Viewer, name: str) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")
    widget.method.value = "fista-tv"
    widget.form.row("tolerance").value = 0.0
    widget.form.unfold(False)
    widget.run.native.click()
    pump(lambda: widget.bar.max > 1 and widget.bar.value >= 40, 120)
    save(viewer, f"{name}-running")
    widget.form.row("tolerance").value = 5e-4
    finished(widget)
    save(viewer, name)


def simulated(viewer: napari.Viewer) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Simulate")
    widget.example.value = list(EXAMPLES)[1]
    widget.form.row("size").value = 256
    widget.form.row("slices").value = 48
    widget.go.native.click()
    finished(widget)
    viewer.dims.set_point(0, 0.0)
    save(viewer, "simulate")


def inverted(viewer: napari.Viewer) -> None:
    viewer.open_sample(PLUGIN, "crystal")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")
    widget.method.value = "phase-retrieval"
    widget.run.native.click()
    finished(widget)
    name = widget.scan.value.name
    for layer in viewer.layers:
        layer.visible = layer.name.endswith("surface, colour of the phase")
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    camera = viewer.scene.camera
    camera.angles = (20, -30, 60)
    camera.zoom *= 1.6
    assert any(layer.name.startswith(f"{name} · Phase retrieval") for layer in viewer.layers)
    save(viewer, "invert")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    viewer = window()
    inverted(viewer)
    viewer.close()
    viewer = window()
    simulated(viewer)
    viewer.close()
    with tempfile.TemporaryDirectory() as folder:
        viewer = window()
        file = Path(folder) / "foam.h5"
        scan, _ = simulate(FOAM)
        write_scan(scan.replace(name="foam", centre=None), file)
        load(viewer, file)
        prepare(viewer)
        viewer.close()
    for theme in ("dark", "light"):
        viewer = window(theme)
        viewer.open_sample(PLUGIN, "chip")
        reconstruct(viewer, f"reconstruct-{theme}")
        viewer.close()


if __name__ == "__main__":
    main()
