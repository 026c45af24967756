"""The Prepare widget: from counts to line integrals by options one can see, and the rotation axis found or chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import Label, PushButton, SpinBox
from napari.utils.notifications import show_warning

from ..errors import OptionError
from ..preprocess import CdiPrepareOptions, PrepareOptions
from ..preprocess import ready as prepare
from ..scans import CdiScan, TomoScan
from ._axis import Sweep, search, sweep
from ._caption import show_captions
from ._form import NumberEdit, OptionsForm
from ._layers import LayerData, scan_layers, shown_axis
from ._live import add_layers, contains
from ._panel import Note, Panel, line, rows, slim
from ._patterns import painted
from ._ready import is_prepared
from ._scans import ScanBox, about
from ._worker import Task, start_task, tell

if TYPE_CHECKING:
    import napari

__all__ = ["PrepareWidget"]


class PrepareWidget(Panel):
    """Choose a scan and what happens to it before reconstruction. Reconstruct does without: it takes the defaults."""

    def __init__(self, napari_viewer: napari.viewer.Viewer):
        super().__init__()
        self.viewer = napari_viewer
        self.task: Task | None = None
        self._sweep_layer: Any = None
        self._build()
        self._on_scan()
        show_captions(napari_viewer)

    def _build(self) -> None:
        self.scan = slim(ScanBox(self.viewer, label="Scan", tooltip="Projections or a pattern opened with PFITRE."))
        self.scan_note = Note()
        self.form = OptionsForm(PrepareOptions)
        self.pattern_form = OptionsForm(CdiPrepareOptions)
        self.find_button = PushButton(
            text="Find the axis", tooltip="Search the rotation axis and write it into the form."
        )
        self.axis_note = Note()
        self.row = SpinBox(min=0, max=0, tooltip="Row of the detector to reconstruct, from 0.")
        self.first = NumberEdit(tooltip="First rotation axis to try, column of the detector.")
        self.last = NumberEdit(tooltip="Last rotation axis to try, column of the detector.")
        self.step = NumberEdit(value=1.0, tooltip="From one axis to the next, columns.")
        self.sweep = PushButton(
            text="Sweep", tooltip="One slice by FBP about each of these axes, as a stack to step through."
        )
        self.use = PushButton(text="Use the axis shown", tooltip="Take the axis that the sweep's slider stands at.")
        self.go = PushButton(
            text="Prepare", tooltip="Add the prepared scan as a layer; it is computed where it is looked at."
        )
        self.status = Note()
        for edit, name in ((self.first, "first axis"), (self.last, "last axis"), (self.step, "step")):
            edit.label = name  # for the message when it holds no number
        self.axes = rows(
            line(self.first, Label(value="to"), self.last, Label(value="by"), self.step, label="Try axes"),
            line(self.row, self.sweep, label="In slice", stretch=1),
        )
        self.fill(
            rows(self.scan), self.scan_note, self.form, self.pattern_form, self.find_button, self.axis_note, self.axes,
            self.use, self.go, self.status,
        )  # fmt: skip
        self.scan.changed.connect(self._on_scan)
        self.find_button.clicked.connect(lambda: self.find_axis())
        self.sweep.clicked.connect(lambda: self.sweep_axes())
        self.use.clicked.connect(lambda: self.use_axis())
        self.go.clicked.connect(lambda: self.prepare())

    def _on_scan(self, *_: Any) -> None:
        scan = self.scan.scan
        self.axis_note.say("")
        self.status.say("")
        self._show_for(scan)
        if scan is None:
            self.scan_note.say("No scan yet: drop a file on the window, or open it with Load.")
            return
        self.scan_note.say(about(scan) + ("\nThis one is prepared already." if is_prepared(scan) else ""))
        if isinstance(scan, CdiScan):
            return
        self.row.max = scan.shape[1] - 1
        self.row.value = scan.shape[1] // 2
        self._range_about(scan.middle, 10, 1.0, scan)

    def _show_for(self, scan: TomoScan | CdiScan | None) -> None:
        """The rows that make sense for this kind of scan."""
        pattern = isinstance(scan, CdiScan)
        self.pattern_form.visible = pattern
        for part in (self.form, self.find_button, self.axes, self.use):
            part.visible = not pattern

    def _range_about(self, centre: float, reach: float, step: float, scan: TomoScan) -> None:
        self.first.value = max(0.0, round(centre) - reach)
        self.last.value = min(scan.shape[2] - 1.0, round(centre) + reach)
        self.step.value = step

    # -- work in threads

    def _start(self, make: Any, title: str, on_result: Any) -> None:
        """`make` turns the scan and the options into a function for a thread; what it raises is told at once."""
        if self.task is not None:
            return
        scan = self.scan.scan
        if scan is None:
            show_warning("Choose a scan first: drop a file on the window, or open it with the Load widget.")
            return
        try:
            form = self.pattern_form if isinstance(scan, CdiScan) else self.form
            work = make(scan, form.options)
        except OptionError as error:
            show_warning(str(error))
            return
        self._busy(True, f"{title} …")
        self.task = start_task(work, title, on_result=on_result, on_error=self._on_error, on_end=self._on_end)

    def _busy(self, busy: bool, text: str = "") -> None:
        for button in (self.find_button, self.sweep, self.use, self.go):
            button.enabled = not busy
        self.status.say(text)

    def _on_error(self, error: Exception) -> None:
        tell(error)
        if self.alive:
            self.axis_note.say(f"failed: {error}")

    def _on_end(self) -> None:
        self.task = None
        if self.alive:
            self._busy(False)

    def find_axis(self) -> None:
        """Search the axis; the form takes it when the searches agree."""
        self._start(lambda scan, options: lambda: search(scan, options), "searching the axis", self._on_estimate)

    def _on_estimate(self, estimate: Any) -> None:
        if not self.alive:
            return
        self.axis_note.say(estimate.text)
        scan = self.scan.scan
        if isinstance(scan, TomoScan):
            self._range_about(estimate.column, 5, 0.5, scan)
        if estimate.reliable:
            self.form.row("centre").value = round(estimate.column, 2)

    def sweep_axes(self) -> None:
        """Reconstruct one slice about each axis of the range."""

        def make(scan: TomoScan, options: PrepareOptions) -> Any:
            asked = Sweep(self.row.value, self.first.value, self.last.value, self.step.value)
            return sweep(scan, options, asked, f"{self.scan.value.name} · axis sweep, slice {asked.row}")

        self._start(make, "sweeping the axis", self._on_sweep)

    def _on_sweep(self, made: LayerData) -> None:
        for layer in self.viewer.layers:
            layer.visible = False
        (self._sweep_layer,) = add_layers(self.viewer, [made])
        self.viewer.dims.set_current_step(self.viewer.dims.ndim - 5, made[0].shape[0] // 2)
        self.viewer.reset_view()

    def use_axis(self) -> None:
        """Write the axis that the sweep shows into the form."""
        if self._sweep_layer is None or not contains(self.viewer, self._sweep_layer):
            show_warning("Make a sweep first, then choose an axis by its slider.")
            return
        axis = shown_axis(self._sweep_layer, self.viewer.dims)
        self.form.row("centre").value = axis
        self.axis_note.say(f"The axis is column {axis:g}, chosen from the sweep.")

    def prepare(self) -> None:
        """Add the prepared scan as a layer of its own; Reconstruct then takes that."""
        layer = self.scan.value

        def make(scan: TomoScan | CdiScan, options: Any) -> Any:
            if isinstance(scan, CdiScan):
                scan = painted(layer, self.viewer.layers, scan)
            return lambda: scan_layers(prepare(scan, options), f"{layer.name} · prepared")

        self._start(make, "preparing", lambda made: self._on_prepared(made, layer))

    def _on_prepared(self, made: list[LayerData], source: Any) -> None:
        added = add_layers(self.viewer, made)
        if contains(self.viewer, source):
            source.visible = False
        if len(made) > 1:  # a pattern: smaller than before, and its peak in the middle
            mine = {id(getattr(layer, "__wrapped__", layer)) for layer in added}
            for layer in self.viewer.layers:
                layer.visible = layer.visible and id(getattr(layer, "__wrapped__", layer)) in mine
            self.viewer.layers.selection.active = added[0]
            self.viewer.reset_view()
            middle = made[0][0].shape[0] // 2 * float(added[0].scale[0])
            self.viewer.dims.set_point(self.viewer.dims.ndim - 3, middle)
