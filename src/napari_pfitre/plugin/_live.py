"""A run's result as one layer: it appears with the first preview and becomes the volume at the end.

All of this happens in the main thread. The layer is held as an object: it may be renamed, hidden or deleted meanwhile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..results import Preview, Volume
from ._layers import contrast_limits, volume_layers

__all__ = ["LiveLayer", "add_layers", "contains"]


def contains(viewer: Any, layer: Any) -> bool:
    """Whether a layer is (still) in the viewer."""
    layer = getattr(layer, "__wrapped__", layer)
    return any(getattr(other, "__wrapped__", other) is layer for other in viewer.layers)


def add_layers(viewer: Any, layers: list) -> list:
    """Add LayerData of any kind; the layers as added."""
    return [getattr(viewer, f"add_{kind}")(data, **about) for data, about, kind in layers]


class LiveLayer:
    """One layer that follows a run.

    Parameters
    ----------
    shape
        (rows, columns) of the scan; a volume has as many slices as rows.
    first_slice
        Where a slab stands in the whole volume.
    hide
        Layer to hide when the first preview is shown, usually the input.
    """

    def __init__(self, viewer: Any, name: str, rows: int, voxel_size, *, first_slice: int = 0, hide: Any = None):
        self.viewer, self.name, self.rows = viewer, name, rows
        self.voxel_size, self.first_slice, self.hide = voxel_size, first_slice, hide
        self.layer: Any = None
        self._data: np.ndarray | None = None
        self._limits: tuple[float, float] | None = None
        self._dropped = self._finished = False

    def update(self, previews: tuple[Preview, ...]) -> None:
        """Show some slices as they stand now."""
        if not previews or self._finished or self._gone():
            return
        for start, slices in previews:
            self._store(start, slices)
        if self.layer is None:
            self._add(Volume(self._data, self.voxel_size, name=self.name))
            self._show_slice(previews[0])
        else:
            self.layer.refresh()
        self._follow_contrast(previews[-1].data)

    def _store(self, start: int, slices: np.ndarray) -> None:
        if self._data is None or self._data.shape[1:] != slices.shape[1:]:
            self._data = np.zeros((max(self.rows, start + len(slices)), *slices.shape[1:]), np.float32)
            if self.layer is not None:
                self.layer.data = self._data
        self._data[start : start + len(slices)] = slices

    def _gone(self) -> bool:
        """Whether the user has deleted the layer; then only the final volume is added again."""
        if self.layer is not None and not contains(self.viewer, self.layer):
            self._dropped, self.layer = True, None
        return self._dropped

    def _add(self, volume: Volume) -> None:
        if self.hide is not None and contains(self.viewer, self.hide):
            self.hide.visible = False
        self.layer = add_layers(self.viewer, volume_layers(volume, self.name, self.first_slice)[:1])[0]
        self._limits = tuple(self.layer.contrast_limits)
        self.viewer.reset_view()

    def _show_slice(self, preview: Preview) -> None:
        axis = self.viewer.dims.ndim - 3
        middle = preview.start + len(preview.data) // 2
        self.viewer.dims.set_point(axis, float(self.layer.translate[0] + middle * self.layer.scale[0]))

    def _follow_contrast(self, sample: np.ndarray) -> None:
        """Contrast follows the data until the user moves the slider."""
        if tuple(self.layer.contrast_limits) == self._limits:
            self._set_limits(contrast_limits(sample))

    def _set_limits(self, limits: tuple[float, float]) -> None:
        low, high = self.layer.contrast_limits_range
        self.layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
        self.layer.contrast_limits = limits
        self._limits = tuple(self.layer.contrast_limits)

    def finish(self, volume: Volume) -> list:
        """Turn the preview into the volume, or add the volume when there is no preview; the layers of the result."""
        self._gone()
        self._finished = True  # a preview that arrives later must not take the volume's place
        name = f"{self.name} · stopped early" if volume.partial else self.name
        made = volume_layers(volume, name, self.first_slice)
        if self.layer is None:
            added = add_layers(self.viewer, made)
            self.layer = added[0]
            if not self._dropped:
                if self.hide is not None and contains(self.viewer, self.hide):
                    self.hide.visible = False
                self.viewer.reset_view()
                self._show_slice(Preview(0, volume.data))
            return added
        data, about, _ = made[0]
        self.layer.data = data
        self.layer.metadata = about["metadata"]
        self.layer.scale, self.layer.translate = about["scale"], about["translate"]
        if "units" in about and tuple(str(unit) for unit in self.layer.units) != about["units"]:
            self.layer.units = about["units"]  # a preview came before the voxel size was known
            self.viewer.reset_view()
        if tuple(self.layer.contrast_limits) == self._limits:
            self._set_limits(about["contrast_limits"])
        if self.layer.name.startswith(self.name):
            self.layer.name = name
        return [self.layer, *add_layers(self.viewer, made[1:])]
