"""The scans among a viewer's layers, and what to say of one."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox

from ..scans import CdiScan, TomoScan
from ._layers import scan_of
from ._patterns import pattern_about

__all__ = ["ScanBox", "about"]


class ScanBox(ComboBox):
    """A choice among the layers that show scans; a scan that comes in (opened, prepared) is chosen at once."""

    def __init__(self, viewer: Any, **kwargs: Any):
        self._viewer = viewer
        self._known: weakref.WeakSet = weakref.WeakSet()
        super().__init__(choices=self._scans, **kwargs)
        self._life = life = ["alive"]  # a layer may tell of itself when the box is gone
        self.native.destroyed.connect(lambda *_: life.clear())
        self._watch([layer for _, layer in self._scans()])

    def _scans(self, *_: Any) -> list[tuple[str, Any]]:
        """(name, layer), the one on top first."""
        layers = [getattr(layer, "__wrapped__", layer) for layer in reversed(self._viewer.layers)]
        return [(layer.name, layer) for layer in layers if scan_of(layer) is not None]

    def reset_choices(self, *_: Any) -> None:
        super().reset_choices()
        new = [layer for _, layer in self._scans() if layer not in self._known]
        self._watch(new)
        if new:
            self.value = new[0]

    def _watch(self, layers: list[Any]) -> None:
        self._known.update(layers)
        for layer in layers:
            layer.events.metadata.connect(self._on_metadata)

    def _on_metadata(self, event: Any) -> None:
        """The chosen layer shows another scan: its file was read again."""
        if self._life and self.value is event.source:
            self.changed.emit(self.value)

    @property
    def scan(self) -> TomoScan | CdiScan | None:
        return None if self.value is None else scan_of(self.value)


def about(scan: TomoScan | CdiScan) -> str:
    """A scan in a few words: 51 projections of 84 × 150, emission, 96° missing, …"""
    if isinstance(scan, CdiScan):
        return pattern_about(scan)
    n_angles, n_rows, n_columns = scan.shape
    degrees = np.rad2deg(scan.angles)
    words = [
        f"{n_angles} projections of {n_rows} × {n_columns} pixels",
        scan.quantity,
        f"angles {degrees.min():.4g}° to {degrees.max():.4g}°",
    ]
    words += [f"{wedge.width:.3g}° missing" for wedge in scan.missing_wedges] or ["no angles missing"]
    words.append(
        "axis not known, searched before the first run" if scan.centre is None else f"axis at column {scan.centre:.4g}"
    )
    if scan.pixel_size is not None:
        words.append(
            f"pixel {scan.pixel_size[1] * 1e9:.4g} nm"
            if scan.pixel_size[1] < 1e-6
            else f"pixel {scan.pixel_size[1] * 1e6:.4g} µm"
        )
    text = " · ".join(words)
    return "\n".join([text, *(f"Note: {notice}" for notice in scan.notices)])
