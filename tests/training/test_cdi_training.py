"""Training and tuning of CDI-NN's network: from start to weights, stopped and taken up, judged modulo ambiguities."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch

from napari_pfitre import finish
from napari_pfitre.errors import OptionError, ScanError, WeightsError
from napari_pfitre.networks import CrystalNet, load_network
from napari_pfitre.networks.crystal_net import as_object, twin
from napari_pfitre.scans import CdiScan
from napari_pfitre.training import learner
from napari_pfitre.training.cdi import CdiTrainOptions, checks, train_cdi, tune_cdi
from napari_pfitre.training.cdi.checks import errors
from napari_pfitre.training.cdi.data import IN_FRAME, CrystalStream, _arrays, _turned_over, stacked
from napari_pfitre.training.cdi.loop import CdiTraining
from napari_pfitre.training.cdi.losses import crystal_loss, inner, modulus_misfit
from napari_pfitre.training.keeping import read_checkpoint, write_checkpoint
from napari_pfitre.twin.crystals import Crystals

QUICK = CdiTrainOptions(minutes=0.02, batch=2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Two held-out crystals and a narrow network, so that a test takes seconds."""
    monkeypatch.setattr(checks.HeldOutCrystals.__init__, "__defaults__", (2, 2))
    narrow = ((8, 8, 16), (8, 8))
    monkeypatch.setattr(CrystalNet.__init__, "__defaults__", narrow)
    monkeypatch.setattr(learner, "SHOW_EVERY", 0.0)


@pytest.fixture(scope="module")
def crystals():
    return [Crystals(5, **IN_FRAME, photons=(1e6, 1e6), spoil=0.0)[i] for i in range(3)]


def answer_of(psi, support):
    """What a perfect network would answer."""
    direction = 30 * psi / psi.abs().clamp(min=1e-6)
    return torch.stack([20 * (support - 0.5), direction.real, direction.imag], dim=1)


def test_from_start_to_weights(tmp_path):
    seen = []
    path = finish(train_cdi(QUICK, tmp_path, device="cpu"), seen.append)
    assert path == tmp_path / "cdi-nn.safetensors"
    net, card = load_network(path)
    assert card.architecture == "crystal-net"
    assert card.training["seed"] == 0
    assert card.training["steps"] >= 1
    assert card.training["crystals"] >= 2
    assert set(card.metrics["2 held-out crystals, 1e6 photons"]) >= {"iou", "phase", "misfit"}
    assert card.failures
    assert net(torch.rand(1, 32, 32, 32), torch.ones(1, 32, 32, 32)).shape == (1, 3, 24, 24, 24)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert 0 <= float(rows[-1]["iou"]) <= 1


def test_stopped_and_taken_up_again(tmp_path):
    long = dataclasses.replace(QUICK, minutes=100.0)
    finish(train_cdi(long, tmp_path, device="cpu"), should_stop=iter([False] * 3 + [True] * 9).__next__)
    state = read_checkpoint(tmp_path)
    assert state["step"] == 3
    again = CdiTraining(long, torch.device("cpu"))
    again.take_up(state, tmp_path)
    assert again.step == 3
    assert again.stream.index == state["crystals"]
    for name, tensor in again.average.state_dict().items():
        assert torch.equal(tensor, state["average"][name])
    finish(train_cdi(long, tmp_path, resume=True, device="cpu"), should_stop=iter([False] * 2 + [True] * 9).__next__)
    assert read_checkpoint(tmp_path)["step"] == 5


def test_refusals(tmp_path):
    with pytest.raises(WeightsError, match="without --resume"):
        finish(train_cdi(QUICK, tmp_path, resume=True, device="cpu"))
    write_checkpoint(tmp_path, {"config": {"widths": [1]}})
    with pytest.raises(OptionError, match="--resume"):
        finish(train_cdi(QUICK, tmp_path, device="cpu"))
    with pytest.raises(WeightsError, match="the version that started it"):
        finish(train_cdi(QUICK, tmp_path, resume=True, device="cpu"))


def test_the_rate_rises_and_falls():
    training = CdiTraining(dataclasses.replace(QUICK, rate=1.0, minutes=10.0), torch.device("cpu"))
    assert training.rate == pytest.approx(1 / 200)
    training.step, training.seconds = 500, 300.0
    assert training.rate == pytest.approx(0.5)
    training.seconds = 600.0
    assert training.rate == pytest.approx(0.01)


def test_it_learns_one_batch_by_heart(crystals):
    training = CdiTraining(dataclasses.replace(QUICK, minutes=1e3, rate=1e-2), torch.device("cpu"))
    training.step = learner.WARM_UP
    batch = stacked([_arrays(crystal) for crystal in crystals])
    training.stream.batch = lambda step: batch
    training.learn()
    first = training.loss
    for _ in range(25):
        training.learn()
    assert training.losses[-1][0] < 0.7 * first
    assert training.figures()["shape_loss"] + training.figures()["phase_loss"] == pytest.approx(training.loss)


def test_the_stream_is_the_same_for_the_same_step():
    one, other = CrystalStream(QUICK), CrystalStream(QUICK)
    for step in range(3):
        for a, b in zip(one.batch(step), other.batch(step), strict=True):
            assert torch.equal(a, b)
    assert one.index == 4  # two new ones; then a new and an earlier one in each batch


def test_a_crystal_turned_over_still_fits_its_pattern(crystals):
    """Axes exchanged and reversed in pattern and object alike: the object's modulus stays the pattern's"""
    for seed in range(4):
        parts = _turned_over(np.random.default_rng(seed), *_arrays(crystals[0]))
        batch = stacked([parts])
        assert float(modulus_misfit(batch.psi, batch.amplitude, batch.known)) < 0.03
    assert not np.array_equal(parts[0], np.sqrt(crystals[0].intensity))


def test_the_loss_does_not_know_twins_or_global_phases(crystals):
    batch = stacked([_arrays(crystal) for crystal in crystals])
    right = answer_of(batch.psi, batch.support)
    twins = answer_of(twin(batch.psi) * np.exp(1.3j), twin(batch.support))
    for answer in (right, twins):
        _, phase = crystal_loss(answer, batch.psi, batch.support)
        assert (phase < 0.01).all()
        iou, error = errors(answer, batch.psi, batch.support)
        assert (iou > 0.99).all()
        assert (error < 1e-3).all()
        assert (modulus_misfit(as_object(answer), batch.amplitude, batch.known) < 0.1).all()
    flat = answer_of(torch.ones_like(batch.psi), batch.support)
    wrong, error = crystal_loss(flat, batch.psi, batch.support)[1], errors(flat, batch.psi, batch.support)[1]
    strained = torch.tensor([crystal.strain > 2 for crystal in crystals])
    assert (wrong[strained] > 0.1).all()
    assert (error[strained] > 0.3).all()


def test_an_empty_box_is_no_good_answer(crystals):
    """The shape's loss prefers the crystal to nothing by far, though it fills a twentieth of the box"""
    batch = stacked([_arrays(crystal) for crystal in crystals])
    empty = answer_of(batch.psi, torch.zeros_like(batch.support))
    full = answer_of(batch.psi, torch.ones_like(batch.support))
    right = crystal_loss(answer_of(batch.psi, batch.support), batch.psi, batch.support)[0]
    for answer in (empty, full):
        assert (crystal_loss(answer, batch.psi, batch.support)[0] > right + 1).all()


def test_twin_is_its_own_inverse():
    x = inner(torch.randn(2, 32, 32, 32, dtype=torch.complex64))
    assert torch.equal(twin(twin(x)), x)


def test_the_modulus_misfit_has_no_scale(crystals):
    batch = stacked([_arrays(crystals[0])])
    one = modulus_misfit(batch.psi, batch.amplitude, batch.known)
    assert torch.allclose(modulus_misfit(7 * batch.psi, batch.amplitude, batch.known), one, atol=1e-5)
    assert 0 <= float(one) < 0.05


def scan_of(index, size=40):
    crystal = Crystals(6, size=size, oversampling=(2.0, 2.8), photons=(1e6, 1e6), spoil=0.0)[index]
    return crystal.scan()


def test_tuning_lowers_the_misfit_of_its_patterns(tmp_path):
    start = finish(train_cdi(QUICK, tmp_path / "start", device="cpu"))
    options = dataclasses.replace(QUICK, minutes=0.05, rate=2e-3, batch=2)
    path = finish(tune_cdi(options, [scan_of(0)], tmp_path / "tuned", weights=start, device="cpu"))
    _, card = load_network(path)
    misfit = card.metrics["modulus misfit on the patterns"]
    assert misfit["after"] < misfit["before"]
    assert "tuned on simulated" in card.training["data"]
    assert "32 held-out crystals, 1e6 photons" in card.metrics
    with pytest.raises(OptionError, match="--resume"):
        finish(tune_cdi(options, [scan_of(0)], tmp_path / "tuned", weights=start, device="cpu"))


def test_tuning_refuses_what_is_no_pattern(tmp_path):
    start = finish(train_cdi(QUICK, tmp_path / "start", device="cpu"))
    with pytest.raises(OptionError, match="at least one diffraction pattern"):
        finish(tune_cdi(QUICK, [], tmp_path / "none", weights=start, device="cpu"))
    noise = CdiScan(np.random.default_rng(0).poisson(3.0, (24, 24, 24)).astype(np.float32), name="noise")
    with pytest.raises(ScanError, match="no peak"):
        finish(tune_cdi(QUICK, [noise], tmp_path / "noise", weights=start, device="cpu"))
