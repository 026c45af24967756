"""Metrics against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre import metrics


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_psnr_of_a_known_offset():
    """An offset of a tenth of the range is 20 dB; a mask looks only where it is told."""
    truth = noise((3, 32, 32))
    assert metrics.psnr(truth, truth + 0.4, data_range=4.0) == pytest.approx(20)
    assert metrics.psnr(truth, truth, data_range=1) == float("inf")
    image = truth.copy()
    image[:, 0, 0] += 100
    assert metrics.psnr(truth, image + 0.1, data_range=1, mask=metrics.disc_mask(32)) == pytest.approx(20)


def test_ssim():
    truth = noise((2, 24, 24))
    assert metrics.ssim(truth, truth, data_range=6) == pytest.approx(1)
    assert metrics.ssim(10 + truth, 10 - truth, data_range=1) < -0.9
    image = truth.copy()
    image[:, :3] = 0
    mask = metrics.disc_mask(24, 0.2)
    assert metrics.ssim(truth, image, data_range=6, mask=mask) == pytest.approx(1)
    assert metrics.ssim(truth, image, data_range=6) < 0.999


def test_ssim_of_flat_images():
    """Two constants: (2ab + c) / (a² + b² + c) with c = (0.01 range)²."""
    a, b, c = 0.5, 0.8, 0.01**2
    value = metrics.ssim(np.full((1, 20, 20), a), np.full((1, 20, 20), b), data_range=1)
    assert value == pytest.approx((2 * a * b + c) / (a * a + b * b + c))


def test_metrics_refuse_other_shapes():
    with pytest.raises(ValueError, match=r"\(4, 4\) and \(4, 5\)"):
        metrics.psnr(np.zeros((4, 4)), np.zeros((4, 5)), data_range=1)
    with pytest.raises(ValueError, match="at least 3 axes"):
        metrics.fsc(np.zeros((4, 4)), np.zeros((4, 4)), kind="shells")


def test_residual_norm():
    data = noise((5, 7))
    assert metrics.residual_norm(0.9 * data, data) == pytest.approx(0.1)


CASES = [("rings", (64, 64)), ("rings", (5, 48, 65)), ("shells", (24, 32, 33))]


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_fsc_of_equals_is_one(kind, shape):
    curve = metrics.fsc(noise(shape), 3 * noise(shape), kind=kind)
    assert curve.correlation == pytest.approx(1)
    assert 0.48 < curve.frequency[-1] <= 0.5
    assert metrics.fsc_resolution(curve) == pytest.approx(1 / curve.frequency[-1])


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_fsc_of_independent_noise(kind, shape):
    """Nought, with a variance of one over the number of independent coefficients."""
    curve = metrics.fsc(noise(shape, 1), noise(shape, 2), kind=kind)
    scaled = curve.correlation * np.sqrt(2 * curve.samples)
    assert np.abs(scaled).max() < 5
    assert 0.5 < scaled[3:].std() < 1.5
    assert metrics.fsc_resolution(curve, 0.5) > 20


def test_samples_are_half_the_coefficients():
    """All rings of an odd square together: the coefficients, each with its mirror image."""
    n = 33
    frequency = np.fft.fftfreq(n)
    radius = np.rint(np.hypot(frequency[:, None], frequency) * n)
    curve = metrics.fsc(noise((n, n)), noise((n, n)))
    assert curve.samples.sum() == ((radius > 0) & (radius <= n // 2)).sum() / 2


@pytest.mark.parametrize("cut", [0.1, 0.2, 0.35])
@pytest.mark.parametrize("threshold", [0.5, 1 / 7, "half-bit"])
def test_fsc_finds_a_low_pass(cut, threshold):
    """Two images that share what lies below a frequency and nothing above it."""
    n = 128
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    common, rest = np.fft.fft2(noise((2, n, n)))
    first = np.fft.ifft2(np.where(frequency < cut, common, rest)).real
    second = np.fft.ifft2(np.where(frequency < cut, common, 0)).real + 1e-9 * noise((n, n), 3)
    resolution = metrics.fsc_resolution(metrics.fsc(first, second), threshold)
    assert 1 / resolution == pytest.approx(cut, abs=1.5 / n)


def test_half_bit():
    """0.2071 / 1.2071 for very many coefficients; above one where there are next to none."""
    curve = metrics.threshold_curve("half-bit", np.array([1e12, 1.0]))
    assert curve[0] == pytest.approx(0.1716, abs=1e-4)
    assert curve[1] == pytest.approx((0.2071 + 1.9102) / (1.2071 + 0.9102))


def test_fsc_against_the_signal_to_noise_ratio():
    """Signal S in both images with independent noise N: the correlation is S / (S + N)."""
    shared = noise((40, 64, 64), 1)
    curve = metrics.fsc(shared + 0.5 * noise((40, 64, 64), 2), shared + 0.5 * noise((40, 64, 64), 3))
    assert curve.correlation.mean() == pytest.approx(1 / 1.25, abs=0.01)


def test_taper_hides_the_border():
    """Two images that share nothing but a bright frame correlate only through it."""
    frame = np.zeros((64, 64))
    frame[[0, -1]] = frame[:, [0, -1]] = 50
    first, second = noise((64, 64), 1) + frame, noise((64, 64), 2) + frame
    assert metrics.fsc(first, second).correlation[5:].mean() > 0.5
    assert abs(metrics.fsc(first, second, taper=0.5).correlation[5:].mean()) < 0.1
