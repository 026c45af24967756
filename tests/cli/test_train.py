"""`train`: weights from nothing, and refusals."""

from __future__ import annotations

import pytest

from napari_pfitre import read_volume
from napari_pfitre.networks import load_network
from napari_pfitre.training import checks, loop

SMALL = ("--size", 32, "--largest", 1, "--batch", 2, "--pool", 2, "--slices", 2, "--width", 4, "--blocks", 1)


@pytest.fixture(autouse=True)
def small_checks(monkeypatch):
    monkeypatch.setattr(checks, "TV_WEIGHTS", (1.0,))
    monkeypatch.setattr(checks.HeldOut.__init__, "__defaults__", (1, 2))
    monkeypatch.setattr(loop.usual_figures, "__defaults__", (2,))


def test_train_then_run(call, scan_file, tmp_path):
    """The weights of a training reconstruct a scan"""
    result = call("train", "pfitre", "--out", tmp_path / "mine", "--minutes", 0.02, *SMALL)
    assert result.exit_code == 0, result.output
    weights = tmp_path / "mine" / "pfitre.safetensors"
    assert f"{weights}: weights of pfitre" in result.stdout
    _, card = load_network(weights)
    assert card.training["size"] == 32
    done = call("run", "pfitre", scan_file, "-o", tmp_path / "v.h5", "--weights", weights, "--rounds", 2)
    assert done.exit_code == 0, done.output
    volume = read_volume(tmp_path / "v.h5")
    assert volume.data.shape == (5, 32, 32)
    assert set(volume.layers) == {"network − data", "not measured"}


@pytest.fixture
def small_crystals(monkeypatch):
    from napari_pfitre.networks import CrystalNet
    from napari_pfitre.training.cdi import checks as cdi_checks

    monkeypatch.setattr(cdi_checks.HeldOutCrystals.__init__, "__defaults__", (2, 2))
    monkeypatch.setattr(CrystalNet.__init__, "__defaults__", ((8, 8, 16), (8, 8)))


def test_train_cdi_nn(call, tmp_path, small_crystals):
    """Weights, log and checkpoint; a tuning needs patterns"""
    quick = ("--minutes", 0.01, "--batch", 2)
    result = call("train", "cdi-nn", "--out", tmp_path / "mine", *quick)
    assert result.exit_code == 0, result.output
    weights = tmp_path / "mine" / "cdi-nn.safetensors"
    assert f"{weights}: weights of cdi-nn" in result.stdout
    assert load_network(weights)[1].training["batch"] == 2
    assert {p.name for p in (tmp_path / "mine").iterdir()} == {
        "cdi-nn.safetensors", "cdi-nn.json", "log.csv", "checkpoint.pt"
    }  # fmt: skip
    again = call("train", "cdi-nn", "--out", tmp_path / "mine", *quick)
    assert again.exit_code == 1
    assert "--resume" in again.stderr
    assert call("train", "cdi-nn", "--out", tmp_path / "x", "--weights", weights).exit_code == 2


def test_tuning_takes_patterns_only(call, scan_file, tmp_path, small_crystals):
    result = call("train", "cdi-nn", "--out", tmp_path / "t", "--fine-tune", scan_file)
    assert result.exit_code == 1
    assert "holds a tomography scan; --fine-tune takes diffraction patterns" in result.stderr


def test_refusals(call, tmp_path):
    assert call("train", "pfitre").exit_code == 2
    assert call("train", "transformer", "--out", tmp_path).exit_code == 2
    assert call("train", "pfitre", "--out", tmp_path / "x", "--minutes", 0).exit_code == 2
    result = call("train", "pfitre", "--out", tmp_path / "empty", "--resume", "--minutes", 0.02, *SMALL)
    assert result.exit_code == 1
    assert "start without --resume" in result.stderr
