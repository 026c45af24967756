"""A training from start to weights, stopped and taken up again."""

from __future__ import annotations

import csv
import dataclasses
import json

import pytest
import torch

from napari_pfitre import finish
from napari_pfitre.errors import OptionError, WeightsError
from napari_pfitre.networks import load_network
from napari_pfitre.training import TrainOptions, checks, learner, loop, train
from napari_pfitre.training.keeping import read_checkpoint, write_checkpoint
from napari_pfitre.training.loop import Training
from napari_pfitre.training.pool import Batch

QUICK = TrainOptions(minutes=0.05, size=32, largest=1.0, batch=2, pool=2, slices=2, rounds=2, width=4, blocks=1)


@pytest.fixture(autouse=True)
def small_checks(monkeypatch):
    """One held-out circuit and one weight of TV, so that a test takes seconds."""
    monkeypatch.setattr(checks, "TV_WEIGHTS", (1.0,))
    monkeypatch.setattr(checks.HeldOut.__init__, "__kwdefaults__", None)
    monkeypatch.setattr(checks.HeldOut.__init__, "__defaults__", (1, 2))
    monkeypatch.setattr(learner, "SHOW_EVERY", 0.0)
    monkeypatch.setattr(loop.usual_figures, "__defaults__", (2,))


def test_from_start_to_weights(tmp_path):
    seen = []
    path = finish(train(QUICK, tmp_path, device="cpu"), seen.append)
    assert seen[-1].total == 3
    assert seen[-1].text.startswith("step ")
    net, card = load_network(path)
    assert card.training["steps"] == len(seen) - 1
    assert card.training["seed"] == 0
    assert set(card.usual) == {"apart", "residual"}
    assert set(card.metrics["circuits held out, PSNR in dB"]["60°"]) == {
        "one_pass",
        "loop_x",
        "loop_z",
        "loop",
        "fista_tv",
    }
    assert net(torch.rand(1, 5, 8, 8), torch.rand(1, 1, 8, 8), torch.rand(1, 38)).shape == (1, 1, 8, 8)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert float(rows[-1]["fista_tv"]) > 5


def test_stopped_and_taken_up_again(tmp_path):
    """Ten steps, a stop, and on: counters, weights and optimiser are those it stopped with"""
    long = dataclasses.replace(QUICK, minutes=100.0)
    finish(train(long, tmp_path, device="cpu"), should_stop=iter([False] * 10 + [True] * 9).__next__)
    state = read_checkpoint(tmp_path)
    assert state["step"] == 10
    assert 0 < state["seconds"] < 60
    again = Training(long, torch.device("cpu"))
    again.take_up(state, tmp_path)
    assert again.step == 10
    for name, tensor in again.average.state_dict().items():
        assert torch.equal(tensor, state["average"][name])
    assert again.optimiser.state_dict()["state"].keys() == state["optimiser"]["state"].keys()
    finish(train(long, tmp_path, resume=True, device="cpu"), should_stop=iter([False] * 5 + [True] * 9).__next__)
    after = read_checkpoint(tmp_path)
    assert after["step"] == 15
    assert after["scenes"] >= state["scenes"]
    assert after["seconds"] > state["seconds"]


def test_a_folder_is_not_trained_in_twice_by_accident(tmp_path):
    write_checkpoint(tmp_path, {"step": 1})
    with pytest.raises(OptionError, match="--resume"):
        finish(train(QUICK, tmp_path, device="cpu"))


def test_nothing_to_go_on_from(tmp_path):
    with pytest.raises(WeightsError, match="without --resume"):
        finish(train(QUICK, tmp_path, resume=True, device="cpu"))
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(WeightsError, match="cannot be read"):
        finish(train(QUICK, tmp_path, resume=True, device="cpu"))


def test_another_network_is_not_gone_on_with(tmp_path):
    write_checkpoint(tmp_path, {"config": Training(QUICK, torch.device("cpu")).net.config})
    with pytest.raises(WeightsError, match="same width and blocks"):
        finish(train(dataclasses.replace(QUICK, width=8), tmp_path, resume=True, device="cpu"))


class OneBatch:
    """A pool that always has the same to learn."""

    cases = (None,)
    index = 0

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        truth = torch.zeros(4, 1, 32, 32)
        truth[:, :, 8:24, 10:20] = 1
        slab = truth.expand(4, 5, 32, 32) + 0.3 * torch.randn(4, 5, 32, 32, generator=generator)
        self.content = Batch(slab, torch.zeros_like(truth), torch.zeros(4, 38), truth)

    def refresh(self):
        pass

    def batch(self, step, slices):
        return self.content


def test_it_learns():
    """Eighty steps on one batch of noisy blocks take a third off the loss; the average follows"""
    training = Training(dataclasses.replace(QUICK, width=8, minutes=1e3, rate=3e-3), torch.device("cpu"))
    training.pool = pool = OneBatch()
    training.step = learner.WARM_UP
    training.learn()
    first = training.loss
    for _ in range(80):
        training.learn()
    assert training.losses[-1][0] < 0.65 * first
    batch = pool.content
    with torch.no_grad():
        mended = training.average(batch.slab, batch.hidden, batch.told)
    assert (mended - batch.truth).abs().mean() < 0.9 * (batch.slab[:, 2:3] - batch.truth).abs().mean()


def test_the_rate_rises_and_falls():
    training = Training(dataclasses.replace(QUICK, rate=1.0, minutes=10), torch.device("cpu"))
    assert training.rate == pytest.approx(1 / 200)
    training.step, training.seconds = 500, 300.0
    assert training.rate == pytest.approx(0.5)
    training.seconds = 600.0
    assert training.rate == pytest.approx(0.01)


def test_the_mark_to_beat_is_worked_out_once(tmp_path):
    made = checks.HeldOut(tmp_path, 32, torch.device("cpu"))
    (kept,) = tmp_path.glob("fista-tv-*.json")
    assert json.loads(kept.read_text()) == made.fista_tv
    kept.write_text("[7.5]")
    assert checks.HeldOut(tmp_path, 32, torch.device("cpu")).fista_tv == [7.5]
