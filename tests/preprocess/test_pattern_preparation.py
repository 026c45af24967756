"""A pattern prepared: its peak in the middle, its box for FFTs, the detector's faults masked, its sampling known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from napari_pfitre.errors import OptionError, ScanError
from napari_pfitre.frames import LazyFrames
from napari_pfitre.preprocess import CdiPrepareOptions, oversampling, prepare_pattern
from napari_pfitre.preprocess.cdi_frame import friendly
from napari_pfitre.scans import BraggGeometry, CdiScan

RNG = np.random.default_rng(3)


def crystal(shape=(64, 64, 64), size=(16, 20, 24), seed=0, photons=1e7) -> np.ndarray:
    """Photons behind an ellipsoid of these diameters with a smooth phase, peak at n // 2."""
    grids = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    inside = sum((2 * g / s) ** 2 for g, s in zip(grids, size, strict=True)) <= 1
    psi = inside * np.exp(0.5j * np.cos(grids[0] / 5.0))
    rate = np.abs(fft.fftshift(fft.fftn(fft.ifftshift(psi)))) ** 2
    return np.random.default_rng(seed).poisson(photons * rate / rate.sum()).astype(np.int32)


DATA = crystal()


def pattern(data=DATA, **changes) -> CdiScan:
    return CdiScan(**({"intensity": data} | changes))


def test_the_peak_goes_to_the_middle_of_the_box():
    rolled = np.roll(DATA, (3, -5, 7), (0, 1, 2))
    made = prepare_pattern(pattern(rolled), CdiPrepareOptions(shape="40,40,48", threshold=0.0, hot_pixels=False))
    assert made.shape == (40, 40, 48)
    np.testing.assert_array_equal(made.intensity, DATA[12:52, 12:52, 8:56])
    assert made.centre == (20, 20, 24)
    assert not made.mask.any()


def test_what_lies_outside_of_the_array_was_not_measured():
    made = prepare_pattern(pattern(DATA[:, 20:]), CdiPrepareOptions(shape="64,64,64", hot_pixels=False))
    assert made.mask[:, :20].all()
    assert not made.mask[:, 20:].any()
    assert made.metadata["masked"] == pytest.approx(20 / 64)


def test_the_box_is_chosen_for_the_light_and_for_ffts():
    made = prepare_pattern(pattern())
    assert all(n == friendly(n) for n in made.shape)
    assert np.asarray(made.intensity).sum() > 0.98 * np.where(DATA > 2, DATA, 0).sum()


@pytest.mark.parametrize(("n", "up", "down"), [(2, 2, 2), (7, 8, 6), (95, 96, 90), (127, 128, 120), (97.5, 100, 96)])
def test_friendly_numbers(n, up, down):
    assert (friendly(n), friendly(n, down=True)) == (up, down)


def test_binning_sums_photons_and_keeps_the_field_of_view():
    steps = np.diag([1e6, 2e6, 3e6])
    scan = pattern(geometry=BraggGeometry(steps, np.array([0, 0, 1e10])), pixel_size=(1e-5, 2e-5), rocking_step=1e-4)
    one = prepare_pattern(scan, CdiPrepareOptions(shape="64", threshold=0.0, hot_pixels=False))
    two = prepare_pattern(scan, CdiPrepareOptions(shape="62,60,60", bin="1,2,3", threshold=0.0, hot_pixels=False))
    assert two.shape == (62, 30, 20)
    assert np.unravel_index(int(np.argmax(two.intensity)), two.shape) == (31, 15, 10)
    np.testing.assert_allclose(two.geometry.steps, steps * np.array([1, 2, 3])[:, None])
    assert two.pixel_size == pytest.approx((2e-5, 6e-5))
    assert two.rocking_step == 1e-4
    photons = np.asarray(one.intensity).sum()
    assert np.asarray(two.intensity).sum() == pytest.approx(photons, rel=1e-2)  # the box is a little smaller


def test_flat_and_dark():
    gain = RNG.uniform(0.7, 1.3, DATA.shape[1:])
    gain[5, 6] = 1e-3
    dark = np.zeros(DATA.shape[1:], np.float32)
    dark[8, 9] = 30
    scan = pattern(DATA * gain, flat=(1000 * gain).astype(np.float32), dark=dark)
    made = prepare_pattern(scan, CdiPrepareOptions(shape="64", threshold=0.0, hot_pixels=False))
    assert made.flat is None
    assert made.dark is None
    assert made.mask[:, 5, 6].all()
    assert made.mask[:, 8, 9].all()
    assert made.mask.sum() == 128
    good = ~made.mask
    ratio = np.asarray(made.intensity)[good].sum() / DATA[good].sum()
    np.testing.assert_allclose(np.asarray(made.intensity)[good], ratio * DATA[good], rtol=1e-4, atol=1e-3)


def test_hot_pixels_and_single_hits_are_masked_and_the_crystal_is_not():
    data = DATA.copy()
    data[:, 50, 11] += 5000
    data[7, 40, 9] += 9000
    made = prepare_pattern(pattern(data), CdiPrepareOptions(shape="64", threshold=0.0))
    assert made.mask[:, 50, 11].all()
    assert made.mask[7, 40, 9]
    assert made.mask.sum() == 65


def test_the_brightest_of_hot_pixels_is_not_the_peak():
    data = DATA.copy()
    data[:, 3, 3] = 10 * DATA.max()
    made = prepare_pattern(pattern(data), CdiPrepareOptions(shape="40"))
    np.testing.assert_array_equal(made.intensity[20, 20, 20], DATA.max())


def test_another_crystals_light_goes_when_asked():
    data = DATA.copy()
    grids = np.meshgrid(*[np.arange(64) - at for at in (32, 12, 50)], indexing="ij")
    alien = 3000 * np.exp(-sum(g**2 for g in grids) / 8.0)
    made = prepare_pattern(pattern(data + alien.astype(np.int32)), CdiPrepareOptions(shape="64", aliens=True))
    assert made.mask[32, 12, 50]
    assert made.mask.mean() < 0.02
    assert not made.mask[20:44, 20:44, 20:44].any()
    clean = prepare_pattern(pattern(data), CdiPrepareOptions(shape="64", aliens=True))
    assert not clean.mask.any()


def test_marks_of_the_detector_are_masked():
    data = DATA.astype(np.uint16)
    data[:, :, 60] = 65535
    made = prepare_pattern(pattern(data), CdiPrepareOptions(shape="64"))
    assert made.mask[:, :, 60].all()
    assert made.intensity.max() < 65535
    assert any("limit of their type" in notice for notice in made.notices)


class Counting(LazyFrames):
    """Frames that count how many of them are read."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.most = data, data.shape, data.dtype, 0

    def read(self, frames, rows, columns):
        self.most = max(
            self.most, (frames.stop - frames.start) * (rows.stop - rows.start) * (columns.stop - columns.start)
        )
        return self.data[frames, rows, columns]


def test_of_a_large_pattern_only_the_box_is_in_memory(monkeypatch):
    monkeypatch.setattr("napari_pfitre.preprocess.cdi_survey._BLOCK", 64 * 64 * 8)
    frames = Counting(DATA)
    lazily = prepare_pattern(pattern(frames), CdiPrepareOptions(shape="24,24,24"))
    assert frames.most == 24**3
    np.testing.assert_array_equal(lazily.intensity, prepare_pattern(pattern(), CdiPrepareOptions(shape="24")).intensity)


@pytest.mark.parametrize("size", [(12, 16, 20), (24, 24, 24), (10, 30, 16)])
def test_oversampling_is_the_box_over_the_crystal(size):
    made = oversampling(crystal(size=size))
    np.testing.assert_allclose(made, 64 / np.array(size), rtol=0.15)


def test_too_coarse_a_sampling_is_said():
    made = prepare_pattern(pattern(crystal(size=(44, 24, 24))))
    assert any("along the frames; below 2" in notice for notice in made.notices)


def test_prepared_is_prepared():
    made = prepare_pattern(pattern())
    assert prepare_pattern(made) is made
    assert made.history[-1].parameters["peak"] == "brightest"


@pytest.mark.parametrize("peak", ["mass", "keep"])
def test_other_middles(peak):
    made = prepare_pattern(pattern(), CdiPrepareOptions(peak=peak, shape="32"))
    np.testing.assert_array_equal(made.intensity[16, 16, 16], DATA[32, 32, 32])


def test_options_that_cannot_be():
    for bad in ({"shape": "1,2"}, {"bin": "x"}, {"bin": "0"}, {"peak": "corner"}, {"threshold": -1.0}):
        with pytest.raises(OptionError):
            CdiPrepareOptions(**bad)
    with pytest.raises(ScanError, match="nothing of pattern is left above 1e\\+09; lower the threshold"):
        prepare_pattern(pattern(), CdiPrepareOptions(threshold=1e9))
