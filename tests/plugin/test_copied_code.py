"""What "Copy as Python" and "Copy as command" put on the clipboard does what the widget did."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.io import read_scan, read_volume, write_scan
from napari_pfitre.plugin._code import as_command, as_python
from napari_pfitre.plugin._io import loaded
from napari_pfitre.plugin._ready import ready
from napari_pfitre.plugin._renew import part
from napari_pfitre.preprocess import PrepareOptions, prepare
from napari_pfitre.recipes import RECIPES
from napari_pfitre.results import finish
from napari_pfitre.twin import SimulateOptions, simulate

FBP = RECIPES["fbp"]
OPTIONS = FBP.options_type(filter="cosine", cutoff=0.75)


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "chip scan.h5"
    scan, _ = simulate(SimulateOptions(phantom="blocks", size=48, slices=6, angles=40, missing=0, photons=1e5))
    write_scan(scan, path)
    return path


@pytest.fixture(scope="module")
def axisless_file(tmp_path_factory):
    """Line integrals about an axis that the file does not tell."""
    path = tmp_path_factory.mktemp("data") / "chip scan.h5"
    scan, _ = simulate(
        SimulateOptions(phantom="ellipsoids", size=48, slices=4, angles=40, missing=0, centre_offset=2.0)
    )
    write_scan(scan.replace(centre=None), path)
    return path


def by_widget(scan):
    return finish(FBP.run(ready(scan), OPTIONS, device="cpu"))


def cases(path):
    scan = loaded(read_scan(path))
    hinted = loaded(read_scan(path, centre=23.0), {"centre": 23.0})
    return {
        "as opened": scan,
        "with a hint": hinted,
        "rows chosen on loading": part(hinted, "1:4", 1),
        "prepared": prepare(hinted, PrepareOptions(rows="2:5", rings="none", centre=24.5)),
    }


def assert_same(made, expected):
    """Equal but for the order in which the threads of two processes add."""
    np.testing.assert_allclose(made.data, expected.data, atol=1e-4 * np.abs(expected.data).max())


@pytest.mark.parametrize("case", ["as opened", "with a hint", "rows chosen on loading", "prepared"])
def test_the_script_makes_the_same_volume(scan_file, tmp_path, case):
    scan = cases(scan_file)[case]
    script = tmp_path / "script.py"
    script.write_text(as_python(scan, FBP, OPTIONS, "cpu"), encoding="utf-8")
    subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, capture_output=True)
    assert_same(read_volume(tmp_path / "chip scan-fbp.h5"), by_widget(scan))


def test_script_and_command_find_the_axis_as_the_widget_does(axisless_file, tmp_path):
    scan = loaded(read_scan(axisless_file, quantity="line integrals"), {"quantity": "line integrals"})
    expected = by_widget(scan)
    assert expected.provenance.centre == pytest.approx(25.5, abs=1)
    (tmp_path / "script.py").write_text(as_python(scan, FBP, OPTIONS, "cpu"), encoding="utf-8")
    command = shlex.split(as_command(scan, FBP, OPTIONS, "cpu"))[1:]
    for run in (["script.py"], ["-m", "napari_pfitre", *command]):
        subprocess.run([sys.executable, *run], cwd=tmp_path, check=True, capture_output=True)
        made = tmp_path / "chip scan-fbp.h5"
        assert_same(read_volume(made), expected)
        made.unlink()


@pytest.mark.parametrize("case", ["as opened", "with a hint", "rows chosen on loading", "prepared"])
def test_the_command_makes_the_same_volume(scan_file, tmp_path, case):
    scan = cases(scan_file)[case]
    command = shlex.split(as_command(scan, FBP, OPTIONS, "cpu"))
    assert command[:3] == ["napari-pfitre", "run", "fbp"]
    run = [sys.executable, "-m", "napari_pfitre", *command[1:]]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    assert_same(read_volume(tmp_path / "chip scan-fbp.h5"), by_widget(scan))


def test_only_what_was_changed_is_written(scan_file):
    scan = loaded(read_scan(scan_file))
    assert "options_type()" in as_python(scan, FBP, FBP.options_type(), "auto")
    command = as_command(scan, RECIPES["fista-tv"], RECIPES["fista-tv"].options_type(non_negative=False), "auto")
    assert command.endswith("-fista-tv.h5' --no-non-negative")


def test_what_cannot_be_said_is_not_said_wrongly(scan_file, make_scan):
    with pytest.raises(OptionError, match="was not read from a file"):
        as_python(make_scan(), FBP, OPTIONS, "cpu")
    binned = part(loaded(read_scan(scan_file)), None, 2)
    assert "scan = bin(scan, 2)" in as_python(binned, FBP, OPTIONS, "cpu")
    with pytest.raises(OptionError, match="copy it as Python"):
        as_command(binned, FBP, OPTIONS, "cpu")
    twice = prepare(prepare(loaded(read_scan(scan_file))), PrepareOptions(rows="0:2"))
    with pytest.raises(OptionError, match="prepared twice"):
        as_command(twice, FBP, OPTIONS, "cpu")


def test_the_buttons_fill_the_clipboard(make_napari_viewer_proxy, scan_file, notes):
    from qtpy.QtWidgets import QApplication

    viewer = make_napari_viewer_proxy()
    viewer.open(scan_file, plugin="napari-pfitre")
    _, widget = viewer.window.add_plugin_dock_widget("napari-pfitre", "Reconstruct")
    widget.copy_python.native.click()
    assert "pfitre.read_scan(" in QApplication.clipboard().text()
    widget.copy_command.native.click()
    assert QApplication.clipboard().text().startswith("napari-pfitre run fbp")
    assert notes[-1] == ("info", "Command line copied.")
