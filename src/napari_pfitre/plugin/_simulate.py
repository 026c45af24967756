"""The Simulate widget: a scan whose answer is known, to try methods and settings on before they meet real data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, ProgressBar, PushButton
from napari.utils.notifications import show_warning

from ..errors import OptionError
from ..twin import SimulateOptions, Simulation, simulating
from ._caption import show_captions
from ._form import OptionsForm
from ._layers import LayerData, scan_layer, volume_layers
from ._live import add_layers
from ._pace import Pace, duration
from ._panel import Note, Panel, line, rows, slim
from ._worker import Job, RunTask, Update, start_run, tell

if TYPE_CHECKING:
    import napari

__all__ = ["EXAMPLES", "SimulateWidget"]

#: What a beginner may want to see, by name; everything else stays as it is by default.
EXAMPLES: dict[str, dict[str, Any]] = {
    "circuit, 60° missing": {},
    "circuit, 96° missing, misaligned": {
        "process": "any", "angles": 85, "missing": 96.0, "jitter": 1.0, "shifts_known": False, "blur": 2.0,
        "background": 0.02,
    },
    "foam, 30 projections": {"phantom": "foam", "angles": 30, "missing": 0.0},
    "counts, rings, misstated axis": {
        "phantom": "grains", "angles": 181, "missing": 0.0, "photons": 20000.0, "rings": 0.01, "bad_pixels": 0.001,
        "centre_offset": 3.5, "centre_error": -3.5,
    },
}  # fmt: skip


class SimulateWidget(Panel):
    """Choose an object, how it is scanned and what goes wrong; get the projections and the truth as layers."""

    def __init__(self, napari_viewer: napari.viewer.Viewer):
        super().__init__()
        self.viewer = napari_viewer
        self.task: RunTask | None = None
        self._build()
        self._on_form()
        show_captions(napari_viewer)

    def _build(self) -> None:
        self.example = slim(ComboBox(label="Start from", choices=list(EXAMPLES), tooltip="Fills the form below."))
        self.form = OptionsForm(SimulateOptions)
        no_photons = self.form.row("photons").box  # here an empty value is not one found from data
        no_photons.text, no_photons.tooltip = "none", "Ticked: line integrals instead of counts."
        self.show_truth = CheckBox(
            text="show the truth", value=False, tooltip="Otherwise its layer comes hidden, below the projections."
        )
        self.size = Note()
        self.go = PushButton(text="Simulate", tooltip="Add the projections and the truth as layers.")
        self.stop = PushButton(text="Stop", tooltip="Drop this simulation.", enabled=False)
        self.bar = ProgressBar(min=0, max=100, value=0)
        self.status = Note()
        self.fill(
            rows(self.example), self.form, self.show_truth, self.size, line(self.go, self.stop), self.bar, self.status
        )
        self.bar.visible = False
        self.status.say("")
        self.example.changed.connect(self._on_example)
        self.form.changed.connect(self._on_form)
        self.go.clicked.connect(lambda: self.start())
        self.stop.clicked.connect(self.stop_run)

    def _on_example(self, name: str) -> None:
        self.form.options = SimulateOptions(**EXAMPLES[name])

    def _on_form(self, *_: Any) -> None:
        try:
            self.size.say(about(self.form.options))
        except OptionError as error:
            self.size.say(str(error))

    def start(self) -> None:
        """Simulate in a thread; a second call while one is on does nothing."""
        if self.task is not None:
            return
        try:
            options = self.form.options
        except OptionError as error:
            show_warning(str(error))
            return
        pace = Pace()
        self._busy(True)
        self.task = start_run(
            Job(lambda: simulating(options)), f"simulating a {options.phantom}",
            on_update=lambda update: self._on_update(pace, update),
            on_volume=lambda made: self._on_made(pace, made),
            on_error=self._on_error,
            on_end=self._on_end,
        )  # fmt: skip

    def stop_run(self) -> None:
        """End at the next slab."""
        if self.task is not None:
            self.task.stop()
            self.stop.enabled = False
            self.status.say("stopping after this slab …")

    def _busy(self, busy: bool) -> None:
        self.go.enabled = not busy
        self.stop.enabled = self.bar.visible = busy
        if busy:
            self.bar.min, self.bar.max, self.bar.value = 0, 0, 0
            self.status.say("starting …")

    def _on_update(self, pace: Pace, update: Update) -> None:
        if self.alive:
            self.bar.max, self.bar.value = update.progress.total, update.progress.step
            if self.stop.enabled:
                self.status.say(pace.line(update.progress))

    def _on_made(self, pace: Pace, made: Simulation | None) -> None:
        if made is None:
            if self.alive:
                self.status.say("stopped; nothing was added")
            return
        for layer in self.viewer.layers:
            layer.visible = False
        add_layers(self.viewer, as_layers(made, self.alive and self.show_truth.value))
        self.viewer.reset_view()
        if self.alive:
            self.status.say(f"done after {duration(pace.seconds)} · take it to Reconstruct, or to Prepare")

    def _on_error(self, error: Exception) -> None:
        if self.alive:
            self.status.say(f"failed: {error}")
        tell(error)

    def _on_end(self) -> None:
        self.task = None
        if self.alive:
            self._busy(False)


def as_layers(made: Simulation, show_truth: bool = False) -> list[LayerData]:
    """The truth below, the projections above it."""
    truth = volume_layers(made.truth)
    for _, look, _ in truth:
        look["visible"] = show_truth
    return [*truth, scan_layer(made.scan)]


def about(options: SimulateOptions) -> str:
    """What will come out, and what it takes."""
    n_angles, n_rows, n = round(options.angles * (1 - options.lost)), options.slices, options.size
    megabytes = 4 * n_rows * n * (2 * n_angles + n) / 1e6
    return (
        f"{n_angles} projections of {n_rows} × {n} pixels, a volume of {n_rows} × {n} × {n}; about {megabytes:.0f} MB"
    )
