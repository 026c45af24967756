"""What every command shares: help, versions, errors as sentences; and `doctor`."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import napari_pfitre
from napari_pfitre.cli import checkup, cli
from napari_pfitre.cli.command import Command, LazyGroup, sentence
from napari_pfitre.errors import QuestionError, ReconstructionError
from napari_pfitre.scans import TomoScan


def test_every_command_helps(call):
    for name in cli.list_commands(None):
        result = call(name, "--help")
        assert result.exit_code == 0, result.output
        assert "--help" in result.stdout
        assert name in result.stdout


def test_every_method_helps(call):
    for name, recipe in napari_pfitre.RECIPES.items():
        result = call("run", name, "--help")
        assert result.exit_code == 0, result.output
        of_scan = ("--rows", "--angle-unit") if recipe.scan_type is TomoScan else ("--centre-on",)
        for part in ("--output", "--device", f"{recipe.title} options", *of_scan):
            assert part in result.stdout


def test_version(call):
    assert call("--version").stdout == f"napari-pfitre {napari_pfitre.__version__}\n"


def test_an_unknown_command_is_a_usage_error(call):
    assert call("reconstruct").exit_code == 2


def test_python_dash_m_and_the_script_are_the_same(scan_file):
    script = [sys.executable, "-m", "napari_pfitre", "info", str(scan_file)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert "APS Data Exchange" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ReconstructionError("too dark"), ["too dark"]),
        (QuestionError("which?", hint="angle_unit", choices=("deg", "rad")), ["which?", "--angle-unit deg|rad"]),
        (MemoryError(), ["not enough memory", "--rows"]),
        (PermissionError(13, "Permission denied", "x.h5"), ["x.h5: permission denied"]),
        (KeyError("theta"), ["KeyError", "--traceback", "doctor"]),
    ],
)
def test_errors_as_sentences(error, words):
    for word in words:
        assert word in sentence(error)


@pytest.mark.parametrize(("error", "code"), [(ValueError("odd"), 1), (KeyboardInterrupt(), 130)])
def test_an_error_ends_with_its_exit_code(monkeypatch, error, code):
    def fail():
        raise error

    group = LazyGroup("g", {})
    monkeypatch.setattr(group, "get_command", lambda ctx, name: Command("c", callback=fail))
    assert CliRunner().invoke(group, ["c"]).exit_code == code


def test_a_usage_error_inside_a_command_stays_one(monkeypatch):
    def fail():
        raise click.UsageError("not so")

    group = LazyGroup("g", {})
    monkeypatch.setattr(group, "get_command", lambda ctx, name: Command("c", callback=fail))
    assert CliRunner().invoke(group, ["c"]).exit_code == 2


def test_doctor_tells_what_a_report_needs(call):
    result = call("doctor")
    assert result.exit_code == 0, result.output
    for fact in (
        "napari-pfitre",
        "Python",
        "numpy",
        "torch",
        "Memory",
        "Devices: cpu",
        "Working folder",
        "Qt",
    ):
        assert fact in result.stdout


def test_doctor_fails_when_something_needed_is_missing(call, monkeypatch):
    monkeypatch.setattr(checkup, "REQUIRED", ("numpy", "no-such-package"))
    result = call("doctor")
    assert result.exit_code == 1
    assert "Missing: no-such-package" in result.stdout


def test_benchmark_measures_this_machine(call):
    result = call("benchmark", "--quick")
    assert result.exit_code == 0, result.output
    assert "ms a slice" in result.stdout
    assert "napari-pfitre" in result.stdout
    assert "FISTA-TV" in result.stdout
