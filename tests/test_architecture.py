"""What may know what: imports point down the pipeline, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import napari_pfitre

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "napari", "qtpy", "h5py", "scipy", "numba", "finufft", "magicgui", "skimage", "matplotlib", "dask"}


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a statement loads into a fresh interpreter."""
    names = "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    return set(json.loads(python(f"import sys, json\n{statement}\n{names}")))


def test_imports_point_down_the_pipeline(monkeypatch, capsys):
    cli = pytest.importorskip("importlinter.cli")
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr().out


def test_the_package_itself_loads_nothing_heavy():
    assert loaded_by("import napari_pfitre") & (HEAVY | {"numpy"}) == set()


def test_importing_the_package_takes_under_a_tenth_of_a_second():
    code = "import time; t = time.perf_counter(); import napari_pfitre; print(time.perf_counter() - t)"
    assert statistics.median(float(python(code)) for _ in range(5)) < 0.1


@pytest.mark.parametrize("module", ["io", "preprocess", "scans", "results", "recipes", "plugin._io", "plugin._layers"])
def test_what_opens_a_file_or_shows_a_form_loads_no_torch(module):
    assert "torch" not in loaded_by(f"import napari_pfitre.{module}")


@pytest.mark.parametrize(
    "module",
    ["recipes", "io", "preprocess", "twin", "cli", "demo", "operators", "solvers", "priors", "networks", "training"],
)
def test_the_core_knows_no_window(module):
    assert loaded_by(f"import napari_pfitre.{module}") & {"napari", "qtpy", "superqt", "magicgui"} == set()


def test_help_comes_at_once_and_loads_nothing_heavy():
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "napari_pfitre", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "doctor" in done.stdout
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert loaded & (HEAVY | {"numpy", "rich"}) == set()
    assert time.perf_counter() - started < 2.0  # 0.1 s where nothing else runs


def test_every_public_name_resolves_and_is_listed():
    assert sorted(napari_pfitre.__all__) == dir(napari_pfitre) == sorted(["__version__", *napari_pfitre._HOMES])
    for name in napari_pfitre.__all__:
        assert getattr(napari_pfitre, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="fista"):
        napari_pfitre.fista  # noqa: B018


@pytest.mark.parametrize("name", ["errors", "frames", "io", "metrics", "networks", "operators", "options", "preprocess",
                                  "priors", "recipes", "results", "scans", "solvers", "training", "twin"])  # fmt: skip
def test_all_is_true(name):
    module = import_module(f"napari_pfitre.{name}")
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public), public
