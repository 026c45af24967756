"""What the network learns from: the engine's own iterates, turned as the prior turns them."""

from __future__ import annotations

import dataclasses
import time
from itertools import islice

import numpy as np
import pytest
import torch

from napari_pfitre.networks import SlabNet
from napari_pfitre.operators import ParallelBeam
from napari_pfitre.training.iterates import iterates, stream
from napari_pfitre.training.keeping import write_checkpoint
from napari_pfitre.training.losses import error_of, image_loss
from napari_pfitre.training.pool import Case, Pool
from napari_pfitre.training.session import threads
from napari_pfitre.training.settings import TrainOptions
from napari_pfitre.twin.scenes import Scenes

SMALL = TrainOptions(size=32, largest=2.0, batch=4, pool=5, slices=3, rounds=3, width=4, blocks=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net():
    return SlabNet(width=4, blocks=1).eval()


def journeys(net):
    """What the loop makes of a scene, as far as each of ten dice lets it go."""
    scene = Scenes(4, size=48, slices=3)[0]
    return scene, [list(iterates(scene, np.random.default_rng(seed), 4, net, CPU)) for seed in range(10)]


def test_rounds_fit_the_data(net):
    """With a network that changes nothing a round is a data step: whatever the start, the data are met"""
    scene, found = journeys(net)
    A, y = ParallelBeam(scene.angles, 48), torch.from_numpy(scene.sinograms)
    assert {len(journey) for journey in found} == {1, 2, 3, 4}
    rounds = [iterate for journey in found for iterate in journey[1:]]
    assert max(float((A(torch.from_numpy(i.given)) - y).norm() / y.norm()) for i in rounds) < 0.1
    assert all(i.given.min() >= 0 for i in rounds)
    assert all(i.scale == journey[0].scale for journey in found for i in journey)


def test_starts_differ(net):
    """Total variation, finished or not, least squares, a back-projection: several images of one scan"""
    _, found = journeys(net)
    starts = [journey[0].given for journey in found]
    apart = [float(np.linalg.norm(start - starts[0]) / np.linalg.norm(starts[0])) for start in starts[1:]]
    assert max(apart) > 0.1
    assert len({round(value, 6) for value in apart}) > 5


def test_a_batch_is_what_it_says(net):
    """Shapes, units, and an unmeasured part that is one"""
    (iterate, *_), *_ = journeys(net)[1]
    case = Case(iterate._replace(given=iterate.truth), CPU)
    for seed in range(8):
        batch = case.example(np.random.default_rng(seed), 5)
        assert batch.slab.shape == (1, 5, 48, 48)
        torch.testing.assert_close(batch.slab[:, 2:3], batch.truth)
        assert batch.hidden.shape == batch.truth.shape
    assert 0.2 < float(case.truth.max() / case.scale) < 5


def test_the_pool_fills_and_renews(net, tmp_path):
    with stream(SMALL, 0, net, CPU, tmp_path) as source:
        pool = Pool(SMALL, source, 0, CPU)
        pool.refresh()
        first = pool.cases[0]
        for _ in range(7):
            pool.refresh()
    assert pool.index == 8
    assert len(pool.cases) == SMALL.pool
    assert first not in pool.cases


def test_the_same_step_gives_the_same_batch(net, tmp_path):
    batches = []
    for _ in range(2):
        with stream(SMALL, 5, net, CPU, tmp_path) as source:
            pool = Pool(SMALL, source, 5, CPU)
            pool.refresh()
        batches.append(pool.batch(17, net.slices))
    for a, b in zip(*batches, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)  # FINUFFT adds in any order
    assert not torch.equal(pool.batch(18, net.slices).slab, batches[0].slab)


def test_workers_make_the_same_in_the_same_order(net, tmp_path):
    """With the network of the checkpoint; while they have nothing ready the training goes on with what it has"""
    write_checkpoint(tmp_path, {"config": net.config, "average": net.state_dict()})
    with (
        threads(1),  # as a worker has: with two, rounding may end total variation some iterations later
        stream(SMALL, 2, net, CPU, tmp_path) as here,
        stream(dataclasses.replace(SMALL, workers=1), 2, net, CPU, tmp_path) as there,
    ):
        assert next(there) is None
        for expected in islice(here, 3):
            while (found := next(there)) is None:
                time.sleep(0.05)
            for a, b in zip(expected, found, strict=True):
                np.testing.assert_array_equal(a.truth, b.truth)
                np.testing.assert_allclose(a.given, b.given, atol=0.02 * a.scale)


def test_widths_vary(net, tmp_path):
    with stream(SMALL, 0, net, CPU, tmp_path) as source:
        widths = {found[0].truth.shape[-1] for found in islice(source, 12)}
    assert widths == {32, 64}


def test_a_batch_has_slices_of_one_width_and_as_many_pixels(net, tmp_path):
    with stream(SMALL, 0, net, CPU, tmp_path) as source:
        pool = Pool(SMALL, source, 0, CPU)
        while {case.width for case in pool.cases} != {32, 64}:
            pool.refresh()
    shapes = {tuple(pool.batch(step, net.slices).truth.shape) for step in range(20)}
    assert shapes == {(4, 1, 32, 32), (1, 1, 64, 64)}


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
