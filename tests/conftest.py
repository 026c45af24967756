"""Where the real files are, and small scans to try things on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_file():
    """A function: name under the folder of real files → path; skips when it is not there."""
    folder = Path(os.environ.get("NAPARI_PFITRE_TEST_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"real file {name} not found; set NAPARI_PFITRE_TEST_DATA to the folder that holds it")
        return path

    return find
