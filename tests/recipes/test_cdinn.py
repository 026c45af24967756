"""CDI-NN: from a pattern to a crystal, its figures, stopping, and what it refuses. Weights are not the point here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from napari_pfitre.errors import OptionError, ReconstructionError, ScanError, WeightsError
from napari_pfitre.metrics import compare
from napari_pfitre.networks import Card, CrystalNet, SlabNet, crystal_guess, save_network
from napari_pfitre.networks.crystal_guess import Guess
from napari_pfitre.preprocess import prepare_pattern
from napari_pfitre.preprocess.cdi import CdiPrepareOptions
from napari_pfitre.recipes import RECIPES
from napari_pfitre.recipes.cdinn import CDI_NN, CdiNnOptions
from napari_pfitre.recipes.crystal_support import CrystalSupport, grown, plateau
from napari_pfitre.recipes.phase_retrieval import PhaseRetrievalOptions
from napari_pfitre.results import finish
from napari_pfitre.scans import BraggGeometry, CdiScan, TomoScan
from napari_pfitre.twin.crystals import Crystals

CRYSTALS = Crystals(9, size=40, oversampling=(2.2, 3.0), photons=(1e6, 1e6), spoil=0.0, strain=(0.5, 2.5),
                    fields={"polynomial": 1.0})  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that never learnt anything."""
    torch.manual_seed(0)
    net = CrystalNet(widths=(8, 8, 16), correlation=(8, 8))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_network(net, path, Card("small", "crystal-net", net.config))
    return path


@pytest.fixture(scope="module")
def crystal():
    return CRYSTALS[1]


@pytest.fixture(scope="module")
def scan(crystal):
    return prepare_pattern(crystal.scan(), CdiPrepareOptions(shape="40", threshold=0.0, peak="keep"))


@pytest.fixture
def knowing(monkeypatch, crystal):
    """A network whose guess has the right shape, but no phase"""
    shape = torch.from_numpy(crystal.support)

    def guesses(net, intensity, mask, oversampling, tries=8, keep=1):
        return [Guess(shape.to(torch.complex64), shape, 0.1 + 0.1 * i, (2.5, 2.5, 2.5)) for i in range(keep)]

    monkeypatch.setattr(crystal_guess, "guesses", guesses)


def run(scan, weights, **options):
    options = {"starts": 1, "steps": 80, "refinement": 5} | options
    return CDI_NN.run(scan, CdiNnOptions(weights=weights, **options), device="cpu")


def test_phasing_makes_a_rough_guess_right(knowing, scan, crystal, weights):
    """From the right shape without any phase to a twentieth of a radian, and the data fitted"""
    volume = finish(run(scan, weights, steps=150))
    psi = volume.data * np.exp(1j * volume.layers["phase"])
    near = compare(psi, crystal.object, support=volume.layers["support"] > 0, true_support=crystal.support > 0.5)
    assert near.iou > 0.88
    assert near.phase_rmse < 0.15
    flat = compare(crystal.support, crystal.object, true_support=crystal.support > 0.5)
    assert near.phase_rmse < 0.4 * flat.phase_rmse
    assert volume.provenance.figures["chi2"] < 0.05


def test_what_comes_out(scan, weights):
    volume = finish(run(scan, weights, starts=2))
    assert volume.unit == "amplitude"
    assert volume.data.shape == scan.shape
    assert volume.data.dtype == volume.layers["phase"].dtype == volume.layers["support"].dtype == np.float32
    assert set(np.unique(volume.layers["support"])) == {0.0, 1.0}
    assert np.abs(volume.layers["phase"]).max() <= np.pi + 1e-6
    assert volume.name.endswith("· cdi-nn")
    told = volume.provenance
    assert told.recipe == "cdi-nn"
    assert told.options["starts"] == 2
    assert told.seed == 0
    assert not told.partial
    assert told.versions["weights small"].startswith("sha256 ")
    assert [step["name"] for step in told.history][-1] == "prepare"
    figures = told.figures
    assert set(figures) >= {
        "chi2", "free chi2", "network misfit", "oversampling z", "spread of phase", "resolution (voxels)",
        "support voxels", "photons",
    }  # fmt: skip
    assert figures["support voxels"] == volume.layers["support"].sum()
    assert figures["photons"] == pytest.approx(float(scan.intensity.sum()), rel=1e-3)
    assert 0 < figures["chi2"] < 1


def test_the_figures_are_those_of_the_volume(knowing, scan, weights):
    """chi² worked out again from amplitude and phase as they are written, over all voxels"""
    volume = finish(run(scan, weights, mode="with phasing", kept_out=0.0))
    psi = volume.data * np.exp(1j * volume.layers["phase"])
    modulus = np.abs(np.fft.fftn(psi)).ravel()
    # a volume in canonical form has its pattern's peak moved by less than a voxel: compare what a shift leaves alone
    amplitude = np.sqrt(np.asarray(scan.intensity)).ravel()
    assert np.sum(modulus**4) / np.sum(modulus**2) ** 2 == pytest.approx(
        np.sum(amplitude**4) / np.sum(amplitude**2) ** 2, rel=0.1
    )
    assert "free chi2" not in volume.provenance.figures
    assert "spread of phase" not in volume.provenance.figures


def test_voxels_kept_out_are_foretold(knowing, scan, weights):
    """What was not used is fitted nearly as well as what was; by a wrong object it would not be"""
    right = finish(run(scan, weights, kept_out=0.05)).provenance.figures
    wrong = finish(run(scan, weights, mode="network only", kept_out=0.05)).provenance.figures
    assert right["free chi2"] < 3 * right["chi2"]
    assert right["free chi2"] < 0.5 * wrong["free chi2"]


def test_the_network_alone_is_quick_and_needs_no_phasing(scan, weights):
    seen = []
    volume = finish(run(scan, weights, mode="network only"), seen.append)
    assert [progress.text for progress in seen] == ["reading the network", "asking the network", "the network's guess"]
    assert seen[-1].preview.data.shape == scan.shape
    assert seen[-1].step == seen[-1].total
    assert not volume.partial


def test_progress_counts_up_and_shows_the_object(scan, weights):
    seen = []
    finish(run(scan, weights, starts=2, steps=60, refinement=10), seen.append)
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert steps[-1] == seen[-1].total == 2 + 2 * 60 + 10
    shown = [progress for progress in seen if progress.preview is not None]
    assert len(shown) > 5
    assert all(np.isfinite(progress.preview.data).all() for progress in shown)
    assert {progress.text for progress in seen} >= {"phasing, start 1 of 2", "phasing, start 2 of 2", "refinement"}


def test_phase_retrieval_of_as_many_steps_stands_beside(scan, weights):
    seen = []
    options = {"starts": 2, "steps": 230, "refinement": 20, "seed": 3}
    alone = finish(run(scan, weights, **options))
    beside = finish(run(scan, weights, compare=True, **options), seen.append)
    np.testing.assert_array_equal(alone.data, beside.data)
    rival = finish(RECIPES["phase-retrieval"].run(scan, PhaseRetrievalOptions(starts=2, seed=3), device="cpu"))
    compared = beside.provenance.compared["phase retrieval"]
    assert compared["starts"] == 2  # 2 × 220 + 30 steps, of 2 × 230 + 20
    assert compared["free chi2"] == rival.provenance.figures["free chi2"]
    assert beside.provenance.figures == alone.provenance.figures
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert steps[-1] == seen[-1].total == 2 + 480 + 470
    own, other = beside.provenance.told()
    assert "phase retrieval" not in own
    assert other.startswith("phase retrieval: starts 2, chi2 0.")


def test_stopped_while_comparing_the_result_is_whole(scan, weights):
    calls = iter([False] * 90 + [True] * 9)
    volume = finish(run(scan, weights, compare=True), should_stop=calls.__next__)
    assert not volume.partial
    assert volume.provenance.told()[1:] == []


@pytest.mark.parametrize("after", [2, 20, 70, 84])
def test_stopped_it_gives_what_it_has(scan, weights, after):
    """At the guess, in RAAR, in ER, in the refinement: a whole volume, marked partial"""
    calls = iter([False] * after + [True] * 9)
    volume = finish(run(scan, weights), should_stop=calls.__next__)
    assert volume.partial
    assert volume.data.shape == scan.shape
    assert np.isfinite(volume.data).all()
    assert volume.layers["support"].any()


def test_the_same_again(scan, weights):
    one, other = (finish(run(scan, weights, starts=2, steps=60)) for _ in range(2))
    assert np.array_equal(one.data, other.data)
    assert np.array_equal(one.layers["phase"], other.layers["phase"])


def test_geometry_gives_lengths(scan, weights):
    """Voxels 5, 4 and 2.5 nm long; the support in cubic nanometres"""
    n = np.array(scan.shape)
    steps = np.diag(2 * np.pi / (n * np.array([5e-9, 4e-9, 2.5e-9])))
    placed = scan.replace(geometry=BraggGeometry(steps, np.array([0.0, 2.7e10, 0.0])))
    volume = finish(run(placed, weights, starts=2, steps=60))
    assert np.allclose(volume.voxel_size, (5e-9, 4e-9, 2.5e-9))
    figures = volume.provenance.figures
    assert figures["support volume (nm³)"] == pytest.approx(50 * figures["support voxels"])
    assert figures["resolution (nm)"] >= 5


def test_a_pattern_as_read_is_prepared(crystal, weights):
    """Hot pixels, an uncentred peak, a mask over all frames: prepared first, and told in the history"""
    data = np.pad(np.asarray(crystal.intensity), ((0, 0), (3, 0), (0, 5)))
    mask = np.zeros(data.shape[1:], bool)
    mask[30:32] = True
    volume = finish(run(CdiScan(data, mask, name="raw"), weights, steps=60))
    assert any(step["name"] == "prepare" for step in volume.provenance.history)
    assert np.isfinite(volume.data).all()


def refused(intensity, weights, mask=None):
    with pytest.raises(ScanError) as caught:
        finish(run(CdiScan(intensity, mask, name="wrong"), weights))
    return str(caught.value)


def test_data_that_hold_no_pattern(weights):
    noise = np.random.default_rng(0).poisson(5.0, (24, 24, 24)).astype(np.float32)
    assert "no peak" in refused(noise, weights)
    assert "masked or not a number" in refused(noise, weights, np.ones(noise.shape, bool))
    assert "masked or not a number" in refused(np.full_like(noise, np.nan), weights)
    corner = np.zeros_like(noise)
    corner[:2, :2, :2] = 1e4
    assert "at the border" in refused(corner, weights)


def test_some_values_that_are_no_numbers_do_not_matter(crystal, weights):
    data = np.array(crystal.intensity)
    data[3, 4, 5:9] = np.nan
    volume = finish(run(CdiScan(data, name="holes"), weights, steps=60))
    assert np.isfinite(volume.data).all()
    assert any("no numbers" in notice for notice in volume.provenance.notices)


def test_other_scans_weights_and_options_are_refused(scan, tmp_path):
    with pytest.raises(ScanError, match="CDI-NN reconstructs a CdiScan, not a TomoScan"):
        CDI_NN.run(TomoScan(np.zeros((3, 4, 5)), np.arange(3.0)))
    net = SlabNet(width=4, blocks=1)
    path = tmp_path / "pfitre.safetensors"
    save_network(net, path, Card("pfitre", "slab-net", net.config))
    with pytest.raises(ReconstructionError, match="slab-net, which inverts no diffraction patterns"):
        finish(run(scan, path))
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        finish(run(scan, tmp_path / "nothing.safetensors"))
    with pytest.raises(OptionError, match="steps"):
        CdiNnOptions(steps=5)


def test_plateau_is_the_crystals_own_amplitude():
    amplitude = torch.zeros(20, 20, 20)
    amplitude[5:15, 5:15, 5:15] = 2.0
    amplitude[7, 7, 7] = 30.0  # one bright voxel
    assert plateau(amplitude[amplitude < 10].reshape(-1)) == 2.0
    assert plateau(torch.where(amplitude > 10, 2.5, amplitude)) == 2.0
    assert plateau(torch.zeros(4, 4, 4)) == 0.0


def test_the_support_keeps_its_core_and_its_reach():
    x = torch.zeros(16, 16, 16, dtype=torch.complex64)
    x[2:6, 2:6, 2:6] = 1
    x[12, 12, 12] = 1
    core, reach = (torch.zeros(16, 16, 16, dtype=torch.bool) for _ in range(2))
    core[6:8, 2:6, 2:6] = True
    reach[:10, :10, :10] = True
    support = CrystalSupport(threshold=0.2, core=core, reach=reach)(x, 0.5)
    assert support[3, 3, 3]
    assert support[core].all()
    assert not support[12, 12, 12]
    assert dataclasses.replace(CrystalSupport(threshold=0.2))(x, 0.5)[12, 12, 12]
    assert grown(core).sum() > 2 * core.sum()
    assert grown(core)[core].all()
