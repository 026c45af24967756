"""Phase retrieval from pattern to volume: what comes back, that it is right, and what is said when it cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_pfitre import finish
from napari_pfitre.errors import OptionError, ScanError
from napari_pfitre.metrics import compare
from napari_pfitre.options import from_dict
from napari_pfitre.recipes import RECIPES
from napari_pfitre.recipes.phase_retrieval import PHASE_RETRIEVAL, PhaseRetrievalOptions
from napari_pfitre.recipes.recipe import WORK_SPACE
from napari_pfitre.results import Provenance
from napari_pfitre.scans import BraggGeometry, CdiScan

N = 32
VOXELS = 1e-9 * np.array([[9.0, 0.0, 1.0], [0.0, -6.0, 0.0], [2.0, 0.0, 5.0]])
Q = np.array([2.0e10, 1.5e10, 0.0])
SHORT = {"starts": 2, "schedule": "10 ER + 60 HIO + 60 RAAR + 20 ER", "refinement": 10, "support_threshold": 0.2}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def truth():
    z, y, x = np.meshgrid(*[np.arange(N) - N // 2] * 3, indexing="ij")
    inside = (np.abs(z) < 5) & (y > -6) & (y + 0.6 * x < 5) & (x > -5) & (x + 0.5 * z < 6)
    return (inside * np.exp(1j * (0.7 * np.sin(0.35 * x + 0.2) + 0.02 * z * y))).astype(np.complex64)


@pytest.fixture(scope="module")
def scan(truth):
    intensity = np.abs(np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(truth)))) ** 2
    counts = np.random.default_rng(1).poisson(intensity * 1e6 / intensity.sum()).astype(np.float32)
    steps = 2 * np.pi * np.linalg.inv(VOXELS).T / N
    return CdiScan(counts, geometry=BraggGeometry(steps, Q), name="polyhedron", energy_kev=9.0)


def run(scan, *watch, **options):
    from napari_pfitre.preprocess import CdiPrepareOptions, prepare_pattern

    prepared = prepare_pattern(scan, CdiPrepareOptions(shape=f"{N},{N},{N}", threshold=0.0))
    return finish(PHASE_RETRIEVAL.run(prepared, PhaseRetrievalOptions(**(SHORT | options)), device="cpu"), *watch)


@pytest.fixture(scope="module")
def volume(scan):
    return run(scan)


def test_the_crystal_is_found(volume, truth):
    """Shape and phase, modulo what a pattern cannot tell"""
    psi = volume.data * np.exp(1j * volume.layers["phase"])
    found = compare(psi, truth, support=volume.layers["support"] > 0, true_support=np.abs(truth) > 0)
    assert found.iou > 0.9
    assert found.phase_rmse < 0.15


def test_what_comes_back(volume, scan):
    """Layers of one shape, figures, a history that JSON can hold and that gives the options back"""
    assert volume.data.dtype == np.float32
    assert volume.unit == "amplitude"
    assert {"phase", "support", "displacement", "strain"} <= set(volume.layers)
    for layer in volume.layers.values():
        assert layer.shape == volume.data.shape
        assert layer.dtype == np.float32
        assert np.isfinite(layer).all()
    figures = volume.provenance.figures
    assert 0 < figures["chi2"] < 0.05
    assert 0 < figures["free chi2"] < 0.1
    assert figures["photons"] == pytest.approx(float(scan.intensity.sum()), rel=1e-2)  # a few voxels are masked
    assert figures["support volume (nm³)"] == pytest.approx(
        figures["support voxels"] * abs(np.linalg.det(VOXELS)) * 1e27, rel=1e-3
    )
    assert all(figures[f"oversampling {axis}"] > 1.5 for axis in "zyx")
    assert volume.voxel_size == pytest.approx(np.linalg.norm(VOXELS, axis=1), rel=1e-3)
    assert volume.provenance.seed == 0
    assert not volume.partial
    again = Provenance.from_json(volume.provenance.to_json())
    assert json.loads(again.to_json()) == json.loads(volume.provenance.to_json())
    assert from_dict(PhaseRetrievalOptions, dict(again.options)) == PhaseRetrievalOptions(**SHORT)


def test_strain_belongs_to_the_phase(volume):
    """The slope of the displacement along Q is the strain"""
    from napari_pfitre.recipes.strain import strain

    psi = volume.data * np.exp(1j * volume.layers["phase"])
    support = volume.layers["support"] > 0
    np.testing.assert_allclose(volume.layers["strain"], strain(psi, support, VOXELS, Q), atol=1e-6)
    turns = np.linalg.norm(Q) * volume.layers["displacement"][support] + volume.layers["phase"][support]
    assert np.abs(np.exp(1j * turns).mean()) == pytest.approx(1, abs=1e-3)


def test_seeds_make_it_again(scan, volume):
    """Equal seeds give equal volumes, another seed another start"""
    again = run(scan)
    np.testing.assert_array_equal(again.data, volume.data)
    other = run(scan, seed=7)
    assert not np.array_equal(other.data, volume.data)
    assert other.provenance.seed == 7


def test_progress_and_previews(scan):
    seen = []
    volume = run(scan, seen.append)
    steps = [p.step for p in seen]
    assert steps == sorted(steps)
    assert steps[-1] == seen[-1].total
    assert {p.total for p in seen} == {seen[-1].total}
    shown = [p.preview.data for p in seen if p.preview is not None]
    assert len(shown) >= 5
    assert all(picture.shape == volume.data.shape for picture in shown)
    residuals = [p.residual for p in seen if p.residual is not None]
    assert residuals[-1] < 0.5 * residuals[1]


def test_stopped_keeps_what_there_is(scan):
    """In the second start: the first one's crystal comes back, marked partial"""
    seen = []
    volume = run(scan, seen.append, lambda: len(seen) > 170)
    assert volume.partial
    assert volume.provenance.figures["starts"] == 2
    assert volume.provenance.figures["chi2"] < 0.1
    early = run(scan, lambda p: None, lambda: True)
    assert early.partial
    assert np.isfinite(early.data).all()


def test_masked_voxels_are_free(scan, truth):
    """With a gap over the pattern the crystal is still found"""
    mask = np.zeros(scan.shape, bool)
    mask[:, N // 2 + 3] = True
    counts = np.where(mask, 0, scan.intensity)
    volume = run(scan.replace(intensity=counts, mask=mask))
    psi = volume.data * np.exp(1j * volume.layers["phase"])
    assert compare(psi, truth, support=volume.layers["support"] > 0, true_support=np.abs(truth) > 0).iou > 0.8


def test_laboratory_frame(scan):
    """Cubic voxels; without a geometry the option is refused"""
    volume = run(scan, lab_frame=True)
    assert len(set(volume.voxel_size)) == 1
    assert "strain" in volume.layers
    assert volume.provenance.figures["support volume (nm³)"] == pytest.approx(
        volume.provenance.figures["support voxels"] * volume.voxel_size[0] ** 3 * 1e27, rel=1e-3
    )
    with pytest.raises(ScanError, match="laboratory frame"):
        run(scan.replace(geometry=None), lab_frame=True)


def test_without_geometry_lengths_are_voxels(scan):
    volume = run(scan.replace(geometry=None), starts=1, kept_out=0.0)
    assert volume.voxel_size is None
    assert "strain" not in volume.layers
    assert "free chi2" not in volume.provenance.figures


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda a: np.zeros_like(a), "polyhedron"),
        (lambda a: np.full_like(a, np.nan), "polyhedron"),
        (lambda a: np.random.default_rng(0).poisson(5, a.shape).astype(np.float32), "polyhedron"),
    ],
    ids=["nothing", "no numbers", "no peak"],
)
def test_patterns_that_cannot_be_inverted(scan, spoil, what):
    with pytest.raises(ScanError, match=what):
        run(scan.replace(intensity=spoil(scan.intensity)))


def test_all_masked(scan):
    with pytest.raises(ScanError, match="polyhedron"):
        run(scan.replace(mask=np.ones(scan.shape, bool)))


def test_some_values_that_are_no_numbers(scan):
    """They count as not measured"""
    counts = scan.intensity.copy()
    counts[3, 4, 5:9] = np.nan
    volume = run(scan.replace(intensity=counts), starts=1)
    assert np.isfinite(volume.data).all()


def test_options_and_kinds_are_checked(scan):
    with pytest.raises(OptionError, match="schedule"):
        PhaseRetrievalOptions(schedule="20 ABC")
    with pytest.raises(ScanError, match="CdiScan"):
        PHASE_RETRIEVAL.run(scan.intensity)
    assert RECIPES["phase-retrieval"] is PHASE_RETRIEVAL
    few = PHASE_RETRIEVAL.memory(scan, PhaseRetrievalOptions(starts=1)).needed
    assert few - WORK_SPACE >= 8 * 8 * N**3
    assert PHASE_RETRIEVAL.memory(scan, PhaseRetrievalOptions(starts=50)).needed > few
