"""PFITRE from scan to volume, with small networks: what comes back, in what units, and what is said about it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from napari_pfitre import finish
from napari_pfitre.errors import WeightsError
from napari_pfitre.metrics import psnr
from napari_pfitre.networks import Card, SlabNet, save_network
from napari_pfitre.operators import ParallelBeam
from napari_pfitre.options import as_dict, from_dict
from napari_pfitre.recipes import PFITRE, RECIPES, blocks, engine
from napari_pfitre.recipes.engine import BLEND
from napari_pfitre.recipes.held_out import Trial, left_out
from napari_pfitre.recipes.pfitre import WEIGHTS, PfitreOptions
from napari_pfitre.twin import SimulateOptions, simulate


@pytest.fixture(scope="module")
def chip():
    return simulate(SimulateOptions(size=48, slices=6, angles=61, missing=60.0, noise=0.01))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that smooths a little, by chance: random weights, small."""
    torch.manual_seed(1)
    net = SlabNet(width=8, growth=8, blocks=1)
    torch.nn.init.normal_(net.leave.weight, std=0.05)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_network(net, path, Card("small", "slab-net", net.config, usual={"apart": 0.9, "residual": 0.9}))
    return path


@pytest.fixture(autouse=True)
def short_start(monkeypatch):
    """A start of few iterations: these tests are about what follows"""
    monkeypatch.setattr(engine, "STARTING", 8)


def run(scan, weights, *watch, align=False, check=False, **options):
    options |= {"align": align, "check": check}
    return finish(PFITRE.run(scan, PfitreOptions(weights=weights, **options), device="cpu"), *watch)


def test_what_comes_back(chip, weights):
    """The volume, two layers of its shape, figures, and the checksum of the weights"""
    scan, truth = chip
    volume = run(scan, weights, rounds=3)
    assert volume.data.shape == truth.data.shape
    assert volume.data.min() >= 0
    assert set(volume.layers) == {"network − data", "not measured"}
    for layer in volume.layers.values():
        assert layer.shape == volume.data.shape
        assert np.isfinite(layer).all()
    share = volume.layers["not measured"]
    assert 0 <= share.min() < 0.1 < share.max() <= 1
    figures = volume.provenance.figures
    assert figures["rounds"] <= 3
    assert 0 < figures["residual"] < 0.3
    assert volume.provenance.versions["weights small"].startswith("sha256 ")
    assert from_dict(PfitreOptions, dict(volume.provenance.options)).weights == weights
    assert volume.provenance.notices == ()


def test_network_minus_data(chip, weights):
    """The results differ by the layer, and the usual one lies between them, as far as bfloat16 is the same twice"""
    data = run(chip.scan, weights, rounds=2, tolerance=0.0, result="data")
    network = run(chip.scan, weights, rounds=2, tolerance=0.0, result="network")
    difference = network.data - data.data
    scale = np.abs(data.data).max()
    np.testing.assert_allclose(difference, data.layers["network − data"], atol=0.02 * scale)
    usual = run(chip.scan, weights, rounds=2, tolerance=0.0)
    np.testing.assert_allclose(usual.data, data.data + BLEND * difference, atol=0.02 * scale)


def test_with_a_network_that_changes_nothing_it_is_least_squares(chip, tmp_path):
    """Then a round is a step of the proximal point method: the residual falls from round to round"""
    net = SlabNet(width=4, growth=4, blocks=1)
    save_network(net, tmp_path / "same.safetensors", Card("same", "slab-net", net.config))
    seen = []
    volume = run(chip.scan, tmp_path / "same.safetensors", seen.append, rounds=6, tolerance=0.0)
    residuals = [p.residual for p in seen if p.text.startswith("round")]
    assert len(residuals) == 6
    assert residuals == sorted(residuals, reverse=True)
    assert np.abs(volume.layers["network − data"]).max() < 1e-6
    assert psnr(chip.truth.data, volume.data, data_range=float(chip.truth.data.max())) > 12


def test_one_pass(chip, weights):
    """The network once; its image, whatever the data say"""
    seen = []
    volume = run(chip.scan, weights, seen.append, mode="one pass", rounds=50)
    assert volume.provenance.figures["rounds"] == 1
    assert seen[-1].total == 1
    loop = run(chip.scan, weights, rounds=1, result="network")
    np.testing.assert_allclose(volume.data, loop.data, atol=1e-3 * loop.data.max())


def test_progress_preview_and_stop(chip, weights):
    seen = []
    volume = run(chip.scan, weights, seen.append, lambda: seen[-1].step >= 2, rounds=9, tolerance=0.0)
    assert [p.step for p in seen] == [0] * 9 + [1, 2]
    assert sum(p.text == "total variation first" for p in seen) == 8
    assert {p.total for p in seen} == {9}
    assert volume.partial
    assert volume.provenance.figures["rounds"] == 2
    whole = []
    volume = run(chip.scan, weights, whole.append, rounds=3, tolerance=0.0)
    np.testing.assert_array_equal(whole[-1].preview.data, volume.data)
    assert not volume.partial


def test_stopped_in_its_start_it_gives_what_total_variation_has(chip, weights):
    seen = []
    volume = run(chip.scan, weights, seen.append, lambda: len(seen) >= 4, rounds=9)
    assert volume.partial
    assert volume.provenance.figures["rounds"] == 0
    assert volume.data.max() > 0
    assert not volume.layers["network − data"].any()


def test_it_ends_when_it_has_settled(chip, tmp_path):
    net = SlabNet(width=4, growth=4, blocks=1)
    save_network(net, tmp_path / "same.safetensors", Card("same", "slab-net", net.config))
    seen = []
    volume = run(chip.scan, tmp_path / "same.safetensors", seen.append, rounds=90, tolerance=0.05)
    assert volume.provenance.figures["rounds"] < 20
    assert seen[-1].step == seen[-1].total
    assert not volume.partial


def test_units_do_not_matter(chip, weights):
    louder = chip.scan.replace(projections=np.asarray(chip.scan.projections) * np.float32(1000))
    a, b = (run(scan, weights, rounds=3, tolerance=0.0).data for scan in (chip.scan, louder))
    np.testing.assert_allclose(b, 1000 * a, atol=2e-2 * b.max())


def test_blocks_make_nearly_the_same_volume_and_say_so(chip, weights, monkeypatch):
    whole = run(chip.scan, weights, rounds=3, tolerance=0.0)
    monkeypatch.setattr(blocks, "available_memory", lambda device: 1)
    seen = []
    parts = run(chip.scan, weights, seen.append, rounds=3, tolerance=0.0)
    assert seen[-1].total == 18
    assert np.abs(parts.data - whole.data).mean() < 0.02 * whole.data.max()
    assert any("blocks" in notice for notice in parts.provenance.notices)


def test_data_unlike_the_training_are_told(chip, weights, tmp_path):
    """The axis three columns off: the data are missed by more than usual, and the volume says so"""
    net = SlabNet(width=8, growth=8, blocks=1)
    figures = run(chip.scan, weights, rounds=4).provenance.figures
    usual = {name: 1.2 * figures[name] for name in ("apart", "residual")}
    path = tmp_path / "told.safetensors"
    save_network(net, path, Card("told", "slab-net", net.config, usual=usual))
    assert run(chip.scan, path, rounds=4).provenance.notices == ()
    off = chip.scan.replace(centre=chip.scan.middle + 3)
    (notice,) = run(off, path, rounds=4).provenance.notices
    assert "the data are missed by" in notice
    assert "FISTA-TV" in notice


def test_without_weights_it_says_where_to_get_some(chip, tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        run(chip.scan, tmp_path / "none.safetensors")
    if not WEIGHTS.exists():
        with pytest.raises(WeightsError, match="napari-pfitre train pfitre"):
            finish(PFITRE.run(chip.scan, device="cpu"))
    assert ("pfitre" in RECIPES) == WEIGHTS.exists()


def test_the_residual_is_what_the_image_leaves_of_the_data(chip, weights):
    volume = run(chip.scan, weights, rounds=3, result="data")
    assert volume.residual.shape == chip.scan.shape
    data = np.asarray(chip.scan.projections)
    share = np.linalg.norm(volume.residual) / np.linalg.norm(data)
    assert share == pytest.approx(volume.provenance.figures["residual"], rel=0.05)


def test_displacements_are_found_and_told(weights):
    scan, _ = simulate(SimulateOptions(size=48, slices=9, angles=61, missing=40.0, jitter=1.0, shifts_known=False))
    still, aligned = (run(scan, weights, rounds=5, tolerance=0.0, align=align) for align in (False, True))
    figures = aligned.provenance.figures
    assert figures["residual"] < 0.7 * still.provenance.figures["residual"]
    (step,) = (step for step in aligned.provenance.history if step["name"] == "refine shifts")
    shifts = np.array(step["parameters"]["shifts"])
    assert shifts.shape == (61, 2)
    assert figures["rms shift"] == pytest.approx(np.sqrt(np.mean(shifts**2)), rel=1e-3)
    true = np.array(scan.metadata["simulation"]["shifts"])
    assert np.corrcoef(shifts[:, 1], true[:, 1])[0, 1] > 0.8
    assert "rms shift" not in still.provenance.figures


def test_the_other_blocks_use_the_displacements_of_the_middle_one(weights, monkeypatch):
    scan, _ = simulate(SimulateOptions(size=48, slices=24, angles=61, missing=40.0, jitter=1.0, shifts_known=False))
    whole = run(scan, weights, rounds=5, tolerance=0.0, align=True)
    row = PFITRE.bytes_per_row(scan, PfitreOptions())
    monkeypatch.setattr(blocks, "available_memory", lambda device: 2 * 20 * row)
    parts = run(scan, weights, rounds=5, tolerance=0.0, align=True)
    assert any("3 blocks" in notice for notice in parts.provenance.notices)
    assert parts.provenance.figures["residual"] < 1.3 * whole.provenance.figures["residual"]


def test_projections_left_out_judge_it_beside_fista_tv(chip, weights):
    """Another network's good residual is worth nothing here: one that makes things up is told so"""
    seen = []
    volume = run(chip.scan, weights, seen.append, rounds=3, check=True)
    figures = volume.provenance.figures
    assert 0 < figures["held-out residual, PFITRE"] < 0.5
    assert 0 < figures["held-out residual, FISTA-TV"] < 0.2
    assert 0 <= figures["share of the network"] <= 1
    assert any("checking FISTA-TV" in progress.text for progress in seen)
    few = chip.scan.replace(projections=np.asarray(chip.scan.projections)[::6], angles=chip.scan.angles[::6])
    assert not any("held-out" in name for name in run(few, weights, rounds=1, check=True).provenance.figures)


def test_projections_left_out_tell_where_between_data_and_network(chip, weights):
    """All of them tell the share; each half is judged with the share that the other tells; the result is that mean"""
    volume = run(chip.scan, weights, rounds=3, check=True)
    data = run(chip.scan, weights, rounds=3, result="data")
    share = volume.provenance.figures["share of the network"]
    expected = data.data + share * data.layers["network − data"]
    np.testing.assert_allclose(volume.data, expected, atol=0.02 * data.data.max())

    A = ParallelBeam(np.deg2rad(np.arange(0.0, 120.0, 3.0)), 24)
    x, z = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    trial = Trial(A, A(x + 0.3 * (z - x)))
    assert trial.share(x, z) == pytest.approx(0.3, abs=1e-4)
    assert max(trial.missed(x + 0.3 * (z - x)), trial.missed_between(x, z)) < 1e-3 < trial.missed(x)
    assert Trial(A, A(x - 2 * (z - x))).share(x, z) == 0
    assert Trial(A, A(z + 2 * (z - x))).share(x, z) == 1
    (first, _), (second, _) = trial.halves
    assert sorted([*trial.given[0].angles, *first.angles, *second.angles]) == pytest.approx(list(A.angles))


def test_what_a_half_tells_is_judged_by_the_other():
    """Where the halves contradict each other the share is between, and what is missed is what each alone would miss"""
    A = ParallelBeam(np.deg2rad(np.arange(0.0, 120.0, 3.0)), 24)
    x, z = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    y = A(x)
    left = left_out(40)
    y[:, left[1::2]] = A(z)[:, left[1::2]]  # half as the data's image has it, half as the network's
    trial = Trial(A, y)
    assert 0.3 < trial.share(x, z) < 0.7
    swapped = (A(z - x)[:, left]).norm() / y[:, left].norm()
    assert trial.missed_between(x, z) == pytest.approx(float(swapped), rel=1e-3)


def test_stopped_in_the_trial_the_result_is_whole(chip, weights):
    checking = []

    def stop() -> bool:
        return bool(checking)

    def watch(now) -> None:
        checking.extend([1] if "checking" in now.text else [])

    volume = run(chip.scan, weights, watch, stop, rounds=2, check=True)
    assert not volume.partial
    assert volume.provenance.figures["share of the network"] == BLEND
    assert not any("held-out" in name for name in volume.provenance.figures)


def test_a_network_that_makes_things_up_is_found_out(chip, tmp_path):
    torch.manual_seed(3)
    net = SlabNet(width=4, growth=4, blocks=1)
    torch.nn.init.constant_(net.leave.bias, 0.5)
    path = tmp_path / "wild.safetensors"
    save_network(net, path, Card("wild", "slab-net", net.config))
    volume = run(chip.scan, path, rounds=3, result="network", check=True)
    (notice,) = volume.provenance.notices
    assert "trust FISTA-TV more" in notice


def test_tv_afterwards_is_smoother_and_knows_no_units(chip, weights):
    def variation(data):
        return np.abs(np.diff(data, axis=-1)).sum()

    plain, smooth = (run(chip.scan, weights, rounds=2, tv=tv).data for tv in (0.0, 0.05))
    assert variation(smooth) < 0.9 * variation(plain)
    louder = chip.scan.replace(projections=np.asarray(chip.scan.projections) * np.float32(1000))
    np.testing.assert_allclose(run(louder, weights, rounds=2, tv=0.05).data, 1000 * smooth, atol=20 * smooth.max())


def test_options_survive_json():
    options = PfitreOptions(rounds=3, weights=None)
    assert from_dict(PfitreOptions, as_dict(options)) == options
    assert dataclasses.replace(options, rho=2.0).rho == 2


def test_the_paper_s_network_runs_too(chip, tmp_path):
    """A checkpoint in the original's form, in the same loop"""
    from napari_pfitre.networks import PaperNet

    torch.manual_seed(0)
    path = tmp_path / "ckpt_PFITRE.pth"
    torch.save({"net_state_dict": PaperNet().state_dict()}, path)
    few = chip.scan.replace(projections=np.asarray(chip.scan.projections)[:, :2])
    volume = run(few, path, rounds=2)
    assert volume.data.shape == (2, 48, 48)
    assert np.isfinite(volume.data).all()
    assert "weights ckpt_PFITRE" in volume.provenance.versions
