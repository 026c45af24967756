"""A line in the corner of the canvas that says what the slider stands at: an angle, a rotation axis."""

from __future__ import annotations

import weakref
from typing import Any

from ._layers import captions_of

__all__ = ["show_captions"]

_watched: weakref.WeakSet = weakref.WeakSet()  # viewers that have a caption already


def show_captions(viewer: Any) -> None:
    """Keep the canvas text of a viewer in step with its sliders; once a viewer is enough."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer in _watched:
        return
    _watched.add(viewer)

    def update(event: Any = None) -> None:
        overlay = _text_overlay(viewer)
        text = _caption(viewer)
        if text:
            overlay.text = text
        if overlay.text in ("", text) or "·" in overlay.text or "rotation axis" in overlay.text:
            overlay.visible = bool(text)

    viewer.dims.events.current_step.connect(update)
    for event in ("inserted", "removed", "reordered"):
        getattr(viewer.layers.events, event).connect(update)
    viewer.layers.selection.events.changed.connect(update)
    update()


def _text_overlay(viewer: Any) -> Any:
    canvas = getattr(viewer, "canvas", None)  # napari ≥ 0.9 keeps overlays there; the old name warns
    overlays = getattr(canvas, "overlays", None)
    return viewer.text_overlay if overlays is None else overlays.text


def _caption(viewer: Any) -> str:
    """The caption of the topmost visible layer that has one; a volume over it hides projections, and their caption."""
    for layer in reversed(viewer.layers):
        if not layer.visible:
            continue
        captions = captions_of(layer)
        if not captions:
            return ""
        axis = viewer.dims.ndim - layer.ndim
        where = (viewer.dims.point[axis] - layer.translate[0]) / layer.scale[0]
        return captions[min(max(round(where), 0), len(captions) - 1)]
    return ""
