"""Spikes go, structure stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_pfitre.errors import OptionError
from napari_pfitre.preprocess import remove_outliers
from napari_pfitre.preprocess.outliers import _despike
from napari_pfitre.scans import TomoScan

ANGLES = np.deg2rad(np.arange(0, 180, 2.0))


@pytest.fixture
def transmission(discs):
    t = np.exp(-discs(ANGLES, width=96, height=12))
    return t * (1 + 0.003 * np.random.default_rng(0).standard_normal(t.shape)).astype(np.float32)


def scan_of(data) -> TomoScan:
    return TomoScan(data, ANGLES, quantity="transmission")


@pytest.mark.parametrize("size", [1, 2])
def test_zingers_go_and_everything_else_stays(transmission, size):
    """Bright and dark spikes of one and of 2 × 2 pixels."""
    rng = np.random.default_rng(3)
    hurt, spikes = transmission.copy(), np.zeros(transmission.shape, bool)
    for k in range(60):
        i, r, c = rng.integers(90), rng.integers(1, 10), rng.integers(1, 93)
        spikes[i, r : r + size, c : c + size] = True
        hurt[i, r : r + size, c : c + size] += 3 if k % 2 else -1
    clean = remove_outliers(scan_of(hurt)).projections[:]
    assert np.abs(clean - transmission)[spikes].max() < 0.2  # steep edges
    np.testing.assert_array_equal(clean[~spikes], hurt[~spikes])


def test_clean_data_are_left_alone(transmission):
    np.testing.assert_array_equal(remove_outliers(scan_of(transmission)).projections[:], transmission)


def test_regions_agree_with_the_whole(transmission, recorder):
    """A region read with its halo is the same as cut from the whole, and reads no more than the halo."""
    transmission[np.random.default_rng(1).random(transmission.shape) < 1e-3] = 4
    parent = recorder(transmission)
    layer = remove_outliers(scan_of(parent)).projections
    whole = layer[:]
    assert (whole != transmission).sum() > 50
    parent.regions.clear()
    np.testing.assert_array_equal(layer[20:30, 4:7, 10:40], whole[20:30, 4:7, 10:40])
    assert parent.regions == [(slice(19, 31), slice(3, 8), slice(9, 41))]


@pytest.mark.parametrize("size", [3, 5])
def test_medians_only_where_they_matter(size):
    """The short cut gives what the median of every pixel gives, when neighbouring frames have no say."""
    block = np.random.default_rng(0).random((1, 40, 50)).astype(np.float32)
    median = ndimage.median_filter(block, size=(1, size, size), mode="nearest")
    expected = np.where(np.abs(block - median) > 0.4, median, block)
    _despike(block, 0.4, size)
    np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"size": 4}, {"size": 1}])
def test_options_out_of_range(transmission, wrong):
    with pytest.raises(OptionError, match="remove_outliers should be"):
        remove_outliers(scan_of(transmission), **wrong)
