"""Displacements found from projections that are known, and within a reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.metrics import psnr
from napari_pfitre.operators import ParallelBeam
from napari_pfitre.priors import TotalVariation
from napari_pfitre.solvers import half_quadratic
from napari_pfitre.solvers.alignment import displacements, moved_rows, noticeable, without_translation
from napari_pfitre.twin import SimulateOptions, simulate

ANGLES = np.deg2rad(np.arange(0, 120, 3.0))


@pytest.fixture(scope="module")
def volume():
    rng = np.random.default_rng(5)
    z, y, x = np.mgrid[:20, :48, :48].astype(np.float32)
    made = np.zeros_like(z)
    for _ in range(12):
        at, width = rng.uniform((8, 12, 12), (12, 36, 36)), rng.uniform(1.2, 2.2)
        made += np.exp(-((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2) / (2 * width**2))
    return torch.from_numpy(made)


@pytest.fixture(scope="module")
def shifts():
    found = np.random.default_rng(6).normal(0, 0.5, (len(ANGLES), 2)).clip(-0.9, 0.9)
    return without_translation(found, ANGLES)


def measured(volume, shifts):
    """Data of displaced projections."""
    return moved_rows(ParallelBeam(ANGLES, 48, shifts=shifts[:, 1])(volume), -shifts[:, 0])


def test_displacements_of_known_projections(volume, shifts):
    A = ParallelBeam(ANGLES, 48)
    y = measured(volume, shifts)
    found = np.zeros_like(shifts)
    for _ in range(4):
        found = found + displacements(moved_rows(y, found[:, 0]), A.displaced(found[:, 1])(volume), ANGLES)
    np.testing.assert_allclose(found, shifts, atol=0.02)


def test_no_displacement_is_found_where_there_is_none(volume):
    p = ParallelBeam(ANGLES, 48)(volume)
    np.testing.assert_allclose(displacements(p, p, ANGLES), 0, atol=1e-9)


def test_a_moved_object_is_no_misalignment():
    waves = np.stack([np.full(len(ANGLES), 0.7), 1.3 * np.cos(ANGLES) - 0.4 * np.sin(ANGLES)], axis=1)
    np.testing.assert_allclose(without_translation(waves, ANGLES), 0, atol=1e-12)


def test_rows_are_left_alone_in_a_thin_stack(volume, shifts):
    A = ParallelBeam(ANGLES, 48)
    found = displacements(measured(volume, shifts)[8:12], A(volume[8:12]), ANGLES)
    assert not found[:, 0].any()
    assert found[:, 1].any()


def test_a_projection_without_anything_stays_where_it_is(volume):
    A = ParallelBeam(ANGLES, 48)
    p = A(volume)
    p[:, 7] = 0
    found = displacements(p.clone(), p, ANGLES)
    assert np.isfinite(found).all()
    assert np.abs(found[7]).max() < 1e-6


def test_an_empty_projection_among_displaced_ones(volume, shifts):
    y, p = measured(volume, shifts), ParallelBeam(ANGLES, 48)(volume)
    y[:, 7] = p[:, 7] = 0
    found = displacements(y, p, ANGLES)
    assert np.isfinite(found).all()
    assert np.std(found[:, 1]) > 0.5 * np.std(shifts[:, 1])


def test_rows_that_are_all_alike_tell_no_displacement(volume, shifts):
    """Noise alone differs from row to row: what it says of rows is not believed, and columns are found as ever"""
    A, shifts = ParallelBeam(ANGLES, 48), shifts * [0, 1]
    bar = volume[10].expand_as(volume)
    noise = torch.randn(len(volume), *A.range_shape, generator=torch.Generator().manual_seed(1))
    believed = bar + 0.01 * torch.randn(bar.shape, generator=torch.Generator().manual_seed(2))
    found = displacements(measured(bar, shifts) + 0.05 * noise, A(believed), ANGLES)
    assert np.abs(found[:, 0]).max() < 0.02
    assert np.std(found[:, 1] - shifts[:, 1]) < 0.25 * np.std(shifts[:, 1])


def test_hardly_displaced_is_not_displaced(shifts):
    np.testing.assert_array_equal(noticeable(shifts * [0.05, 1]), shifts * [0, 1])


def test_moved_rows_undoes_whole_rows_exactly_within(volume):
    y = ParallelBeam(ANGLES, 48)(volume)
    rows = np.ones(len(ANGLES))
    np.testing.assert_allclose(moved_rows(y, rows)[2:-3], y[3:-2], atol=2e-3 * float(y.max()))


def test_displaced_is_the_projector_with_those_shifts(volume, shifts):
    A = ParallelBeam(ANGLES, 48, centre=22.0, shifts=shifts[:, 0])
    for further in (shifts[:, 1], 20 * shifts[:, 1]):
        other, fresh = A.displaced(further), ParallelBeam(ANGLES, 48, centre=22.0, shifts=further)
        np.testing.assert_allclose(other(volume[5]), fresh(volume[5]), atol=2e-3)
        np.testing.assert_allclose(
            other.adjoint(fresh(volume[5])), fresh.adjoint(fresh(volume[5])), rtol=1e-3, atol=0.1
        )
    assert np.array_equal(A.shifts, shifts[:, 0])


@pytest.fixture(scope="module")
def jittered():
    return simulate(SimulateOptions(phantom="ellipsoids", size=64, slices=12, angles=90, missing=30, noise=0.005,
                                    jitter=1.0, shifts_known=False, seed=3))  # fmt: skip


def reconstructed(scan, align):
    A = ParallelBeam(scan.angles, scan.shape[2], centre=scan.middle)
    prior = TotalVariation(0.4 * A.diagonal() ** 0.5, dimensions=3, non_negative=True)
    y = torch.from_numpy(scan.sinograms(slice(0, scan.shape[1])))
    *_, end = half_quadratic(A, y * 50, prior, rounds=6, align=align)
    return end


def test_a_jittered_scan_gains_by_alignment(jittered):
    truth = jittered.truth.data
    without, aligned = reconstructed(jittered.scan, 0), reconstructed(jittered.scan, 4)
    assert without.shifts is None
    assert aligned.shifts.shape == (90, 2)

    def quality(x):
        x = x.numpy() * (truth * x.numpy()).sum() / (x.numpy() ** 2).sum()
        return psnr(truth, x, data_range=float(np.ptp(truth)))

    assert quality(aligned.z) > quality(without.z) + 2
    true = without_translation(np.array(jittered.scan.metadata["simulation"]["shifts"]), jittered.scan.angles)
    assert np.std(aligned.shifts - true) < 0.35 * np.std(true)


def test_an_aligned_scan_stays_as_it_is():
    """To the last bit: what was not displaced is not worse for having been asked"""
    made = simulate(
        SimulateOptions(phantom="ellipsoids", size=64, slices=12, angles=90, missing=30, noise=0.005, seed=3)
    )
    without, aligned = reconstructed(made.scan, 0), reconstructed(made.scan, 4)
    assert not aligned.shifts.any()
    assert torch.equal(aligned.z, without.z)
