"""Crop, bin and shift: the axis, the pixel size and the shifts follow the data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_pfitre.errors import OptionError, PfitreError, ScanError
from napari_pfitre.preprocess import bin, crop, shift
from napari_pfitre.preprocess.geometry import span
from napari_pfitre.scans import TomoScan

ANGLES = np.deg2rad(np.arange(0, 180, 2.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2:5", (2, 5)),
        (":5", (0, 5)),
        ("5:", (5, 10)),
        (":", (0, 10)),
        ("-3:", (7, 10)),
        ("4", (4, 5)),
        ("-1", (9, 10)),
    ],
)
def test_spans(text, expected):
    found = span(text, 10, "rows")
    assert (found.start, found.stop) == expected


@pytest.mark.parametrize("text", ["5:2", "0:11", "a:b", "", "1:2:3", "3:3", "12", "-11"])
def test_spans_that_are_none(text):
    with pytest.raises(OptionError, match="rows"):
        span(text, 10, "rows")


def axis_of(scan: TomoScan) -> float:
    """The constant in c + a cos θ + b sin θ, fitted to the centre of mass."""
    p = scan.projections[:].sum(axis=1, dtype=float)
    mass = (p * np.arange(p.shape[1])).sum(axis=1) / p.sum(axis=1)
    model = np.stack([np.ones_like(scan.angles), np.cos(scan.angles), np.sin(scan.angles)], axis=1)
    return float(np.linalg.lstsq(model, mass, rcond=None)[0][0])


@pytest.mark.parametrize("by", [1, 2, 3, 5, (1, 4)])
@pytest.mark.parametrize("columns", [None, "7:120"])
def test_the_axis_follows_crop_and_bin(discs, by, columns):
    """An off-centre object turns about the axis that the scan names, whatever was cropped and binned."""
    p = discs(ANGLES, width=128, height=4, centre=61.3)
    scan = TomoScan(p, ANGLES, quantity="line integrals", centre=61.3, pixel_size=(2e-6, 1e-6))
    assert axis_of(scan) == pytest.approx(61.3, abs=1e-3)
    if np.max(by) <= 4:
        result = bin(crop(scan, "0:4", columns), by)
        r, c = (by, by) if isinstance(by, int) else by
        assert result.centre == pytest.approx(axis_of(result), abs=0.02)
        assert result.pixel_size == pytest.approx((2e-6 * r, 1e-6 * c))
    else:
        with pytest.raises(OptionError, match="cannot be binned by 5 × 5"):
            bin(scan, by)


def test_binning_averages_and_tells_what_it_drops():
    data = np.arange(2 * 5 * 7, dtype=np.uint16).reshape(2, 5, 7)
    scan = bin(TomoScan(data, np.zeros(2), shifts=np.full((2, 2), 3.0)), 2)
    np.testing.assert_allclose(scan.projections[:], data[:, :4, :6].reshape(2, 2, 2, 3, 2).mean(axis=(2, 4)))
    assert scan.notices == ("binning by 2 × 2 drops the last 1 rows and 1 columns",)
    assert (scan.shifts == 1.5).all()


def test_binning_leaves_out_what_is_no_measurement():
    data = np.full((1, 2, 4), 10, np.uint16)
    data[0, 0, 0] = data[0, :, 2:] = 65535
    binned = bin(TomoScan(data, np.zeros(1)), 2).projections[:]
    assert binned[0, 0, 0] == 10
    assert np.isnan(binned[0, 0, 1])


def test_flats_and_darks_follow(counts):
    scan, _ = counts
    result = bin(crop(scan, "1:5", "8:88"), 2)
    assert result.flats.shape == (5, 2, 40)
    np.testing.assert_allclose(result.flats[0, 0, 0], scan.flats[0, 1:3, 8:10].mean())
    assert [str(step) for step in result.history] == ["crop(rows=1:5, columns=8:88)", "bin(by=[2, 2])"]


def test_the_axis_must_stay(counts):
    scan, _ = counts
    with pytest.raises(OptionError, match=r"columns 50:90 leave out the rotation axis of discs, column 47.5"):
        crop(scan, columns="50:90")


def smooth(shape=(3, 40, 60)) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(1).random(shape), (0, 2.5, 2.5), mode="nearest")


def test_whole_pixels_are_moved_exactly_and_edges_repeated():
    data = smooth().astype(np.float32)
    scan = TomoScan(data, np.zeros(3), shifts=np.array([[0, 0], [2, 0], [0, -3]]), quantity="emission")
    moved = shift(scan)
    assert moved.shifts is None
    np.testing.assert_array_equal(moved.projections[0], data[0])
    np.testing.assert_array_equal(moved.projections[1], np.concatenate([data[1, 2:], data[1, [-1, -1]]]))
    np.testing.assert_array_equal(moved.projections[2, :, 3:], data[2, :, :-3])
    np.testing.assert_array_equal(moved.projections[2, :, :3], np.repeat(data[2, :, :1], 3, axis=1))


def test_sub_pixel_shifts_are_undone():
    """Moved by a shift and back, smooth frames are what they were, away from the edges."""
    data, by = smooth(), np.array([[0.3, -1.7], [-2.45, 0.5], [1.25, 0]])
    there = shift(TomoScan(data, np.zeros(3), shifts=-by, quantity="emission"))
    back = shift(there, by)
    np.testing.assert_allclose(back.projections[:, 12:-12, 12:-12], data[:, 12:-12, 12:-12], atol=2e-4)
    expected = ndimage.shift(data[1], by[1], order=3, mode="mirror")
    np.testing.assert_allclose(there.projections[1, 5:-5, 5:-5], expected[5:-5, 5:-5], atol=2e-6)


def test_rows_in_the_data_columns_left_to_the_operator():
    data, by = smooth(), np.array([[0.3, -1.7], [-2.45, 0.5], [1.25, 0]])
    scan = TomoScan(data, np.zeros(3), shifts=by, quantity="emission")
    rows = shift(scan, axes="rows")
    np.testing.assert_array_equal(rows.shifts, by * [0, 1])
    both = shift(rows, axes="columns")
    assert both.shifts is None
    np.testing.assert_allclose(both.projections[:], shift(scan).projections[:], atol=1e-6)


def test_a_region_of_shifted_frames_reads_only_its_surroundings(recorder):
    data, by = smooth((6, 100, 60)), np.random.default_rng(0).uniform(-4, 4, (6, 2))
    parent = recorder(data)
    moved = shift(TomoScan(parent, np.zeros(6), quantity="emission"), by)
    whole = moved.projections[:]
    parent.regions.clear()
    np.testing.assert_allclose(moved.projections[1:4, 50:55, 7], whole[1:4, 50:55, 7], atol=1e-6)
    ((frames, rows, _),) = parent.regions
    assert (frames.start, frames.stop) == (1, 4)
    assert rows.start >= 25
    assert rows.stop <= 80


def test_shifts_that_do_not_fit():
    scan = TomoScan(smooth(), np.zeros(3))
    for shifts in (None, np.zeros((2, 2)), np.full((3, 2), np.nan)):
        with pytest.raises((ScanError, PfitreError), match="shifts"):
            shift(scan, shifts)
