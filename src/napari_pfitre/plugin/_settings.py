"""The user's preferences; defaults where napari is too old to keep them (before 0.9)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

__all__ = ["preferences"]

PLUGIN = "napari-pfitre"
_DEFAULTS = {"compute": {"device": "auto"}, "display": {"preview_interval": 0.5, "hide_input": True}}


def preferences() -> Any:
    """Settings as attributes, ``preferences().compute.device``; those of the Preferences page when there is one."""
    try:
        from napari.settings import get_plugin_settings

        found = get_plugin_settings(PLUGIN)
        found.compute.device, found.display.preview_interval, found.display.hide_input  # noqa: B018 (all there?)
    except (ImportError, AttributeError, KeyError, ValueError):
        return SimpleNamespace(**{name: SimpleNamespace(**values) for name, values in _DEFAULTS.items()})
    return found
