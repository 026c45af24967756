"""Counts to line integrals, and everything a detector does to them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.errors import QuestionError, ScanError
from napari_pfitre.preprocess import equalise, flat_field, minus_log, normalise_air, repair
from napari_pfitre.preprocess.dead import fill_dead, mark_dead
from napari_pfitre.scans import TomoScan


def test_beer_lambert(counts):
    """T = exp(−p) gives p back, to the rounding of the counts."""
    scan, p = counts
    result = minus_log(flat_field(scan))
    assert result.quantity == "line integrals"
    assert result.flats is None
    assert result.darks is None
    np.testing.assert_allclose(result.projections[:], p, atol=1e-4)
    assert result.projections[:].dtype == np.float32
    assert [step.name for step in result.history] == ["flat_field", "minus_log"]


@pytest.mark.parametrize("reduce", ["median", "mean"])
def test_a_zinger_in_one_flat(counts, reduce):
    """The median of the flats forgives it, the mean does not."""
    scan, p = counts
    scan.flats[2, 1, 10] = 65534
    error = np.abs(minus_log(flat_field(scan, reduce)).projections[:, 1, 10] - p[:, 1, 10]).max()
    assert (error < 1e-4) == (reduce == "median")


def test_dead_pixels_are_counted_and_filled_from_their_row(counts):
    scan, p = counts
    scan.flats[:, 2, 40] = scan.darks[:, 2, 40]  # never saw light
    scan.flats[:, 4, 7] = 0  # darker than dark
    result = flat_field(scan)
    assert any(notice.startswith("2 of 480 pixels have flats no brighter than darks") for notice in result.notices)
    t = result.projections[:]
    assert np.isfinite(t).all()
    np.testing.assert_allclose(t[:, 2, 40], (t[:, 2, 39] + t[:, 2, 41]) / 2, rtol=1e-5)
    np.testing.assert_allclose(t[:, 2, 39], np.exp(-p[:, 2, 39]), atol=1e-4)


def test_saturated_counts_are_no_measurement(counts):
    scan, _ = counts
    scan.projections[5, 3, 50] = 65535
    result = flat_field(scan)
    t = result.projections[5, 3]
    np.testing.assert_allclose(t[50], (t[49] + t[51]) / 2, rtol=1e-5)
    assert any("end of their type's range" in notice for notice in result.notices)


def test_uint16_does_not_wrap(counts):
    """A count one below the dark is a small negative transmission, not 65535 over the beam."""
    scan, _ = counts
    scan.projections[0, 0, 0] = scan.darks[0, 0, 0] - 1
    result = flat_field(scan)
    assert -1e-3 < result.projections[0, 0, 0] < 0
    logged = minus_log(result)
    assert logged.projections[0, 0, 0] == pytest.approx(-np.log(1e-4), rel=1e-5)
    assert any("not positive" in notice for notice in logged.notices)


def test_beam_is_interpolated_between_groups_of_flats(counts):
    """A beam that decays linearly between flats before and after the scan."""
    scan, p = counts
    n = scan.shape[0]
    decay = 1 - 0.3 * (np.arange(n) + 0.5) / n
    data = scan.darks[0] + (scan.flats[0] - scan.darks[0]) * decay[:, None, None] * np.exp(-p)
    after = (scan.darks + (scan.flats - scan.darks.astype(float)) * 0.7)[:3]
    drifting = scan.replace(
        projections=data, flats=np.concatenate([scan.flats, after]), flat_positions=np.array([0] * 5 + [n] * 3)
    )
    np.testing.assert_allclose(minus_log(flat_field(drifting)).projections[:], p, atol=1e-4)
    constant = minus_log(flat_field(drifting.replace(flat_positions=None))).projections[:]
    assert np.abs(constant - p).max() > 0.1


def test_missing_darks_count_as_zero(counts):
    scan, _ = counts
    result = flat_field(scan.replace(darks=None))
    assert "there are no darks; they are taken as zero" in result.notices
    expected = scan.projections[3].astype(float) / scan.flats[0]
    np.testing.assert_allclose(result.projections[3], expected, rtol=1e-5)


def test_missing_flats_are_asked_for(counts):
    scan, _ = counts
    bare = scan.replace(flats=None, darks=None)
    with pytest.raises(QuestionError, match=r"no flats; pass flats=") as caught:
        flat_field(bare)
    assert caught.value.hint == "flats"
    brightest = flat_field(bare, without_flats="brightest")
    assert brightest.projections[:].max() == pytest.approx(1, abs=0.1)


def test_counts_that_are_normalised_already(counts):
    scan, p = counts
    result = flat_field(scan.replace(projections=np.exp(-p), flats=None))
    assert any("taken as transmission" in notice for notice in result.notices)
    np.testing.assert_allclose(result.projections[:], np.exp(-p), rtol=1e-6)


@pytest.mark.parametrize("value", [0, 100])
def test_placeholder_flats_are_refused(counts, value):
    scan, _ = counts
    with pytest.raises(QuestionError, match=r"no brighter than its darks on 1?[0-9.]+ % of the detector"):
        flat_field(scan.replace(flats=np.full_like(scan.flats, value), darks=np.full_like(scan.darks, 100)))


@pytest.mark.parametrize(
    ("quantity", "message"),
    [("line integrals", "taken already"), ("emission", "without −log"), ("counts", "flat_field")],
)
def test_minus_log_wants_transmission(counts, quantity, message):
    scan, _ = counts
    with pytest.raises(ScanError, match=message):
        minus_log(scan.replace(flats=None, quantity=quantity))


def test_a_row_without_a_working_pixel(counts):
    scan, _ = counts
    scan.flats[:, 1] = 0
    result = flat_field(scan)
    assert (result.projections[:, 1] == 1).all()
    assert any("1 rows have no working pixel" in notice for notice in result.notices)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "u4", "i4", "f2", "f4", ">f8", "?"])
def test_counts_of_every_type(dtype):
    block = np.ones((1, 2, 3), dtype)
    assert mark_dead(block).dtype == np.float32
    assert (mark_dead(block) == 1).all()
    kind = np.dtype(dtype).kind
    if kind != "b":
        block[0, 0, 0] = np.nan if kind == "f" else np.iinfo(dtype).max
        assert np.isnan(mark_dead(block)).sum() == 1


@pytest.mark.parametrize("dtype", ["i8", "u8", "f4", "f8"])
def test_detector_gaps_survive_a_cast(dtype):
    """2³² − 1 marks gaps in uint32 and stays what it is, or 2³², in wider types."""
    block = np.array([[[5, 2**32 - 1, 7]]]).astype(dtype)
    assert np.isnan(mark_dead(block)).tolist() == [[[False, True, False]]]


def test_filling_a_row():
    nan = np.nan
    block = np.array([[[nan, 1, nan, nan, 4, nan], [nan] * 6, [1, 2, 3, 4, 5, 6]]], np.float32)
    expected = [[1, 1, 2, 3, 4, 4], [9] * 6, [1, 2, 3, 4, 5, 6]]
    np.testing.assert_allclose(fill_dead(block.copy(), 9)[0], expected)
    across = np.asfortranarray(block)
    assert fill_dead(across, 9) is across
    np.testing.assert_allclose(across[0], expected)


def test_repair_of_emission():
    data = np.ones((4, 2, 5))
    data[1, 0, 2], data[2, 1, 4] = np.nan, np.inf
    scan = repair(TomoScan(data, np.arange(4.0), quantity="emission"))
    assert (scan.projections[:] == 1).all()
    assert any("5 % of the values" in notice for notice in scan.notices)


def test_air_columns_steady_the_beam(counts):
    scan, p = counts
    flicker = 1 + 0.1 * np.sin(np.arange(scan.shape[0]))
    t = TomoScan(np.exp(-p) * flicker[:, None, None], scan.angles, quantity="transmission")
    result = normalise_air(t, "0:6,-6:")
    np.testing.assert_allclose(result.projections[:], np.exp(-p), rtol=1e-5)
    np.testing.assert_allclose(result.projections[7:9, 2:3, 10:20], np.exp(-p)[7:9, 2:3, 10:20], rtol=1e-5)


def test_equalise_gives_every_projection_the_same_total(counts):
    scan, p = counts
    fade = np.linspace(1, 0.5, len(p))[:, None, None]
    result = equalise(TomoScan(p * fade, scan.angles, quantity="emission"))
    totals = result.projections[:].sum(axis=(1, 2))
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)
