"""Small beamline files, written where a test may spoil them."""

from __future__ import annotations

import pytest
from beamline_files import write_exchange, write_nxtomo


@pytest.fixture
def exchange(tmp_path):
    """A function that writes a Data Exchange file and gives its path."""
    return lambda **changes: write_exchange(tmp_path / "scan.h5", **changes)


@pytest.fixture
def nxtomo(tmp_path):
    """A function that writes an NXtomo file and gives its path."""
    return lambda **changes: write_nxtomo(tmp_path / "scan.nx", **changes)
