"""Recipes from scan to volume: quality floors, progress, stopping, blocks, history."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_pfitre import finish
from napari_pfitre.errors import OptionError, ScanError
from napari_pfitre.metrics import psnr
from napari_pfitre.options import as_dict, from_dict
from napari_pfitre.recipes import RECIPES as ALL_RECIPES
from napari_pfitre.recipes import blocks
from napari_pfitre.recipes.fista_tv import FistaTvOptions
from napari_pfitre.recipes.noise import noise_level
from napari_pfitre.recipes.recipe import WORK_SPACE
from napari_pfitre.results import Provenance
from napari_pfitre.scans import TomoScan
from napari_pfitre.twin import SimulateOptions, simulate

RECIPES = {name: recipe for name, recipe in ALL_RECIPES.items() if recipe.scan_type is TomoScan}
EVERY = pytest.mark.parametrize("name", RECIPES)


@pytest.fixture(scope="module")
def chip():
    return simulate(SimulateOptions(size=64, slices=6, angles=61, missing=60.0, noise=0.01))


def quality(volume, truth):
    return psnr(truth.data, volume.data, data_range=float(truth.data.max()))


def test_floors(chip):
    """A limited-angle chip, 64², 60° missing, 1 % noise: FISTA-TV well above FBP, neither below what it once reached"""
    scan, truth = chip
    found = {name: quality(finish(recipe.run(scan, device="cpu")), truth) for name, recipe in RECIPES.items()}
    assert found["fbp"] > FLOORS["fbp"]
    assert found["fista-tv"] > FLOORS["fista-tv"]


FLOORS = {"fbp": 12.5, "fista-tv": 16.5}  #: dB


@EVERY
def test_volume_and_history(chip, name):
    """Axes, voxel size and everything needed to run again"""
    scan, truth = chip
    volume = finish(RECIPES[name].run(scan, device="cpu"))
    assert volume.data.shape == truth.data.shape
    assert volume.data.dtype == np.float32
    assert volume.voxel_size == pytest.approx(truth.voxel_size)
    made = volume.provenance
    assert made.recipe == name
    assert not volume.partial
    np.testing.assert_allclose(np.deg2rad(made.angles_deg), scan.angles, atol=1e-9)
    assert from_dict(RECIPES[name].options_type, dict(made.options)) == RECIPES[name].options_type()
    again = Provenance.from_json(made.to_json())
    assert json.loads(again.to_json()) == json.loads(made.to_json())
    assert made.history[len(scan.history) - 1]["name"] == scan.history[-1].name  # what a run did itself follows


@EVERY
def test_progress(chip, name):
    """Steps grow to the total, the last preview is the result, the residual falls"""
    seen = []
    volume = finish(RECIPES[name].run(chip.scan, device="cpu"), seen.append)
    steps = [p.step for p in seen]
    assert steps == sorted(steps)
    assert steps[-1] == seen[-1].total
    assert {p.total for p in seen} == {seen[-1].total}
    last = [p.preview for p in seen if p.preview is not None][-1]
    np.testing.assert_array_equal(last.data, volume.data[last.start : last.start + len(last.data)])
    residuals = [p.residual for p in seen if p.residual is not None]
    # PFITRE's first image fits the data already
    assert name == "pfitre" or not residuals or residuals[-1] < 0.3 * residuals[0]


def test_stop_keeps_what_there_is(chip):
    """Sent True, a run returns its volume so far, marked partial"""
    seen = []
    volume = finish(RECIPES["fista-tv"].run(chip.scan, device="cpu"), seen.append, lambda: len(seen) >= 8)
    assert len(seen) == 8
    assert volume.partial
    assert volume.provenance.figures["iterations"] == 7
    assert quality(volume, chip.truth) > 10


def test_blocks_make_the_same_volume(chip, monkeypatch):
    """Little memory: 2-D runs equal the whole, 3-D runs nearly so, and say so"""
    scan = chip.scan
    whole = {
        d: finish(RECIPES["fista-tv"].run(scan, FistaTvOptions(dimensions=d), device="cpu")) for d in ("2-D", "3-D")
    }
    whole_fbp = finish(RECIPES["fbp"].run(scan, device="cpu"))
    monkeypatch.setattr(blocks, "available_memory", lambda device: 1)
    scale = np.abs(whole["2-D"].data).max()
    np.testing.assert_allclose(finish(RECIPES["fbp"].run(scan, device="cpu")).data, whole_fbp.data, atol=1e-4 * scale)
    for d, allowed in (("2-D", 0.05), ("3-D", 0.1)):
        seen = []
        volume = finish(RECIPES["fista-tv"].run(scan, FistaTvOptions(dimensions=d), device="cpu"), seen.append)
        assert np.abs(volume.data - whole[d].data).mean() < allowed * scale
        assert sorted({p.preview.start for p in seen if p.preview}) == list(range(6))
        assert any("blocks" in notice for notice in volume.provenance.notices) == (d == "3-D")


def test_blocks_cover_every_row_once(chip):
    from torch import device

    scan = chip.scan.replace(projections=np.tile(chip.scan.projections, (1, 17, 1))[:, :100])
    for overlap in (0, 3):
        fitting = int(0.5 * blocks.available_memory("cpu") / 11)
        parts = blocks.blocks_that_fit(scan, fitting, device("cpu"), overlap)
        assert np.concatenate([np.arange(100)[part.keep] for part in parts]).tolist() == list(range(100))
        assert len(parts) > 1
        for part in parts:
            assert part.read.start <= part.keep.start
            assert part.read.stop >= part.keep.stop
            assert np.arange(100)[part.read][part.inner].tolist() == np.arange(100)[part.keep].tolist()


def test_weight_transfers(chip):
    """Other units of the data and twice the angles: the same image, scaled"""
    scan = chip.scan
    louder = scan.replace(projections=np.asarray(scan.projections) * np.float32(1000))
    a, b = (finish(RECIPES["fista-tv"].run(s, device="cpu")).data for s in (scan, louder))
    np.testing.assert_allclose(b, 1000 * a, atol=1e-2 * b.max())


def test_noise_level():
    """Within a quarter of what was put in"""
    for noise in (0.01, 0.03):
        scan = simulate(SimulateOptions(size=128, slices=4, angles=121, noise=noise)).scan
        assert noise_level(scan) == pytest.approx(noise * np.asarray(scan.projections).max(), rel=0.25)


def test_counts_are_corrected_on_the_way():
    """A scan of counts goes through flats, darks and −log by itself"""
    scan, truth = simulate(SimulateOptions(size=64, slices=3, angles=91, missing=0.0, photons=1e5))
    assert scan.quantity == "counts"
    volume = finish(RECIPES["fista-tv"].run(scan, device="cpu"))
    assert quality(volume, truth) > 17
    assert {"flat_field", "minus_log"} <= {step["name"] for step in volume.provenance.history}


@EVERY
def test_memory_grows_with_the_scan(chip, name):
    recipe = RECIPES[name]
    double = chip.scan.replace(projections=np.concatenate([chip.scan.projections] * 2, axis=1))
    small, large = recipe.memory(chip.scan), recipe.memory(double)
    grown = large.needed - small.needed
    assert grown >= 6 * 64 * 64 * 4
    assert small.needed - grown == WORK_SPACE
    assert small.fits


@EVERY
def test_wrong_kinds_are_refused(chip, name):
    with pytest.raises(OptionError, match="takes"):
        RECIPES[name].run(chip.scan, as_dict(RECIPES[name].options_type()))
    with pytest.raises(ScanError, match="TomoScan"):
        RECIPES[name].run(chip.scan.projections)


def test_not_finite_is_refused_with_its_rows(chip):
    spoilt = np.array(chip.scan.projections)
    spoilt[3, 2, 5] = np.nan
    with pytest.raises(ScanError, match=r"1 of .* not finite"):
        finish(RECIPES["fbp"].run(chip.scan.replace(projections=spoilt), device="cpu"))
