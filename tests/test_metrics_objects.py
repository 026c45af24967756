"""Complex objects modulo their ambiguities, and objects against their patterns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_pfitre.metrics import (
    align_to,
    canonical,
    chi_squared,
    compare,
    prtf,
    prtf_resolution,
    remove_ramp,
    twin,
)
from napari_pfitre.metrics.diffraction import ShellTransfer

N = 24


def crystal(shape=(N, N, N)):
    """No symmetry, smooth, phase from −1 to 1.5 rad."""
    z, y, x = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    inside = (np.abs(z) < 4) & (y > -5) & (y + 0.7 * x < 4) & (x > -4) & (x < 5)
    amplitude = ndimage.gaussian_filter(inside.astype(float), 0.7)
    return (amplitude * np.exp(1j * (np.sin(0.5 * x) + 0.05 * z * y))).astype(np.complex64)


def field(psi):
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(psi)))


OBJECT = crystal()
shifts = st.tuples(*[st.integers(-N, N)] * 3)
ramps = st.tuples(*[st.integers(-2, 2)] * 3)
families = st.tuples(st.floats(-np.pi, np.pi), shifts, ramps, st.booleans())


def member(psi, alpha, shift, ramp, turned):
    """Another object with the same pattern, up to a shift of the pattern by whole voxels."""
    psi = psi * np.exp(1j * alpha)
    for axis, k in enumerate(ramp):
        n = psi.shape[axis]
        psi = psi * np.exp(2j * np.pi * k * np.arange(n) / n).reshape([-1 if a == axis else 1 for a in range(3)])
    psi = np.roll(psi, shift, (0, 1, 2))
    return twin(psi) if turned else psi


@settings(max_examples=25, deadline=None)
@given(families)
def test_a_family_has_one_canonical_member(how):
    """Whatever mean phase, place, slope and twin: the same canonical object"""
    np.testing.assert_allclose(canonical(member(OBJECT, *how)), canonical(OBJECT), atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(families)
def test_comparison_knows_the_family(how):
    """Members of a family are equal; which twin it was is told"""
    found = compare(member(OBJECT, *how), OBJECT)
    assert found.iou == 1
    assert found.phase_rmse < 1e-3
    assert found.error < 1e-3
    assert found.twin == how[3]


@settings(max_examples=10, deadline=None)
@given(families)
def test_members_have_one_pattern(how):
    """The ambiguities are ones: the modulus is the same, shifted by whole voxels"""
    alpha, shift, ramp, turned = how
    before, after = np.abs(field(OBJECT)), np.abs(field(member(OBJECT, alpha, shift, ramp, turned)))
    # the twin conjugates the ramp and turns space over: the pattern stays where it is
    np.testing.assert_allclose(np.roll(before, ramp, (0, 1, 2)), after, atol=1e-3 * before.max())


def test_canonical_is_canonical():
    """Its own canonical form; no mean phase, no slope, the middle in the middle"""
    one = canonical(OBJECT)
    np.testing.assert_allclose(canonical(one), one, atol=1e-5)
    assert np.angle(np.sum(one * np.abs(one))) == pytest.approx(0, abs=1e-4)
    weights = np.abs(one) ** 2
    for axis in range(3):
        assert np.angle(np.sum(np.roll(one, -1, axis) * one.conj())) == pytest.approx(0, abs=1e-4)
        line = weights.sum(axis=tuple(a for a in range(3) if a != axis))
        assert np.sum(line * np.arange(N)) / line.sum() == pytest.approx(N // 2, abs=0.5)


def test_twin_twice_is_itself():
    for shape in ((24, 24, 24), (23, 24, 25)):
        np.testing.assert_array_equal(twin(twin(crystal(shape))), crystal(shape))


def test_parts_of_a_voxel_and_of_a_slope():
    """A displacement by parts of a voxel and a slope by parts of a step are found too, to 1/20 voxel"""
    moved = OBJECT.astype(np.complex128)
    spectrum = np.fft.fftn(moved)
    for axis, s in enumerate((0.3, -0.45, 2.2)):
        spectrum *= np.exp(-2j * np.pi * np.fft.fftfreq(N) * s).reshape([-1 if a == axis else 1 for a in range(3)])
    moved = np.fft.ifftn(spectrum)
    z = np.arange(N)[:, None, None] - N // 2
    moved *= np.exp(0.13j * z)
    back, turned, shift = align_to(moved, OBJECT)
    assert not turned
    assert shift == pytest.approx((-0.3, 0.45, -2.2), abs=0.051)
    assert np.linalg.norm(back - OBJECT) < 0.06 * np.linalg.norm(OBJECT)
    assert compare(moved, OBJECT).phase_rmse < 0.03


def test_phase_errors_are_told_in_radians():
    """A random error of the phase is its rmse; the support has its own figure"""
    rng = np.random.default_rng(0)
    inside = np.abs(OBJECT) > 0.3
    error = 0.2 * rng.standard_normal(OBJECT.shape)
    found = compare(OBJECT * np.exp(1j * error), OBJECT, support=inside, true_support=inside)
    assert found.phase_rmse == pytest.approx(0.2, rel=0.1)
    assert found.iou == 1
    assert found.amplitude_error < 0.01
    eroded = ndimage.binary_erosion(inside)
    assert compare(OBJECT, OBJECT, support=eroded, true_support=inside).iou == pytest.approx(
        eroded.sum() / inside.sum()
    )


@pytest.mark.parametrize(
    ("psi", "what"),
    [
        (np.zeros((4, 4, 4)), "zero everywhere"),
        (np.full((4, 4, 4), np.nan), "finite"),
        (np.ones((4, 4)), "2 axes"),
    ],
)
def test_what_is_no_object_is_refused(psi, what):
    with pytest.raises(ValueError, match=what):
        canonical(psi)
    with pytest.raises(ValueError, match="one shape"):
        compare(OBJECT, OBJECT[1:])


def test_remove_ramp_keeps_the_amplitude():
    z = np.arange(N)[:, None, None]
    tilted = OBJECT * np.exp(0.4j * z)
    np.testing.assert_allclose(np.abs(remove_ramp(tilted)), np.abs(OBJECT), atol=1e-6)


def test_chi_squared_is_of_squares_at_the_best_scale():
    """Σ(c |F| − D)² / ΣD²; masked voxels do not count; of voxels held out, the scale is given"""
    rng = np.random.default_rng(1)
    d = rng.uniform(1, 2, (4, 5, 6))
    assert chi_squared(7 * d, d) == pytest.approx(0, abs=1e-15)
    f = d + rng.normal(0, 0.1, d.shape)
    best = min(np.sum((c * f - d) ** 2) / np.sum(d**2) for c in np.linspace(0.95, 1.05, 2001))
    assert chi_squared(f, d) == pytest.approx(best, rel=1e-4)
    where = np.ones(d.shape, bool)
    where[0] = False
    g = f.copy()
    g[0] = 1e6
    assert chi_squared(g, d, where) == pytest.approx(chi_squared(f[1:], d[1:]))
    assert chi_squared(2 * d, d, scale=1.0) == pytest.approx(1)
    assert np.isnan(chi_squared(f, 0 * d))


def test_prtf_falls_where_phases_disagree():
    """Objects that agree only up to a frequency: the transfer is 1 below, and its 1/e is found there"""
    rng = np.random.default_rng(2)
    truth = field(OBJECT)
    at = np.meshgrid(*[np.arange(N) - N // 2] * 3, indexing="ij")
    radius = np.sqrt(sum(a**2 for a in at)) / N
    limit = 0.25
    several = [
        truth * np.exp(1j * np.where(radius > limit, rng.uniform(-np.pi, np.pi, truth.shape), 0)) for _ in range(40)
    ]
    curve = prtf(np.abs(np.mean(several, axis=0)), np.abs(truth), np.ones(truth.shape, bool))
    assert curve.transfer[curve.frequency < limit - 0.05] == pytest.approx(1, abs=0.05)
    assert np.all(curve.transfer[curve.frequency > limit + 0.05] < 0.3)
    assert prtf_resolution(curve) == pytest.approx(1 / limit, rel=0.15)


def test_prtf_in_metres():
    """With steps in 1/m the frequencies are in 1/m, axis by axis"""
    d = np.abs(field(OBJECT)) + 1
    steps = np.diag([1e6, 2e6, 3e6])
    curve = prtf(d, d, np.ones(d.shape, bool), steps=steps)
    assert curve.frequency[1] == pytest.approx(3e6)
    assert prtf_resolution(curve) == pytest.approx(1 / curve.frequency[-1])
    assert np.nansum(curve.voxels) > 0


def test_resolution_at_the_ends():
    curve = ShellTransfer(np.array([0.0, 0.1, 0.2]), np.array([1.0, 0.2, 0.1]), np.ones(3))
    assert prtf_resolution(curve) == float("inf")
    curve = ShellTransfer(np.array([0.0, 0.1, 0.2]), np.array([1.0, 0.9, 0.1]), np.ones(3))
    assert 5 < prtf_resolution(curve) < 10
