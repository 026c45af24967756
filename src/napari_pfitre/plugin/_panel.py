"""What the dock widgets share: a column of rows that scrolls where the dock is low and wraps where it is narrow."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QComboBox, QFrame, QScrollArea, QSizePolicy

__all__ = ["Note", "Panel", "line", "rows", "slim"]


class Note(Label):
    """A sentence or two that wrap at the dock's width and can be copied."""

    def __init__(self, text: str = "", **kwargs: Any):
        super().__init__(value=text, **kwargs)
        self.native.setWordWrap(True)
        self.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.native.setSizePolicy(policy)

    def say(self, text: str) -> None:
        """Show a text; an empty one takes no room."""
        self.value = text
        self.visible = bool(text)


def line(*widgets: Widget, stretch: int | None = None, **kwargs: Any) -> Container:
    """Widgets side by side; the one at `stretch` takes the room that is left."""
    row = Container(layout="horizontal", widgets=widgets, labels=False, **kwargs)
    row.margins = (0, 0, 0, 0)
    if stretch is not None:
        row.native.layout().setStretch(stretch, 1)
    return row


def rows(*widgets: Widget) -> Container:
    """Widgets below each other, their labels in a column to the left."""
    group = Container(widgets=widgets, labels=True)
    group.margins = (0, 0, 0, 0)
    return group


def slim(box: ComboBox) -> ComboBox:
    """Let a choice be narrower than its longest entry."""
    box.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.native.setMinimumContentsLength(6)
    box.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


class Panel(QScrollArea):
    """A dock widget. Subclasses put their rows in with `fill`.

    A scrollable magicgui container would lose its scroll bar in napari's dock, which takes the inner widget only.
    """

    def __init__(self):
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._column = Container(labels=False)
        self._column.margins = (4, 4, 4, 4)
        self._column.native.layout().setSpacing(4)
        self.setWidget(self._column.native)
        self._life = life = ["alive"]  # outlives the widget: slots of a run may be called when it is gone
        self.destroyed.connect(lambda *_: life.clear())

    def fill(self, *widgets: Widget) -> None:
        self._column.extend(widgets)
        self._column.native.layout().addStretch(1)

    @property
    def alive(self) -> bool:
        """Whether there is still a widget to write to."""
        return bool(self._life)

    def reset_choices(self, *_: Any) -> None:
        """napari calls this when layers come, go or are renamed."""
        if self.alive:
            self._column.reset_choices()

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._column.native.minimumSizeHint().width() + bar, 120)

    def sizeHint(self) -> QSize:
        return QSize(max(340, self.minimumSizeHint().width()), 700)
