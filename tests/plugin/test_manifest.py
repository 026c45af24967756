"""The manifest, cross-checked: npe2's own validation lets misspelt commands, menus and contributions pass."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from importlib.metadata import distribution, metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from npe2 import PluginManifest
from npe2.manifest.contributions import ContributionPoints

import napari_pfitre

PATH = Path(napari_pfitre.__file__).with_name("napari.yaml")
RAW = yaml.safe_load(PATH.read_text(encoding="utf-8"))
CONTRIBUTIONS = RAW["contributions"]
COMMANDS = {command["id"]: command["python_name"] for command in CONTRIBUTIONS["commands"]}


def test_it_is_valid_and_named_as_the_distribution():
    manifest = PluginManifest.from_file(PATH)
    assert manifest.name == RAW["name"] == metadata("napari-pfitre")["Name"]
    (entry,) = distribution("napari-pfitre").entry_points.select(group="napari.manifest")
    assert entry.value == "napari_pfitre:napari.yaml"


def test_the_link_at_the_top_level_leads_to_it():
    top = Path(__file__).parents[2] / "napari.yaml"
    assert top.resolve() == PATH.resolve()


def test_only_keys_that_npe2_knows():
    assert set(RAW) <= set(PluginManifest.model_fields)
    assert set(CONTRIBUTIONS) <= set(ContributionPoints.model_fields)
    assert "keybindings" not in CONTRIBUTIONS, "napari ignores them"


def test_every_widget_has_but_command_and_name():
    """`default_dock_area` and `tabify` make the manifest invalid for npe2 before 0.10."""
    for widget in CONTRIBUTIONS["widgets"]:
        assert set(widget) == {"command", "display_name"}


def referenced():
    for kind in ("readers", "writers", "widgets", "sample_data"):
        yield from (item["command"] for item in CONTRIBUTIONS[kind])
    for items in CONTRIBUTIONS["menus"].values():
        yield from (item["command"] for item in items if "command" in item)


def test_every_command_referred_to_exists_and_every_command_is_referred_to():
    assert set(referenced()) == set(COMMANDS)
    assert all(name.startswith("napari-pfitre.") for name in COMMANDS)


def test_every_menu_exists():
    from napari._app_model.constants import MenuId

    ours = {submenu["id"] for submenu in CONTRIBUTIONS["submenus"]}
    assert set(CONTRIBUTIONS["menus"]) <= ours | set(MenuId.contributables())
    used = {item["submenu"] for items in CONTRIBUTIONS["menus"].values() for item in items if "submenu" in item}
    assert used == ours


def test_every_condition_uses_context_keys_of_the_layer_list():
    from napari._app_model.context import LayerListContextKeys, LayerListSelectionContextKeys

    known = set(dir(LayerListContextKeys)) | set(dir(LayerListSelectionContextKeys))
    whens = [item["when"] for items in CONTRIBUTIONS["menus"].values() for item in items if "when" in item]
    assert whens
    assert all(when.split()[0] in known for when in whens)


def test_patterns_are_lower_case_extensions():
    """npe2 lower-cases patterns but, of a path, the extension alone: a prefix or a capital would never match."""
    for reader in CONTRIBUTIONS["readers"]:
        assert all(p.startswith("*.") and p == p.lower() for p in reader["filename_patterns"])


@pytest.mark.parametrize(("name", "python_name"), COMMANDS.items())
def test_every_command_resolves_without_loading_torch(name, python_name):
    module, _, attribute = python_name.partition(":")
    code = (
        "import sys; from importlib import import_module;"
        f"assert callable(getattr(import_module({module!r}), {attribute!r}));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_widgets_ask_for_the_viewer_by_name():
    for widget in CONTRIBUTIONS["widgets"]:
        module, _, attribute = COMMANDS[widget["command"]].partition(":")
        assert "napari_viewer" in inspect.signature(getattr(importlib.import_module(module), attribute)).parameters


def test_every_widget_opens_through_napari(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    for widget in CONTRIBUTIONS["widgets"]:
        dock, opened = viewer.window.add_plugin_dock_widget("napari-pfitre", widget["display_name"])
        assert opened is not None
        assert dock.name in viewer.window.dock_widgets


def test_every_sample_opens_through_napari(make_napari_viewer_proxy):
    from napari_pfitre.plugin._layers import scan_of

    viewer = make_napari_viewer_proxy()
    for sample in CONTRIBUTIONS["sample_data"]:
        before = len(viewer.layers)
        viewer.open_sample("napari-pfitre", sample["key"])
        added = list(viewer.layers)[before:]
        assert sum(scan_of(layer) is not None for layer in added) == 1
        assert not added[0].visible  # the truth
        assert np.isfinite(added[0].data).all()
    assert viewer.layers.extent.units is not None


@pytest.mark.parametrize("name", ["get_reader", "write_hdf5", "write_tiff"])
def test_reader_and_writers_explain_themselves_in_the_command_palette(name, npe2pm, notes):
    """napari lists them there and calls them without a path."""
    with npe2pm.tmp_plugin(package="napari-pfitre"):
        npe2pm.commands.execute(f"napari-pfitre.{name}")
    severity, text = notes[-1]
    assert severity == "info"
    assert "File ▸" in text or "drop" in text


def test_preferences_come_from_the_page_that_napari_makes(make_napari_viewer_proxy):
    from napari_pfitre.plugin._settings import _DEFAULTS, preferences

    make_napari_viewer_proxy()
    declared = {
        group: {name: prop["default"] for name, prop in page["properties"].items()}
        for group, page in CONTRIBUTIONS["configurations"].items()
    }
    assert declared == _DEFAULTS, "the fallback says the same"
    settings = preferences()
    assert settings.compute.device == "auto"
    assert not isinstance(settings, SimpleNamespace)
    settings.compute.device = "cpu"
    assert preferences().compute.device == "cpu"
    settings.compute.device = "auto"


def test_preferences_fall_back_where_napari_has_none(monkeypatch):
    import napari.settings

    from napari_pfitre.plugin._settings import preferences

    monkeypatch.delattr(napari.settings, "get_plugin_settings")
    assert preferences().display.preview_interval == 0.5
    assert preferences().compute.device == "auto"
