"""The page on the command line is true: its tables are the options, and its commands are all of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from napari_pfitre.cli import cli

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def tables():
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_the_options(tables):
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert tables.rewritten(text) == text, "run: python docs/tables.py"


def test_a_changed_default_is_noticed(tables):
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert tables.rewritten(text.replace("| 200 |", "| 201 |")) == text
    with pytest.raises(LookupError, match="fbp"):
        tables.rewritten(text.replace("options: fbp", "options fbp"))


def test_every_command_has_its_chapter():
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, flags=re.MULTILINE) == cli.list_commands(None)
