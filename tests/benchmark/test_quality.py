"""The comparison with the truth: fair to FISTA-TV, resumable, and about scans that no training draws."""

from __future__ import annotations

import dataclasses
import json
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from napari_pfitre import RECIPES, finish
from napari_pfitre.benchmark import QualityOptions, contestants, oracle, quality
from napari_pfitre.benchmark.cases import CLASSES, FIRST_SEED, GEOMETRIES, cases
from napari_pfitre.benchmark.contestants import DATA, FISTA_TV, MEAN, NETWORK, ONE_PASS, UNALIGNED, Image
from napari_pfitre.benchmark.quality import score
from napari_pfitre.benchmark.tables import tables
from napari_pfitre.errors import OptionError
from napari_pfitre.metrics import disc_mask, psnr
from napari_pfitre.networks import Card, SlabNet, save_network
from napari_pfitre.recipes.fista_tv import FistaTvOptions
from napari_pfitre.training.checks import HELD_OUT
from napari_pfitre.twin import SimulateOptions, simulate

SMALL = QualityOptions(size=32, slices=4, seeds=1, only="blocks")


@pytest.fixture(autouse=True)
def one_geometry(monkeypatch):
    for name in list(GEOMETRIES)[1:]:
        monkeypatch.delitem(GEOMETRIES, name)
    monkeypatch.setattr(oracle, "ITERATIONS", 60)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    net = SlabNet(slices=3, width=4, growth=4, blocks=1, dilations=(1, 2))
    path = tmp_path / "small.safetensors"
    save_network(net, path, Card("small", "slab-net", net.config))
    return path


def test_every_object_of_the_twin_has_its_class():
    phantom = get_type_hints(SimulateOptions)["phantom"]
    assert sorted(name for names in CLASSES.values() for name in names) == sorted(get_args(phantom))


def test_no_training_and_no_check_of_a_training_sees_these_seeds():
    seeds = {case.options.seed for case in cases(32, 4, 80, ("circuits",)) if not case.jitter}
    assert min(seeds) == FIRST_SEED > HELD_OUT + 50
    assert max(seeds) < 2**31


def test_scans_do_not_know_how_they_were_displaced():
    *_, case = cases(32, 4, 1, ("blocks",))
    made = simulate(case.options)
    assert made.scan.shifts is None
    assert np.std(made.scan.metadata["simulation"]["shifts"]) == pytest.approx(1, abs=0.2)


def test_displaced_scans_can_be_left_out():
    assert [case.jitter for case in SMALL.cases] == [0.0, 1.0]
    assert [case.jitter for case in dataclasses.replace(SMALL, displaced=False).cases] == [0.0]


def test_a_class_that_there_is_not():
    with pytest.raises(OptionError, match="no class cats; choose among circuits"):
        list(cases(32, 4, 1, ("cats",)))


def test_the_truth_scores_best():
    truth = simulate(SimulateOptions(size=48, slices=4, angles=4)).truth.data
    found = score(truth, Image(truth, {"rounds": 3.0}))
    assert found == {"psnr": np.inf, "ssim": 1.0, "cutoff": 0.5, "rounds": 3.0, "along_z": 1.0}


def test_uneven_slices_show_along_the_stack():
    truth = simulate(SimulateOptions(phantom="grains", size=48, slices=16, angles=4)).truth.data
    uneven = truth * (1 + 0.3 * (np.arange(16) % 2))[:, None, None]
    assert score(truth, Image(uneven))["along_z"] > 2
    flat = np.broadcast_to(truth[:1], truth.shape)
    assert "along_z" not in score(flat, Image(uneven))


@pytest.mark.parametrize("phantom", ["blocks", "grains"])
def test_no_weight_of_a_grid_beats_the_oracle(phantom, monkeypatch):
    monkeypatch.setattr(oracle, "ITERATIONS", 300)
    scan, truth = simulate(SimulateOptions(phantom=phantom, size=48, slices=6, angles=40, missing=60.0))
    best = finish(oracle.best_fista_tv(scan, truth.data))
    mask, size = disc_mask(48), float(np.ptp(truth.data))

    def found(data):
        return psnr(truth.data, data, data_range=size, mask=mask)

    grid = [
        found(finish(RECIPES["fista-tv"].run(scan, FistaTvOptions(weight, d, iterations=300, tolerance=0))).data)
        for weight in (0.25, 0.5, 1.0, 2.0, 4.0)
        for d in ("2-D", "3-D")
    ]
    assert found(best.data) > max(grid) - 0.02


def test_stopped_it_keeps_what_is_done_and_goes_on_from_there(tmp_path, monkeypatch):
    seen = []

    def in_the_second_search():
        return seen[-1].step > 2 and "iteration" in seen[-1].text

    stopped = finish(quality(SMALL, tmp_path, with_network=False), seen.append, in_the_second_search)
    assert (len(stopped.rows), stopped.planned) == (1, 2)

    asked = []
    solve = oracle.best_fista_tv
    monkeypatch.setattr(oracle, "best_fista_tv", lambda scan, truth: asked.append(scan) or solve(scan, truth))
    whole = finish(quality(SMALL, tmp_path, with_network=False))
    assert len(asked) == 1
    assert whole.rows[0] == stopped.rows[0]
    assert len(whole.rows) == 2


def test_other_weights_leave_the_baselines_alone(tmp_path, weights, monkeypatch):
    options = QualityOptions(weights, size=32, slices=4, seeds=1, only="blocks")
    first = finish(quality(options, tmp_path, device="cpu"))
    names = {"FBP", FISTA_TV, ONE_PASS, *(name + how for name in (MEAN, DATA, NETWORK) for how in ("", UNALIGNED))}
    assert all(set(row.methods) == names for row in first.rows)
    assert all(row.methods[ONE_PASS]["rounds"] == 1 for row in first.rows)

    net = SlabNet(slices=3, width=4, growth=4, blocks=1, dilations=(1, 2))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05)
    save_network(net, weights, Card("other", "slab-net", net.config))
    monkeypatch.setattr(contestants, "_fista_tv", None)  # would be called in vain
    second = finish(quality(options, tmp_path, device="cpu"))
    assert [row.methods[FISTA_TV] for row in second.rows] == [row.methods[FISTA_TV] for row in first.rows]
    assert second.rows[0].methods[NETWORK]["psnr"] != first.rows[0].methods[NETWORK]["psnr"]


def test_the_images_of_a_run_are_those_of_its_options(weights):
    made = simulate(SimulateOptions(size=32, slices=4, angles=20))
    _, loop, _ = contestants.networks(weights, "", "cpu")
    images = finish(loop.reconstruct(made))
    for name, result in ((MEAN, "mean"), (DATA, "data"), (NETWORK, "network")):
        options = contestants.PfitreOptions(weights=weights, result=result, check=False, align=True)
        expected = finish(contestants.PFITRE.run(made.scan, options, device="cpu")).data
        np.testing.assert_allclose(images[name].data, expected, atol=1e-5 * np.ptp(expected))


def test_tables_say_mean_spread_and_where_it_is_better():
    def row(index, tv, ours):
        (case,) = [c for c in cases(32, 4, 2, ("blocks",)) if c.index == index and not c.jitter]
        figures = {"ssim": 0.5, "cutoff": 0.2}
        return quality_row(case, {FISTA_TV: {"psnr": tv, **figures}, MEAN: {"psnr": ours, **figures}})

    from napari_pfitre.benchmark.quality import Report
    from napari_pfitre.benchmark.quality import Row as quality_row

    text = "\n".join(tables(Report((row(0, 20.0, 24.0), row(1, 22.0, 21.0)), {}, 2)))
    assert "| blocks | 60° | 2 | 21.00 ± 1.41 | 22.50 ± 2.12 |" in text
    assert f"| object | missing | n | {MEAN} over {FISTA_TV} |" in text
    assert "| blocks | 60° | 2 | +1.50 ± 3.54, 1/2 |" in text
    assert "## Aligned" in text
    assert "displaced" not in text


def test_from_the_command_line(tmp_path, weights):
    from click.testing import CliRunner

    from napari_pfitre.cli import cli

    words = f"benchmark quality --size 32 --slices 4 --seeds 1 --only blocks --device cpu --weights {weights}".split()
    words += ["--keep", str(tmp_path / "kept"), "--out", str(tmp_path / "all.json")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "## Aligned" in result.stdout
    assert "## Every projection displaced by 1 pixel" in result.stdout
    written = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert written["weights"]["name"] == "small"
    assert {row["jitter"] for row in written["rows"]} == {0.0, 1.0}
    assert CliRunner().invoke(cli, words).exit_code == 1  # all.json is there
    assert CliRunner().invoke(cli, ["benchmark", "quality", "--only", "cats"]).exit_code == 1
