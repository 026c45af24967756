"""The noise filter of results from diffraction patterns: what was hardly measured counts little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.recipes.cdi_result import NOISE_FILTER, pattern_of
from napari_pfitre.scans import CdiScan
from napari_pfitre.twin.crystals import Crystals


@pytest.fixture(scope="module")
def crystal():
    return Crystals(11, size=32, oversampling=(2.0, 2.2), photons=(3e4, 3e4), spoil=0.0, off_centre=0.0)[2]


def noisy(crystal, pattern, seed=0):
    """The object with the counted modulus, and its own phase where photons are, any where hardly one is."""
    field = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(crystal.object)))
    unsure = np.random.default_rng(seed).standard_normal(field.shape) / np.maximum(pattern.whole, 0.5)
    field = pattern.whole * np.exp(1j * (np.angle(field) + unsure))
    return torch.from_numpy(np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(field), norm="ortho")).astype(np.complex64))


def phase_error(psi, crystal):
    true = crystal.support > 0.5
    turned = psi.numpy()[true] * np.conj(crystal.object[true])
    return float(np.sqrt(np.mean(np.angle(turned * np.conj(turned.mean())) ** 2)))


def pattern(crystal, intensity=None, mask=None):
    scan = CdiScan(crystal.intensity if intensity is None else intensity, mask=mask)
    return pattern_of(scan, torch.device("cpu"), 0.0, 0)


def test_the_phase_comes_nearer_to_the_truth(crystal):
    given = pattern(crystal)
    psi = noisy(crystal, given)
    assert phase_error(given.without_noise(psi, NOISE_FILTER), crystal) < 0.8 * phase_error(psi, crystal)


def test_where_photons_abound_nothing_changes(crystal):
    given = pattern(crystal, crystal.intensity * 1e6 + 1e5)
    psi = noisy(crystal, given)
    torch.testing.assert_close(
        given.without_noise(psi, NOISE_FILTER), psi, rtol=1e-3, atol=1e-3 * float(psi.abs().max())
    )


def test_switched_off_it_is_the_identity(crystal):
    given = pattern(crystal)
    psi = noisy(crystal, given)
    assert torch.equal(given.without_noise(psi, 0.0), psi)


def test_a_gap_counts_as_its_surroundings(crystal):
    """Voxels that nobody measured are no voxels without photons"""
    mask = np.zeros((32, 32, 32), bool)
    mask[:, 15:17] = True
    whole, gap = pattern(crystal), pattern(crystal, mask=mask)
    psi = torch.from_numpy(crystal.object.astype(np.complex64))
    full, seen = (one.without_noise(psi, NOISE_FILTER) for one in (whole, gap))
    assert float((full - seen).norm() / full.norm()) < 0.02
