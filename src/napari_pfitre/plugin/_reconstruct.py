"""The Reconstruct widget: one for every recipe, grown from its options dataclass."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, ProgressBar, PushButton, SpinBox
from napari.utils.notifications import show_info, show_warning

from ..device import DEVICES, Memory, available_memory, resolve_device
from ..errors import OptionError, PfitreError
from ..options import from_dict
from ..recipes import RECIPES, Recipe
from ..results import Provenance, Volume
from ..scans import CdiScan, TomoScan
from ._caption import show_captions
from ._code import as_command, as_python, preparation
from ._form import OptionsForm
from ._layers import provenance_of, scan_of
from ._live import LiveLayer
from ._pace import Pace, duration
from ._panel import Note, Panel, line, rows, slim
from ._patterns import is_crystal, painted
from ._ready import ready
from ._scans import ScanBox, about
from ._settings import preferences
from ._worker import Job, RunTask, Update, start_run, tell

if TYPE_CHECKING:
    import napari

__all__ = ["ReconstructWidget"]

_DEVICES = [("automatic (GPU if there is one)" if name == "auto" else name, name) for name in DEVICES]


class ReconstructWidget(Panel):
    """Choose a scan and a method, try a slice, reconstruct the volume."""

    def __init__(self, napari_viewer: napari.viewer.Viewer, recipes: dict[str, Recipe] | None = None):
        super().__init__()
        self.viewer = napari_viewer
        self.recipes = RECIPES if recipes is None else recipes
        self.task: RunTask | None = None
        self._insist: Any = None  # what was refused for lack of memory and would run if asked again
        self._forms: dict[str, OptionsForm] = {}
        self._build()
        self._connect()
        self._on_method()
        self._on_scan()
        show_captions(napari_viewer)

    # -- appearance

    def _build(self) -> None:
        self.scan = slim(
            ScanBox(self.viewer, label="Scan", tooltip="Projections or a pattern opened with PFITRE, raw or prepared.")
        )
        self.scan_note = Note()
        self.method = slim(ComboBox(label="Method", choices=self._methods))
        self.method_note = Note()
        self.forms = Container(labels=False)
        self.forms.margins = (0, 0, 0, 0)
        self.device = slim(ComboBox(label="Device", choices=_DEVICES, value=preferences().compute.device))
        self.device.tooltip = "Where to compute; Preferences ▸ PFITRE tomography sets the default."
        self.forecast = Note()
        self.slice = SpinBox(label="Slice", min=0, max=0, tooltip="Which slice to try: a row of the detector, from 0.")
        self.try_slice = PushButton(text="Try this slice", tooltip="Reconstruct one slice with these settings.")
        self.slice_row = rows(line(self.slice, self.try_slice, stretch=1, label="Slice"))
        self.run = PushButton(text="Reconstruct", tooltip="Reconstruct the whole volume.")
        self.stop = PushButton(text="Stop", tooltip="Stop at the next step and keep what there is.", enabled=False)
        self.bar = ProgressBar(min=0, max=100, value=0)
        self.status = Note()
        self.rerun = PushButton(text="Use settings of selected volume")
        self.rerun.tooltip = "Fill this form from the history of the volume selected in the layer list."
        self.copy_python = PushButton(text="Copy as Python", tooltip="This run as a Python script, to the clipboard.")
        self.copy_command = PushButton(text="Copy as command", tooltip="This run as a command line, to the clipboard.")
        self.fill(
            rows(self.scan), self.scan_note, rows(self.method), self.method_note, self.forms,
            rows(self.device), self.forecast, self.slice_row,
            line(self.run, self.stop), self.bar, self.status, self.rerun, line(self.copy_python, self.copy_command),
        )  # fmt: skip
        self.bar.visible = False
        self.status.say("")

    def _connect(self) -> None:
        self.scan.changed.connect(self._on_scan)
        self.method.changed.connect(self._on_method)
        self.device.changed.connect(self._on_options)
        self.run.clicked.connect(lambda: self.start())
        self.try_slice.clicked.connect(lambda: self.start(self.slice.value))
        self.stop.clicked.connect(self.stop_run)
        self.rerun.clicked.connect(lambda: self.use_settings())
        self.copy_python.clicked.connect(lambda: self._copy(as_python, "Python script"))
        self.copy_command.clicked.connect(lambda: self._copy(as_command, "Command line"))

    # -- what is chosen

    def _methods(self, *_: Any) -> list[tuple[str, str]]:
        """(title, name) of those for the kind of scan that is chosen; for projections while none is."""
        kind = CdiScan if isinstance(self.chosen, CdiScan) else TomoScan
        fitting = [(r.title, name) for name, r in self.recipes.items() if issubclass(kind, r.scan_type)]
        return fitting or [(r.title, name) for name, r in self.recipes.items()]

    @property
    def recipe(self) -> Recipe:
        return self.recipes[self.method.value]

    @property
    def form(self) -> OptionsForm:
        return self._forms[self.method.value]

    @property
    def chosen(self) -> TomoScan | CdiScan | None:
        return self.scan.scan

    def _on_method(self, *_: Any) -> None:
        name = self.method.value
        if name is None:
            return
        if name not in self._forms:
            self._forms[name] = OptionsForm(self.recipe.options_type)
            self._forms[name].changed.connect(self._on_options)
            self.forms.append(self._forms[name])
        for other, form in self._forms.items():
            form.visible = other == name
        self.method_note.say(self.recipe.summary)
        self._on_options()

    def _on_scan(self, *_: Any) -> None:
        scan = self.chosen
        self.method.reset_choices()  # a pattern is not reconstructed by what is for projections
        self.slice_row.visible = not isinstance(scan, CdiScan)
        if scan is None:
            self.scan_note.say("No scan yet: drop a file on the window, use Plugins ▸ PFITRE tomography ▸ Load, or "
                               "File ▸ Open Sample.")  # fmt: skip
        else:
            self.scan_note.say(about(scan))
            self.slice.max = scan.shape[1] - 1
            self.slice.value = scan.shape[1] // 2
        self._on_options()

    def _on_options(self, *_: Any) -> None:
        self._insist = None
        self.run.text = self._verb
        self.forecast.say(self._forecast())

    @property
    def _verb(self) -> str:
        return "Invert" if isinstance(self.chosen, CdiScan) else "Reconstruct"

    def _forecast(self) -> str:
        scan = self.chosen
        if scan is None:
            return ""
        try:
            memory = self._memory(scan, self.form.options)
        except PfitreError as error:
            return str(error)
        if isinstance(scan, CdiScan):
            return "" if memory.fits else f"The run {memory}; prepare a smaller box, or bin."
        return f"The run {memory}." + ("" if memory.fits else " It will take the rows in blocks.")

    def _memory(self, scan: TomoScan | CdiScan, options: Any) -> Memory:
        """Against the GPU's memory only once torch is loaded: a forecast must not wait for an import."""
        device = str(resolve_device(self.device.value)) if "torch" in sys.modules else "cpu"
        return self.recipe.memory(scan, options, device=device)

    # -- a run

    def start(self, row: int | None = None) -> None:
        """Reconstruct the volume, or one slice of it; a second call while a run is on does nothing."""
        if self.task is not None:
            return
        scan, layer = self.chosen, self.scan.value
        if scan is None:
            show_warning("Choose a scan first: drop a file on the window, or open it with the Load widget.")
            return
        try:
            options = self.form.options
            if row is None and not self._fits(scan, options):
                return
        except OptionError as error:
            show_warning(str(error))
            return
        if isinstance(scan, CdiScan):
            scan, row = painted(layer, self.viewer.layers, scan), None
        recipe, device, settings = self.recipe, self.device.value, preferences()
        name = f"{layer.name} · {recipe.title}" + ("" if row is None else f" · slice {row}")
        voxel, n_slices = _expected(scan)
        live = LiveLayer(self.viewer, name, n_slices if row is None else 1, voxel, first_slice=row or 0,
                         hide=layer if settings.display.hide_input else None)  # fmt: skip
        pace = Pace()
        job = Job(
            lambda: recipe.run(ready(scan, row), options, device=device),
            device,
            float(settings.display.preview_interval),
        )
        self._busy(True)
        self.task = start_run(
            job, name,
            on_update=lambda update: self._on_update(live, pace, update),
            on_volume=lambda volume: self._on_volume(live, pace, scan.notices, volume),
            on_error=self._on_error,
            on_end=self._on_end,
        )  # fmt: skip

    def _fits(self, scan: TomoScan | CdiScan, options: Any) -> bool:
        """Whether the volume and its preview have room: if not, refused once with numbers, done if the user insists."""
        if isinstance(scan, CdiScan):
            return True
        _, n_rows, n = scan.shape
        memory = Memory(2 * 4 * n_rows * n * n, available_memory())
        if memory.fits or self._insist == (scan, options):
            return True
        self._insist = (scan, options)
        self.run.text = "Reconstruct anyway"
        show_warning(
            f"The volume of {n_rows} × {n} × {n} voxels {memory}; load fewer rows or bin the projections, "
            "or press again to run anyway."
        )
        return False

    def stop_run(self) -> None:
        """Ask the run to return what it has."""
        if self.task is not None:
            self.task.stop()
            self.stop.enabled = False
            self.status.say("stopping at the next step …")

    def _busy(self, busy: bool) -> None:
        self.run.enabled = self.try_slice.enabled = not busy
        self.stop.enabled = self.bar.visible = busy
        if busy:
            self.bar.min, self.bar.max, self.bar.value = 0, 0, 0
            self.status.say("starting …")

    def _on_update(self, live: LiveLayer, pace: Pace, update: Update) -> None:
        live.update(update.previews)
        if self.task is not None:  # drawing takes far longer in 3-D
            self.task.worker.job.rarely = self.viewer.dims.ndisplay == 3
        if self.alive:
            self.bar.max = max(update.progress.total, 1)
            self.bar.value = min(update.progress.step, update.progress.total)
            if self.stop.enabled:
                self.status.say(pace.line(update.progress))

    def _on_volume(self, live: LiveLayer, pace: Pace, known: tuple[str, ...], volume: Volume) -> None:
        live.finish(volume)
        if live.layer is not None and is_crystal(volume):  # and not the last of its companions
            self.viewer.layers.selection.active = live.layer
        if self.alive:
            self.status.say(summary(volume, pace.seconds, known))

    def _on_error(self, error: Exception) -> None:
        if self.alive:
            self.status.say(f"failed: {error}")
        tell(error)

    def _on_end(self) -> None:
        stopped_elsewhere = self.task is not None and self.task.worker.abort_requested
        self.task = None
        if self.alive:
            self._busy(False)
            self._on_options()
            if stopped_elsewhere:
                self.status.say("ended by napari; the preview is what was reached")

    # -- settings in and out

    def use_settings(self, layer: Any = None) -> None:
        """Fill the form from the history of a volume, the selected one unless it is given."""
        layer = self.viewer.layers.selection.active if layer is None else layer
        provenance = None if layer is None else provenance_of(layer)
        if provenance is None:
            show_warning("Select a volume made by PFITRE in the layer list first.")
            return
        if provenance.recipe not in self.recipes:
            show_warning(f"{layer.name} was made by {provenance.recipe}, which is not among the methods here.")
            return
        self.method.value = provenance.recipe
        try:
            self.form.options = from_dict(self.recipe.options_type, dict(provenance.options))
        except PfitreError as error:
            tell(error)
            return
        self._choose_source(provenance, layer.name)

    def _choose_source(self, provenance: Provenance, name: str) -> None:
        path = provenance.source.get("path")
        self.reset_choices()
        scans = [candidate for candidate in self.scan.choices if candidate is not None]
        same = [s for s in scans if (source := scan_of(s).source) is not None and str(source.path) == path]
        if same:
            named = [s for s in same if name.startswith(s.name)]
            self.scan.value = max(named, key=lambda s: len(s.name)) if named else same[-1]
        elif path:
            show_info(f"These are the settings of {name}; open {path} to run them on the same data.")
            return
        wanted = preparation(provenance)
        if self.chosen is not None and wanted and preparation(self.chosen) != wanted:
            told = ", ".join(f"{option} {value}" for option, value in wanted.items())
            show_warning(f"{name} was made of projections prepared with {told}; do the same in Prepare first.")

    def _copy(self, write: Any, what: str) -> None:
        from qtpy.QtWidgets import QApplication

        scan = self.chosen
        if scan is None:
            show_warning("Choose a scan first.")
            return
        try:
            text = write(scan, self.recipe, self.form.options, self.device.value)
        except PfitreError as error:
            show_warning(str(error))
            return
        QApplication.clipboard().setText(text)
        show_info(f"{what} copied.")


def _expected(scan: TomoScan | CdiScan) -> tuple[tuple[float, float, float] | None, int]:
    """Voxel size and number of slices of the volume to come, as far as they are known before the run."""
    if isinstance(scan, CdiScan):
        if scan.geometry is None:
            return None, 1
        # of a pattern that is still to be cropped the size is about right, and the unit is
        z, y, x = (float(length) for length in np.linalg.norm(scan.geometry.voxels(scan.shape), axis=1))
        return (z, y, x), scan.shape[0]
    if scan.pixel_size is None:
        return None, scan.shape[1]
    return (scan.pixel_size[0], scan.pixel_size[1], scan.pixel_size[1]), scan.shape[1]


def summary(volume: Volume, seconds: float, known: tuple[str, ...]) -> str:
    """How a run went, and what was noticed on the way that the user has not been told: the axis that was found, …"""
    done = f"{'stopped early' if volume.partial else 'done'} after {duration(seconds)}"
    if volume.provenance is None:
        return done
    own, *others = volume.provenance.told(" · ")
    notices = [f"Note: {notice}" for notice in volume.provenance.notices if notice not in known]
    return "\n".join([f"{done} · {own}" if own else done, *others, *notices])
