"""What the Load widget shows of a file: its datasets as a tree, its angles on a half-circle, a frame of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QTreeWidget, QTreeWidgetItem, QWidget

from ..frames import size_text
from ..io import DatasetInfo
from ..scans import TomoScan

__all__ = ["DatasetTree", "HalfCircle", "Thumbnail", "thumbnail"]

_SIDE = 128  #: pixels of a thumbnail


class DatasetTree(QTreeWidget):
    """Datasets under their groups, with shape, type, size and compression; a double click chooses one."""

    chosen = Signal(str)

    def __init__(self):
        super().__init__()
        self.setHeaderLabels(["dataset", "shape", "type", "stored"])
        self.setMaximumHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setToolTip("Double-click a dataset to read it instead of the one that was found.")
        self.itemDoubleClicked.connect(self._on_double_click)

    def show_datasets(self, datasets: tuple[DatasetInfo, ...], read: str = "") -> None:
        """Fill the tree; the dataset called `read` is in bold."""
        self.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for dataset in datasets:
            if not dataset.path:
                continue
            *parents, name = dataset.path.strip("/").split("/")
            item = QTreeWidgetItem([name, " × ".join(map(str, dataset.shape)), dataset.dtype, _stored(dataset)])
            item.setData(0, Qt.ItemDataRole.UserRole, dataset.path)
            item.setToolTip(0, str(dataset))
            if dataset.path == read:
                font = item.font(0)
                font.setBold(True)
                item.setFont(0, font)
            self._under(parents, groups).addChild(item)
        self.expandAll()
        for column in range(4):
            self.resizeColumnToContents(column)
        self.setVisible(bool(groups) or self.topLevelItemCount() > 0)

    def _under(self, parents: list[str], groups: dict[str, QTreeWidgetItem]) -> QTreeWidgetItem:
        above = self.invisibleRootItem()
        for depth in range(len(parents)):
            path = "/".join(parents[: depth + 1])
            if path not in groups:
                groups[path] = QTreeWidgetItem([parents[depth]])
                above.addChild(groups[path])
            above = groups[path]
        return above

    def _on_double_click(self, item: QTreeWidgetItem, *_: Any) -> None:
        if path := item.data(0, Qt.ItemDataRole.UserRole):
            self.chosen.emit(path)

    def paths(self) -> list[str]:
        """The datasets that are shown."""
        out, queue = [], [self.invisibleRootItem()]
        while queue:
            item = queue.pop(0)
            queue += [item.child(at) for at in range(item.childCount())]
            if path := item.data(0, Qt.ItemDataRole.UserRole):
                out.append(path)
        return out


def _stored(dataset: DatasetInfo) -> str:
    parts = [size_text(dataset.stored or dataset.nbytes), dataset.compression, dataset.note]
    return ", ".join(part for part in parts if part)


class HalfCircle(QWidget):
    """The directions that were measured, modulo half a turn, and the missing wedge between them.

    0° is to the right and angles grow anticlockwise, as in docs/conventions.md.
    """

    def __init__(self):
        super().__init__()
        self.degrees = np.empty(0)
        self.wedges: list[tuple[float, float]] = []
        self.setMinimumSize(QSize(150, 92))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_scan(self, scan: TomoScan | None) -> None:
        """Draw the angles of a scan; nothing when there is none."""
        self.degrees = np.empty(0) if scan is None else np.unique(np.round(np.rad2deg(scan.angles) % 180, 1))
        self.wedges = [] if scan is None else [(wedge.start, wedge.width) for wedge in scan.missing_wedges]
        missing = sum(width for _, width in self.wedges)
        self.setToolTip(f"{self.degrees.size} directions; {missing:.4g}° of 180° missing" if self.degrees.size else "")
        self.setVisible(scan is not None)
        self.update()

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = min((self.width() - 70) / 2, self.height() - 24)
        middle = QPointF(self.width() / 2, self.height() - 8)
        box = QRectF(middle.x() - radius, middle.y() - radius, 2 * radius, 2 * radius)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(200, 70, 60, 110))
        for start, width in self.wedges:
            # a wedge may pass the end of the half-circle and go on at its beginning
            first = start % 180
            for low, high in ((first, min(first + width, 180)), (0, first + width - 180)):
                if high > low:
                    path = QPainterPath(middle)
                    path.arcTo(box, low, high - low)
                    path.closeSubpath()
                    painter.drawPath(path)
        colour = self.palette().text().color()
        painter.setPen(QPen(QColor(90, 170, 250, 200), 1))
        for angle in np.deg2rad(self.degrees[:: max(1, self.degrees.size // 360)]):
            painter.drawLine(middle, middle + QPointF(radius * math.cos(angle), -radius * math.sin(angle)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1))
        painter.drawArc(box, 0, 180 * 16)
        for angle, text in ((0, "0°"), (90, "90°"), (180, "180°")):
            at = middle + QPointF(
                (radius + 16) * math.cos(math.radians(angle)), -(radius + 8) * math.sin(math.radians(angle))
            )
            painter.drawText(QRectF(at.x() - 20, at.y() - 8, 40, 16), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class Thumbnail(QLabel):
    """One small grey picture."""

    def __init__(self):
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_image(self, image: np.ndarray | None) -> None:
        """An array of bytes, (row, column); None for nothing."""
        self.setVisible(image is not None)
        if image is None:
            return
        height, width = image.shape
        picture = QImage(np.ascontiguousarray(image).tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
        self.setPixmap(QPixmap.fromImage(picture.copy()))


def thumbnail(scan: TomoScan) -> np.ndarray:
    """The middle projection, thinned out to 128 pixels and stretched to its percentiles 1 and 99, as bytes."""
    n_frames, n_rows, n_columns = scan.shape
    frame = np.asarray(scan.projections[n_frames // 2], dtype=np.float64)
    step = max(1, math.ceil(max(n_rows, n_columns) / _SIDE))
    grow = max(1, _SIDE // max(n_rows, n_columns))
    small = frame[::step, ::step].repeat(grow, 0).repeat(grow, 1)
    finite = small[np.isfinite(small)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(small, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12)
    return (255 * np.clip(scaled, 0, 1)).astype(np.uint8)
