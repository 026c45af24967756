"""What the network learns from: the engine's own iterates, turned as the prior turns them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.networks import SlabNet
from napari_pfitre.training.losses import error_of, image_loss
from napari_pfitre.training.pool import Case, Pool, scenes_ahead
from napari_pfitre.training.settings import TrainOptions
from napari_pfitre.twin.scenes import Scenes

SMALL = TrainOptions(size=32, largest=1.5, batch=4, pool=3, slices=3, rounds=3, width=4, blocks=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net():
    return SlabNet(width=4, blocks=1).eval()


@pytest.fixture
def case():
    return Case(Scenes(4, size=48, slices=3)[0], np.random.default_rng(0), 3, CPU)


def test_a_round_fits_the_data(case, net):
    """With a network that changes nothing a round is a data step, so the misfit falls"""

    def misfit():
        return float((case.A.normal(case.x) - case.b).norm())

    before, rounds = misfit(), case.rounds_left
    case.advance(net)
    assert misfit() < before
    assert case.rounds_left == rounds - 1
    assert case.x.min() >= 0


def test_a_batch_is_what_it_says(case, net):
    """Shapes, units, and an unmeasured part that is one"""
    case.x = case.truth.clone()
    for seed in range(8):
        batch = case.example(np.random.default_rng(seed), 5, 32, case.mask(net))
        assert batch.slab.shape == (1, 5, 32, 32)
        torch.testing.assert_close(batch.slab[:, 2:3], batch.truth)
        assert batch.hidden.shape == batch.truth.shape
    assert 0.2 < float(case.truth.max() / case.scale) < 5


def test_the_pool_fills_moves_on_and_renews(net):
    scenes, end = scenes_ahead(SMALL, 0)
    pool = Pool(SMALL, scenes, 0, CPU)
    for _ in range(40):
        pool.refresh(net)
    assert len(pool.cases) == SMALL.pool
    assert 3 < pool.index < 40
    end()


def test_the_same_step_gives_the_same_batch(net):
    batches = []
    for _ in range(2):
        scenes, _ = scenes_ahead(SMALL, 5)
        pool = Pool(SMALL, scenes, 5, CPU)
        pool.refresh(net)
        batches.append(pool.batch(17, net))
    for a, b in zip(*batches, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)  # FINUFFT adds in any order
    assert not torch.equal(pool.batch(18, net).slab, batches[0].slab)


def test_workers_make_the_same_scenes_in_the_same_order():
    import dataclasses

    here, _ = scenes_ahead(SMALL, 2)
    there, end = scenes_ahead(dataclasses.replace(SMALL, workers=1), 2)
    try:
        for _ in range(3):
            a, b = next(here), next(there)
            np.testing.assert_array_equal(a.sinograms, b.sinograms)
    finally:
        end()


def test_widths_vary():
    scenes, _ = scenes_ahead(SMALL, 0)
    widths = {next(scenes).truth.shape[-1] for _ in range(12)}
    assert min(widths) >= 32
    assert len(widths) > 1


def test_the_error_is_nothing_for_the_truth_and_minds_edges():
    truth = torch.zeros(1, 1, 16, 16)
    truth[..., 4:12, 4:12] = 1
    assert error_of(truth, truth) < 2e-4
    blurred = torch.nn.functional.avg_pool2d(truth, 3, 1, 1)
    error = (blurred - truth).square().mean().sqrt()
    assert error_of(truth + error, truth) == pytest.approx(2 * float(error), rel=1e-3)
    assert error_of(blurred, truth) > 1.6 * error


def test_a_tenth_less_error_is_worth_the_same_in_any_image():
    noise = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    for size in (0.5, 8.0):
        given, truth = size * noise, torch.zeros(1, 1, 16, 16)
        gain = image_loss(given, truth, given) - image_loss(0.9 * given, truth, given)
        assert float(gain) == pytest.approx(0.1, rel=0.05)
