"""Displacement and strain against fields known by formula, on oblique voxels; the sign against the lattice itself."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.metrics import twin
from napari_pfitre.recipes.strain import displacement, lab_frame, strain
from napari_pfitre.scans import BraggGeometry

N = 24
VOXELS = 1e-9 * np.array([[9.0, 1.0, 3.0], [0.5, -6.0, 0.5], [5.0, 0.0, -4.0]])  # rows: steps along z, y, x
Q = 2.7e10 * np.array([0.87, 0.37, -0.32])
DIRECTION = Q / np.linalg.norm(Q)


def places():
    index = np.stack(np.meshgrid(*[np.arange(N) - N // 2] * 3, indexing="ij"), axis=-1)
    return index @ VOXELS


@pytest.fixture
def crystal():
    """ψ = s exp(−i Q·u) with u = a (Q̂·r)² / 2 along Q̂: a strain of a (Q̂·r)"""
    r = places()
    s = np.linalg.norm(r, axis=-1) < 45e-9
    along = r @ DIRECTION
    a = 2e4
    u = a * along**2 / 2
    return (s * np.exp(-1j * np.linalg.norm(Q) * u)).astype(np.complex64), s, u, a * along


def test_strain_of_a_quadratic_displacement(crystal):
    psi, s, _, expected = crystal
    assert 5e-4 < np.abs(expected[s]).max() < 2e-3
    found = strain(psi, s, VOXELS, Q)
    inner = s & np.roll(s, 1, 0) & np.roll(s, -1, 0) & np.roll(s, 1, 1) & np.roll(s, -1, 1) & np.roll(s, 1, 2)
    inner &= np.roll(s, -1, 2)
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-6)
    np.testing.assert_allclose(found[s], expected[s], atol=4e-4)  # one-sided at the surface
    assert not found[~s].any()


def test_displacement_is_unwrapped(crystal):
    """Over more than a turn of the phase; the sign is that of u"""
    psi, s, u, _ = crystal
    assert np.ptp(u[s]) * np.linalg.norm(Q) > 2 * np.pi or np.ptp(np.angle(psi[s])) > 0.5
    found = displacement(psi * 1j, s, Q)
    np.testing.assert_allclose(found[s], u[s] - u[s].mean(), atol=1e-13)
    assert displacement(psi, np.zeros_like(s), Q).max() == 0


def test_a_stretched_lattice_has_its_peak_at_smaller_q():
    """Atoms counted one by one: positive strain means larger spacing, a peak nearer to zero, and a phase −Q·u"""
    n, spacing, stretch = 200, 2.0e-10, 5e-3
    bragg = 2 * np.pi / spacing
    atoms = spacing * np.arange(n) * (1 + stretch)
    q = np.linspace(0.98, 1.02, 2001) * bragg
    peak = q[np.argmax(np.abs(np.exp(-1j * np.outer(q, atoms)).sum(axis=1)))]
    assert peak == pytest.approx(bragg / (1 + stretch), rel=1e-4)
    every = 10  # a voxel holds ten planes; its ψ is the sum of its atoms, taken about the unstretched lattice
    psi = np.exp(-1j * bragg * (atoms - spacing * np.arange(n))).reshape(-1, every).mean(axis=1)
    block = np.tile(psi[:, None, None], (1, 3, 3)).astype(np.complex64)
    voxels = np.diag([every * spacing] * 3)
    found = strain(block, np.ones(block.shape, bool), voxels, np.array([bragg, 0, 0]))
    assert found.mean() == pytest.approx(stretch, rel=1e-3)


def test_the_twin_has_its_strain_at_the_other_side(crystal):
    """ε(−r), with the same sign"""
    psi, s, _, _ = crystal
    found = strain(psi, s, VOXELS, Q)
    turned = strain(twin(psi), np.abs(twin(psi)) > 0, VOXELS, Q)
    np.testing.assert_allclose(turned, np.real(twin(found)), atol=1e-7)


def test_no_neighbours_no_slope():
    lonely = np.zeros((5, 5, 5), bool)
    lonely[2, 2, 2] = True
    assert strain(np.ones((5, 5, 5), np.complex64), lonely, VOXELS, Q).max() == 0


def test_laboratory_frame_keeps_shape_volume_and_strain(crystal):
    """A ball in oblique voxels is a ball on the cubic grid, of the same volume; strain lies along the same direction"""
    psi, s, _, _ = crystal
    steps = 2 * np.pi * np.linalg.inv(VOXELS).T / N
    geometry = BraggGeometry(steps, Q)
    np.testing.assert_allclose(geometry.voxels((N, N, N)), VOXELS, atol=1e-18)
    cubic, edge = lab_frame(psi, geometry)
    solid = np.abs(cubic) > 0.5
    assert solid.sum() * edge**3 == pytest.approx(s.sum() * abs(np.linalg.det(VOXELS)), rel=0.03)
    extents = [np.ptp(at) * edge for at in np.nonzero(solid)]
    assert extents == pytest.approx([90e-9] * 3, rel=0.12)
    z, y, x = np.meshgrid(*[np.arange(n) - n // 2 for n in cubic.shape], indexing="ij")
    along = edge * (x * DIRECTION[0] + y * DIRECTION[1] + z * DIRECTION[2])
    core = edge**2 * (x**2 + y**2 + z**2) < (30e-9) ** 2
    found = strain(cubic, solid, edge * np.eye(3)[::-1], Q)
    assert np.polyfit(along[core], found[core], 1)[0] == pytest.approx(2e4, rel=0.05)
