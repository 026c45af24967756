"""What is called measured is what the projector sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.operators.coverage import (
    N_BINS,
    angular_coverage,
    sampling,
    share_unmeasured,
    unmeasured,
    unmeasured_part,
)

TILTED = np.deg2rad(np.linspace(-20, 70, 181))


def test_a_wedge_points_where_the_angles_do_not():
    """A wave along a measured direction passes, one along a missing one stays; y upwards"""
    n = 64
    mask = torch.from_numpy(unmeasured(TILTED, (n, n)))
    rows, columns = np.mgrid[:n, :n]
    x, y = columns - (n - 1) / 2, (n - 1) / 2 - rows
    for degrees, left in ((0, 0), (30, 0), (60, 0), (100, 1), (-40, 1), (130, 1)):
        t = np.deg2rad(degrees)
        wave = np.cos(2 * np.pi * 0.25 * (x * np.cos(t) + y * np.sin(t))) * np.exp(-(x**2 + y**2) / (2 * 10**2))
        part = unmeasured_part(torch.from_numpy(wave.astype(np.float32)), mask)
        assert float(part.norm()) / np.linalg.norm(wave) == pytest.approx(left, abs=0.05), degrees


def test_the_projector_hardly_sees_the_unmeasured_part():
    """‖A u‖ / ‖u‖ of the unmeasured part of noise inside the field of view is a tenth of that of the rest"""
    n = 96
    A = ParallelBeam(TILTED, n)
    noise = torch.randn(1, n, n, generator=torch.Generator().manual_seed(0))
    at = torch.arange(n) - (n - 1) / 2
    noise *= torch.exp(-(((at[:, None] ** 2 + at**2) / (2 * (n / 6) ** 2)) ** 2))
    hidden = unmeasured_part(noise, torch.from_numpy(unmeasured(TILTED, (n, n))))
    seen = noise - hidden
    assert A(hidden).norm() / hidden.norm() < 0.1 * A(seen).norm() / seen.norm()


def test_nothing_is_missing_when_all_was_measured():
    full = np.linspace(0, np.pi, 200, endpoint=False)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.rfftfreq(64), indexing="ij"))
    assert not unmeasured(full, (64, 64))[radius <= 0.5].any()
    assert sampling(full, 64) == 1
    np.testing.assert_allclose(angular_coverage(full), 1, atol=1e-5)


def test_sparse_angles_leave_gaps_at_high_frequencies_only():
    sparse = np.linspace(0, np.pi, 20, endpoint=False)
    mask = unmeasured(sparse, (128, 128))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.rfftfreq(128), indexing="ij"))
    assert not mask[radius < 0.09].any()
    assert mask[(radius > 0.4) & (radius < 0.5)].mean() > 0.4
    np.testing.assert_allclose(angular_coverage(sparse), 1, atol=1e-5)
    assert sampling(sparse, 128) == pytest.approx(20 / (np.pi * 64), rel=1e-6)


def test_coverage_has_the_wedge():
    coverage = angular_coverage(np.deg2rad(np.arange(-40, 40.5)))
    middles = (np.arange(N_BINS) + 0.5) * 5
    inside = (middles < 40) | (middles > 140)
    np.testing.assert_allclose(coverage[inside], 1, atol=0.01)
    assert coverage[~inside].sum() == pytest.approx(0.2, abs=0.01)  # half a step beyond each end


def test_half_a_turn_more_changes_nothing():
    np.testing.assert_allclose(unmeasured(TILTED + np.pi, (20, 31)), unmeasured(TILTED, (20, 31)), atol=1e-5)
    np.testing.assert_allclose(angular_coverage(TILTED + np.pi), angular_coverage(TILTED), atol=1e-5)


def test_the_share_is_one_where_nothing_was_measured_and_zero_where_all_was():
    """Waves along a missing and along a measured direction, side by side; nothing where nothing is"""
    n = 96
    mask = torch.from_numpy(unmeasured(TILTED, (n, n)))
    rows, columns = np.mgrid[:n, :n]
    x, y = columns - (n - 1) / 2, (n - 1) / 2 - rows
    image = np.zeros((n, n))
    for degrees, middle in ((115, -24), (25, 24)):
        t = np.deg2rad(degrees)
        wave = np.cos(2 * np.pi * 0.2 * (x * np.cos(t) + y * np.sin(t)))
        image += wave * np.exp(-((x - middle) ** 2 + y**2) / (2 * 6**2))
    share = share_unmeasured(torch.from_numpy(image[None].astype(np.float32)), mask, 0.05)[0]
    assert share[48, 24] > 0.95
    assert share[48, 72] < 0.2
    assert share[3, 3] < 0.1
    assert share.min() >= 0
    assert share.max() <= 1
