"""Each imperfection has the strength it states."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.twin import imperfections as spoil


def rng(seed=0):
    return np.random.default_rng(seed)


def test_poisson_counts():
    """Mean and variance of the counts are those of the photons that arrive, within five standard errors."""
    line_integrals = np.full((4000, 4, 6), 0.7)
    counts = spoil.expose(rng(), line_integrals, 1000, frames=4000)
    data = counts.projections.astype(float) - spoil.OFFSET
    # A pixel's response is in the flats: their ratio is the transmission.
    open_beam = counts.flats.astype(float).mean(axis=0) - spoil.OFFSET
    expected = open_beam * np.exp(-0.7)
    error = np.sqrt(expected / 4000) * np.sqrt(1 + np.exp(-0.7))
    assert (np.abs(data.mean(axis=0) - expected) < 5 * error).all()
    variance = expected + spoil.READ_NOISE**2 + 1 / 12
    assert (np.abs(data.var(axis=0) / variance - 1) < 5 * np.sqrt(2 / 4000)).all()
    assert counts.projections.dtype == np.uint16
    assert counts.darks.mean() == pytest.approx(spoil.OFFSET, abs=0.1)
    assert counts.flats[:, 1:3, 2:4].mean() == pytest.approx(1000 + spoil.OFFSET, rel=0.06)


def test_counts_that_do_not_fit():
    assert spoil.expose(rng(), np.zeros((2, 3, 3)), 1e6).projections.dtype == np.uint32


def test_normal_noise():
    """One per cent of the largest line integral, of zero mean."""
    clean = np.linspace(0, 8, 40 * 50 * 60, dtype=np.float32).reshape(40, 50, 60)
    error = spoil.add_noise(rng(), clean, 0.01) - clean
    assert error.std() == pytest.approx(0.08, rel=5 / np.sqrt(2 * error.size))
    assert abs(error.mean()) < 5 * 0.08 / np.sqrt(error.size)


def test_displacements():
    moved = spoil.displacements(rng(), 5000, jitter=0.7, drift=0)
    assert moved.std(axis=0) == pytest.approx([0.7, 0.7], rel=0.06)
    slow = spoil.displacements(rng(), 200, jitter=0, drift=1.5)
    assert np.sqrt((slow**2).mean(axis=0)) == pytest.approx([1.5, 1.5])
    assert np.abs(np.diff(slow, axis=0)).max() < 0.5  # a slow motion, not another jitter
    assert not spoil.displacements(rng(), 10, 0, 0).any()


def test_beam_drift_reaches_the_data():
    """The data fall with the beam, by −ln of its intensity on line integrals and in proportion on counts."""
    clean = np.full((50, 3, 4), 1.0, np.float32)
    beam = spoil.beam_drift(rng(), 50, 0.05)
    assert np.sqrt((np.log(beam) ** 2).mean()) == pytest.approx(0.05)
    integrals = spoil.add_noise(rng(), clean, 0, spoil.Faults(intensity=beam))
    np.testing.assert_allclose(integrals[:, 1, 2], 1 - np.log(beam), rtol=1e-5)
    counts = (
        spoil.expose(rng(), np.tile(clean, (1, 20, 20)), 1e6, spoil.Faults(intensity=beam)).projections - spoil.OFFSET
    )
    seen = counts.mean(axis=(1, 2))
    np.testing.assert_allclose(seen / seen.mean(), beam / beam.mean(), rtol=1e-3)


def test_pixel_gains_are_in_the_projections_and_not_in_the_flats():
    gains = spoil.pixel_gains(rng(), 30, 40, 0.05)
    still, spoilt = (spoil.expose(rng(1), np.zeros((200, 30, 40)), 1e6, spoil.Faults(gains=g)) for g in (None, gains))
    with_gains = (spoilt.projections - spoil.OFFSET).mean(axis=0)
    without = (still.projections - spoil.OFFSET).mean(axis=0)
    np.testing.assert_allclose(with_gains / without, gains, rtol=2e-3)
    np.testing.assert_allclose(spoilt.flats.mean(axis=0), still.flats.mean(axis=0), rtol=5e-3)
    columns = np.log(gains).mean(axis=0)
    assert columns.std() > 2 * (np.log(gains) - columns).std()  # mostly rings through all rows


def test_bad_pixels():
    dead, hot = bad = spoil.bad_pixels(rng(), 200, 300, 0.02)
    assert dead.mean() == pytest.approx(0.01, rel=0.2)
    assert hot.mean() == pytest.approx(0.01, rel=0.2)
    assert not (dead & hot).any()
    counts = spoil.expose(rng(), np.ones((2, 200, 300)), 1000, spoil.Faults(bad=bad), frames=2)
    for stack in counts:
        assert not stack[:, dead].any()
        assert (stack[:, hot] > 3000).all()
    integrals = spoil.add_noise(rng(), np.ones((2, 200, 300), np.float32), 0.01, spoil.Faults(bad=bad))
    assert (integrals[:, dead] == 2).all()
    assert (integrals[:, hot] == -0.5).all()


@pytest.mark.parametrize("resolution", [1.0, 2.5, 5.0])
def test_blur_has_the_width_it_states(resolution):
    """A point becomes a normal spot of that full width at half maximum, and loses nothing."""
    points = np.zeros((2, 31, 41), np.float32)
    points[0, 15, 20] = 1
    spot = spoil.blurred(points, resolution)
    assert spot[0].sum(dtype=float) == pytest.approx(1, rel=1e-3)
    assert not spot[1].any()  # projections are not mixed
    across = spot[0].sum(axis=0) @ (np.arange(41) - 20) ** 2
    assert np.sqrt(across * 8 * np.log(2)) == pytest.approx(resolution, rel=0.01)
    np.testing.assert_allclose(spot[0].sum(axis=1)[5:26], spot[0].sum(axis=0)[10:31], rtol=1e-3, atol=1e-7)
    flat = np.full((1, 1, 9), 3, np.float32)
    np.testing.assert_allclose(spoil.blurred(flat, resolution), flat, rtol=1e-6)


def test_background():
    """Smooth, positive, of the stated mean, and slowly changing over the scan."""
    fields = [spoil.background(rng(seed), (60, 20, 40), 0.05) for seed in range(20)]
    assert np.mean(fields) == pytest.approx(0.05, rel=0.15)
    for field in fields:
        assert field.min() >= 0
        for axis in range(3):
            assert np.abs(np.diff(field, axis=axis)).max() < 0.25 * field.max()
    assert np.ptp(fields[0], axis=0).max() > 0.01


def test_noise_of_a_stated_size():
    """The largest line integral may be that of the object alone."""
    data = spoil.add_noise(rng(), np.zeros((40, 50, 60), np.float32), 0.01, largest=8.0)
    assert data.std() == pytest.approx(0.08, rel=0.01)


def test_slips():
    """Few projections, far off along both axes; the others stay."""
    moved = spoil.slips(rng(), 100, 5.0)
    off = moved.any(axis=1)
    assert off.sum() == 4
    assert (np.abs(moved[off]) >= 2).all()
    assert (np.abs(moved[off]) <= 5).all()
    assert not spoil.slips(rng(), 100, 0).any()
    assert spoil.slips(rng(), 3, 5.0).any(axis=1).sum() == 1
