"""The weights of CDI-NN that come with the package: whole, described, and as good as their card says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.metrics import align_to
from napari_pfitre.networks import built_in, load_network
from napari_pfitre.networks.crystal_guess import best_guess
from napari_pfitre.preprocess import prepare_pattern
from napari_pfitre.preprocess.cdi import CdiPrepareOptions
from napari_pfitre.recipes import RECIPES
from napari_pfitre.recipes.cdi_result import SURFACE
from napari_pfitre.recipes.cdinn import CdiNnOptions
from napari_pfitre.results import finish
from napari_pfitre.training.cdi.checks import HeldOutCrystals
from napari_pfitre.twin.crystals import Crystals


@pytest.fixture(scope="module")
def shipped():
    return load_network("cdi-nn")


def test_the_card_says_what_they_are(shipped):
    _, card = shipped
    assert card.name == "cdi-nn"
    assert card.training["steps"] > 1000
    assert card.training["hours"] > 0.1
    assert card.failures
    assert card.parameters == sum(p.numel() for p in shipped[0].parameters())
    assert built_in("cdi-nn").stat().st_size < 30e6


def test_they_are_as_good_as_the_card_says(shipped):
    """On sixteen of the held-out crystals; the card's figures are means over sixty-four"""
    net, card = shipped
    told = card.metrics["64 held-out crystals, 1e6 photons"]
    found = HeldOutCrystals(torch.device("cpu"), count=16, batch=4)(net)
    assert abs(found.iou - told["iou"]) < 0.04
    assert abs(found.phase - told["phase"]) < 0.15
    assert found.iou > 0.8


def test_patterns_of_any_size_need_no_more_than_an_estimate(shipped):
    """A pattern of 60 × 48 × 54 voxels, other oversamplings, off centre: the same quality, from the data alone"""
    net, _ = shipped
    crystals = Crystals(2**31 - 900, size=(60, 48, 54), oversampling=(2.0, 3.2), photons=(1e6, 1e6), spoil=0.0,
                        strain=(0.0, 2.0))  # fmt: skip
    overlaps = []
    for i in range(5):
        true = crystals[i].support > 0.5
        ratios = tuple(1.1 * s for s in crystals[i].oversampling)  # as wrong as an estimate is
        guess = best_guess(net, torch.from_numpy(crystals[i].intensity), None, ratios, tries=2)
        psi = torch.polar(guess.shape, torch.angle(guess.psi)).numpy()
        found = np.abs(align_to(psi, crystals[i].object)[0]) > 0.5
        overlaps.append(np.count_nonzero(found & true) / np.count_nonzero(found | true))
    assert np.mean(overlaps) > 0.75


def test_the_whole_way_from_a_pattern_to_a_crystal():
    """A weakly strained crystal: support and phase right, the data fitted, in a few seconds"""
    crystal = Crystals(2**31 - 901, size=48, oversampling=(2.0, 2.6), photons=(1e6, 1e6), spoil=0.0, strain=(1.0, 2.0),
                       shapes={"Wulff": 1.0}, fields={"polynomial": 1.0})[0]  # fmt: skip
    scan = prepare_pattern(crystal.scan(), CdiPrepareOptions(shape="48", threshold=0.0))
    volume = finish(RECIPES["cdi-nn"].run(scan, CdiNnOptions(), device="cpu"))
    moved, _, _ = align_to(volume.data * np.exp(1j * volume.layers["phase"]), crystal.object)
    true = crystal.support > 0.5
    found = np.abs(moved) > SURFACE
    assert np.count_nonzero(found & true) / np.count_nonzero(found | true) > 0.95
    assert np.sqrt(np.mean(np.angle(moved[true] * np.conj(crystal.object[true])) ** 2)) < 0.1
    assert volume.provenance.figures["chi2"] < 0.05
