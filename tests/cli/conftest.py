"""A command line to call, and files to call it on."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from napari_pfitre.cli import cli
from napari_pfitre.io import write_scan
from napari_pfitre.twin import SimulateOptions, simulate

SMALL = SimulateOptions(size=32, slices=5, angles=24, missing=40.0, photons=5000.0, phantom="blocks")


@pytest.fixture(scope="session")
def simulation():
    return simulate(SMALL)


@pytest.fixture
def scan_file(simulation, tmp_path):
    """A small scan of counts, with a wedge of 40°."""
    path = tmp_path / "scan.h5"
    write_scan(simulation.scan, path, truth=simulation.truth)
    return path


@pytest.fixture
def call():
    """A function: words of a command line → result with exit_code, stdout, stderr."""
    return lambda *words: CliRunner().invoke(cli, [str(word) for word in words], prog_name="napari-pfitre")
