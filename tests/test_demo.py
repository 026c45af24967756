"""The demo, small: every file it promises, and figures that are those of its volumes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from napari_pfitre import read_scan, read_volume
from napari_pfitre.demo import METHODS, chip, compare, demo
from napari_pfitre.twin import SimulateOptions

SMALL = SimulateOptions(size=48, slices=4, angles=30, missing=60.0, photons=2e4, phantom="blocks")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, list(demo(folder, SMALL))


def test_every_file_is_there_and_can_be_read(told):
    folder, lines = told
    names = ["scan.h5", "fbp.h5", "fbp.tif", "fista-tv.h5", "fista-tv.tif", "pfitre.h5", "pfitre.tif"]
    names += ["pfitre_network___data.tif", "pfitre_not_measured.tif", "comparison.png"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert [line.split(":")[0] for line in lines[: len(names)]] == [str(folder / name) for name in names]
    assert read_scan(folder / "scan.h5").quantity == "counts"
    for name in METHODS:
        volume = read_volume(folder / f"{name}.h5")
        np.testing.assert_array_equal(volume.data, read_volume(folder / f"{name}.tif").data)
        assert volume.provenance.recipe == name
        assert volume.provenance.source["path"] == str(folder / "scan.h5")


def test_each_method_is_nearer_to_the_truth_than_the_one_before(told):
    folder, lines = told
    from napari_pfitre.twin import simulate

    volumes = {name: read_volume(folder / f"{name}.h5") for name in METHODS}
    figures = compare(read_scan(folder / "scan.h5"), simulate(SMALL).truth.data, volumes).figures
    for before, name in pairwise(METHODS):
        assert figures[name].psnr > figures[before].psnr + 3
        assert figures[name].ssim > figures[before].ssim
    assert f"{figures['pfitre'].psnr:5.1f} dB" in lines[-1]


def test_the_picture_is_drawn(told):
    with Image.open(told[0] / "comparison.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[0] > 800
    assert pixels.shape[1] > 1000
    assert 0.2 < (pixels == 255).all(axis=2).mean() < 0.9  # neither blank nor full


def test_a_second_demo_replaces_the_first(told):
    assert next(iter(demo(told[0], SMALL))) == told[1][0]


def test_the_chip_of_the_demo_misses_60_degrees():
    assert chip().missing == 60
