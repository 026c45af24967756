"""The Load widget: what is in a file, and what the user may decide before anything of it is read."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, FileEdit, LineEdit, PushButton, SpinBox
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QTimer

from ..errors import OptionError, PfitreError, QuestionError
from ..frames import size_text
from ..io import FileReport, ReadHints, inspect_file, read_scan
from ..options import as_dict
from ._caption import show_captions
from ._contents import DatasetTree, HalfCircle, Thumbnail, thumbnail
from ._form import OptionsForm
from ._io import loaded, opened_volume, too_large
from ._layers import LayerData, scan_layer, scan_layers
from ._live import add_layers, contains
from ._memory import kept_hints, remember
from ._panel import Note, Panel, rows, slim
from ._renew import Renewal, part, read_again, renew, shown
from ._worker import Task, start_task, tell

if TYPE_CHECKING:
    import napari

__all__ = ["LoadWidget"]

_FILES = "Scans (*.h5 *.hdf5 *.hdf *.nxs *.nx *.tif *.tiff *.emd *.hspy *.mrc *.st *.ali *.mat *.npz);;All files (*)"
_PATIENCE = 400  # ms without typing before a changed hint is tried


class LoadWidget(Panel):
    """Choose a file, see what it holds, answer what it leaves open, open all or part of it."""

    def __init__(self, napari_viewer: napari.viewer.Viewer):
        super().__init__()
        self.viewer = napari_viewer
        self.task: Task | None = None
        self.report: FileReport | None = None
        self._again = False  # the file or a hint changed while the file was being looked at
        self._renewing = False  # the next look is to read the file's layers again, too
        self._told = ""
        self._build()
        self._unfold(False)
        show_captions(napari_viewer)

    def _build(self) -> None:
        self.file = FileEdit(label="File", filter=_FILES, nullable=True, tooltip="HDF5 of a beamline, or a TIFF stack.")
        self.holds = Note("Choose a file to see what it holds; nothing is read before you press Open.")
        self.tree, self.circle, self.picture = DatasetTree(), HalfCircle(), Thumbnail()
        self.again = PushButton(
            text="Look again",
            enabled=False,
            tooltip="Of a file that is still being written; its layers show what came.",
        )
        shown = Container(labels=False)
        shown.margins = (0, 0, 0, 0)
        for widget in (self.picture, self.circle, self.tree):
            widget.hide()
            shown.native.layout().addWidget(widget)
        self.dataset = ComboBox(label="Dataset", choices=[("as found", None)],
                                tooltip="Where the projections are, if not where they were found.")  # fmt: skip
        self.rows = LineEdit(label="Rows", tooltip="Detector rows to open, first:end as in 100:200; all when empty.")
        self.rows.native.setPlaceholderText("all")
        self.binning = SpinBox(
            label="Bin (px)", min=1, max=64, value=1, tooltip="Average blocks of this many pixels squared."
        )
        self.fold = PushButton(text="", tooltip="Say what the file does not say itself, or says wrongly.")
        self.hints = OptionsForm(ReadHints, leave_out=("dataset",))
        self.question = Note()
        self.answer = slim(ComboBox(label="Answer", choices=[("choose …", None)], tooltip="Answers that would do."))
        self.open = PushButton(text="Open", enabled=False, tooltip="Add the projections, or the volume, as a layer.")
        self.status = Note()
        slim(self.dataset)
        self.answers_row = rows(self.answer)
        self.fill(rows(self.file), self.holds, shown, self.again, rows(self.dataset, self.rows, self.binning),
                  self.question,
                  self.answers_row, self.fold, self.hints, self.open, self.status)  # fmt: skip
        self._ask_for("", "")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE)
        self._timer.timeout.connect(self.look)
        self.file.changed.connect(self._on_file)
        self.dataset.changed.connect(lambda: self.look())
        self.hints.changed.connect(lambda: self._timer.start())
        self.answer.changed.connect(self._on_answer)
        self.tree.chosen.connect(self._on_tree)
        self.again.clicked.connect(lambda: self.look_again())
        self.fold.clicked.connect(lambda: self._unfold(not self.hints.visible))
        self.open.clicked.connect(lambda: self.open_file())

    def _unfold(self, show: bool) -> None:
        self.hints.visible = show
        self.fold.text = "▾ hints for the reader" if show else "▸ hints for the reader"

    # -- what was chosen

    @property
    def path(self) -> Path | None:
        value = self.file.value
        return None if value is None or str(value) in ("", ".") else Path(value)

    def answers(self) -> dict[str, Any]:
        """The hints that were given.

        Raises
        ------
        OptionError
            When one of them cannot be.
        """
        values = as_dict(self.hints.options_type(dataset=self.dataset.value, **_values(self.hints)))
        return {name: value for name, value in values.items() if value is not None}

    def _on_file(self, *_: Any) -> None:
        self.report = None
        with self.dataset.changed.blocked(), self.hints.changed.blocked():
            self.dataset.choices = [("as found", None)]
            # what was said of another file says nothing about this one, but what was said of this one holds
            kept = {} if self.path is None else kept_hints(self.path)
            dataset = kept.pop("dataset", None)
            self.hints.options = ReadHints(**kept)
            if dataset is not None:
                self.dataset.choices = [("as found", None), (dataset, dataset)]
                self.dataset.value = dataset
        self.again.enabled = self.path is not None
        self._timer.stop()
        self.look()

    # -- looking into the file

    def look_again(self) -> None:
        """Look into the file, and let the layers that it was opened as show what it holds by now."""
        self._renewing = True
        self.look()

    def look(self) -> None:
        """Look into the file with the hints as they are, in a thread."""
        if self.task is not None:
            self._again = True
            return
        path = self.path
        if path is None:
            return
        try:
            answers = self.answers()
        except OptionError as error:
            self._ask_for("", str(error))
            return
        self.open.enabled = False
        self.status.say("looking into the file …")
        old = shown(self.viewer.layers, path) if self._renewing else []
        self._renewing, self._told = False, ""
        self.task = start_task(
            lambda: (*looked(path, answers), read_again(old)), f"looking into {path.name}",
            on_result=self._on_report, on_error=self._on_error, on_end=self._on_end,
        )  # fmt: skip

    def _on_tree(self, path: str) -> None:
        if path in self.dataset.choices:
            self.dataset.value = path

    def _on_report(self, found: tuple[FileReport, Any, list[Renewal]]) -> None:
        report, image, renewals = found
        told = [renew(renewal) for renewal in renewals if contains(self.viewer, renewal.layer)]
        for sentence in told:
            show_info(sentence)
        if not self.alive:
            return
        self._told = "; ".join(told)
        self.report = report
        self.holds.say(as_html(report) + forecast(report))
        self.picture.show_image(image)
        self.circle.show_scan(report.scan)
        source = report.scan.source if report.scan is not None else None
        self.tree.show_datasets(report.datasets, "" if source is None else source.dataset)
        self.open.enabled = report.usable
        if [name for name in self.dataset.choices if name] != [dataset.path for dataset in report.datasets]:
            with self.dataset.changed.blocked():
                chosen = self.dataset.value
                self.dataset.choices = [("as found", None), *((d.path, d.path) for d in report.datasets if d.path)]
                self.dataset.value = chosen
        problem = None if report.usable else report.problem
        text = "" if problem is None else str(problem)
        self._ask_for(getattr(problem, "hint", ""), text, getattr(problem, "choices", ()))

    def _ask_for(self, hint: str, text: str, choices: tuple[str, ...] = ()) -> None:
        """Show a question, and put the cursor where its answer goes."""
        self.question.say(f"<b>{_breakable(text)}</b>" if text else "")
        with self.answer.changed.blocked():
            self.answer.choices = [("choose …", None), *((choice, (hint, choice)) for choice in choices)]
        self.answers_row.visible = bool(choices)
        if hint in self.hints.names:
            self._unfold(True)
            self.hints.row(hint).native.setFocus()
        elif hint == "dataset":
            self.dataset.native.setFocus()

    def _on_answer(self, answer: tuple[str, str] | None) -> None:
        if answer is None:
            return
        hint, value = answer
        if hint == "dataset":
            self.dataset.value = value
        elif hint in self.hints.names:
            self.hints.row(hint).value = value

    def _on_error(self, error: Exception) -> None:
        tell(error)

    def _on_end(self) -> None:
        self.task = None
        if self.alive:
            self.status.say(self._told)
            if self._again:
                self._again = False
                self.look()

    def ask(self, path: Path, question: QuestionError) -> None:
        """Show a file that cannot be opened before a question is answered; a file that was dropped ends here."""
        self.file.value = path
        self._ask_for(question.hint, str(question), question.choices)
        show_warning(f"{question} (see the Load widget)")

    # -- opening it

    def open_file(self) -> None:
        """Add what the file holds as a layer; reading headers and a few frames happens in a thread."""
        if self.task is not None:
            return
        path, report = self.path, self.report
        if path is None or report is None or not report.usable:
            show_warning("Choose a file that can be opened first.")
            return
        try:
            answers = self.answers()
        except OptionError as error:
            show_warning(str(error))
            return
        kept, by = self.rows.value.strip() or None, self.binning.value
        if report.pattern is not None:
            work = lambda: scan_layers(loaded(read_scan(path, **answers), answers))  # noqa: E731
        elif report.scan is None:
            work = lambda: opened_volume(path, answers.get("links"))  # noqa: E731 (the alternative to the one below)
        else:
            work = lambda: [scan_layer(part(loaded(read_scan(path, **answers), answers), kept, by))]  # noqa: E731
        self.open.enabled = False
        self._told = ""
        self.status.say("opening …")
        self.task = start_task(work, f"opening {path.name}",
                               on_result=self._on_layers, on_error=self._on_error, on_end=self._on_opened)  # fmt: skip

    def _on_layers(self, layers: list[LayerData]) -> None:
        if self.path is not None and self.report is not None and self.report.volume is None:
            remember(self.path, self.answers())
        add_layers(self.viewer, layers)
        self.viewer.reset_view()

    def _on_opened(self) -> None:
        self._on_end()
        if self.alive:
            self.open.enabled = self.report is not None and self.report.usable


def looked(path: Path, answers: dict[str, Any]) -> tuple[FileReport, Any]:
    """What a file holds, and a small picture of its middle projection, or None."""
    report = inspect_file(path, **answers)
    try:
        return report, None if report.scan is None else thumbnail(report.scan)
    except PfitreError:  # a damaged frame; the report stands
        return report, None


def forecast(report: FileReport) -> str:
    """How the projections, or a volume, compare with the memory that is free, as a line of HTML; or nothing."""
    import psutil

    if report.volume is not None:
        needed = 4 * math.prod(report.volume.shape)
        how = f"is read into memory: {size_text(needed)}"
        if too_large(report.volume.shape):
            how = f"of {size_text(needed)} is read slice by slice, as it is shown; the 3-D view takes all of it"
        return f"<br><b>memory</b>: the volume {how} ({size_text(psutil.virtual_memory().available)} are free)"
    if report.scan is None:
        return ""

    angles, rows, columns = report.scan.shape
    needed, free = 4 * angles * rows * columns, psutil.virtual_memory().available
    share = f"{100 * needed / free:.2g} % of the memory that is free" if free else "more than there is"
    what = "" if needed < 0.5 * free else "; choose rows or bin them before you prepare all of it"
    return (
        f"<br><b>memory</b>: opening reads nothing; all of it as float32 is {size_text(needed)}, {share} "
        f"({size_text(free)}){what}"
    )


def _values(form: OptionsForm) -> dict[str, Any]:
    return {name: form.row_value(name) for name in form.names}


def as_html(report: FileReport) -> str:
    """The report as a narrow label shows it: names in bold, long values wrapped."""
    first, *rest = report.lines()
    lines = [f"<b>{_breakable(first)}</b>"]
    for text in rest:
        name, value = text[:14].strip(), text[14:]  # two columns for a terminal
        if name in ("question", "problem"):
            continue  # it stands by the form that answers it
        lines.append(f"<b>{_breakable(name)}</b>: {_breakable(value.strip())}" if value else _breakable(name))
    return "<br>".join(lines)


def _breakable(text: str) -> str:
    """Escaped, and a long HDF5 path may break after each of its parts."""
    return html.escape(text).replace("/", "/\u200b")
