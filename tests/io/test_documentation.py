"""The page on formats is true: its tables are those of the code, and the files it names are those of the tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from napari_pfitre.io.places import PLACES
from napari_pfitre.io.reading import FORMATS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("formats", ROOT / "docs" / "formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_code(script):
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert script.rewritten(text) == text, "run: python docs/formats.py"
    with pytest.raises(LookupError, match="volumes"):
        script.rewritten(text.replace("table: volumes", "table volumes"))


@pytest.mark.parametrize("row", [*FORMATS, *PLACES], ids=lambda row: row.name)
def test_files_that_a_row_names_are_read_in_a_test(row):
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for name in row.tested.split(", "):
        assert name == "constructed" or name in tests, f"{name} is in no test"
