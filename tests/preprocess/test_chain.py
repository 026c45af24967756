"""The whole chain: lazy, in order, finite, and done once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_pfitre.errors import OptionError, QuestionError, ScanError
from napari_pfitre.frames import LazyFrames
from napari_pfitre.options import as_dict, describe, from_dict
from napari_pfitre.preprocess import PrepareOptions, prepare
from napari_pfitre.scans import TomoScan

KNOWN = {"find_centre": "file"}  # no search, so that nothing but samples is read


class Huge(LazyFrames):
    """50 GB of counts computed from where they lie."""

    shape = (1800, 2048, 6800)
    dtype = np.dtype(np.uint16)

    def __init__(self):
        self.values_read = 0

    def read(self, frames, rows, columns):
        i, r, c = (np.arange(s.start, s.stop, dtype=np.uint16) for s in (frames, rows, columns))
        self.values_read += i.size * r.size * c.size
        return 20000 + i[:, None, None] + r[:, None] % 7 + c % 11


def test_counts_become_finite_line_integrals(counts):
    scan, p = counts
    scan.projections[3, 2, 5] = 65535
    scan.flats[:, 1, 3] = 0
    result = prepare(scan)
    assert result.quantity == "line integrals"
    assert result.projections[:].dtype == np.float32
    np.testing.assert_allclose(result.projections[:], p, atol=0.05)
    assert [step.name for step in result.history] == ["flat_field", "remove_outliers", "minus_log", "prepare"]


def test_rows_asked_for_are_the_rows_read_once(counts, recorder):
    """Nearly every step in the chain, and a block of rows is still one read of those rows and their halo."""
    scan, _ = counts
    parent = recorder(np.concatenate([scan.projections] * 8, axis=1))
    tall = scan.replace(
        projections=parent,
        flats=np.concatenate([scan.flats] * 8, axis=1),
        darks=np.concatenate([scan.darks] * 8, axis=1),
        shifts=np.tile([2.0, 0], (60, 1)),
    )
    result = prepare(tall, PrepareOptions(bin=2, rings="sorting", columns="0:80", **KNOWN))
    parent.regions.clear()
    block = result.projections[:, 5:8, :]
    assert block.shape == (60, 3, 40)
    # rows 5:8 displaced by 1 binned row are 6:9, which are 12:18 of the detector, with a halo of one for outliers
    assert parent.regions == [(slice(0, 60), slice(11, 19), slice(0, 80))]


def test_fifty_gigabytes():
    """Preparing looks at a sample; sixteen rows cost sixteen rows."""
    parent = Huge()
    flats = np.full((1, *Huge.shape[1:]), 30000, np.uint16)
    scan = TomoScan(parent, np.linspace(0, np.pi, 1800), flats=flats, centre=3399.5)
    result = prepare(scan, PrepareOptions(rows="100:116", outliers=False))
    assert parent.values_read < 1e7
    before = parent.values_read
    block = result.projections[5:15, :, :]
    assert block.shape == (10, 16, 6800)
    assert parent.values_read - before == block.size
    np.testing.assert_allclose(block[0, 0, :2], -np.log((20000 + 5 + 100 % 7 + np.arange(2)) / 30000), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [PrepareOptions(), PrepareOptions(rows="1:4", bin=2), PrepareOptions(rings="filtering")]
)
def test_doing_it_again_changes_nothing(counts, options):
    scan, _ = counts
    once = prepare(scan, options)
    assert prepare(once, options) is once


def test_what_is_line_integrals_stays(counts):
    scan, p = counts
    given = TomoScan(p, scan.angles, quantity="line integrals", centre=47.5)
    result = prepare(given)
    np.testing.assert_array_equal(result.projections[:], p)
    again = prepare(prepare(scan), PrepareOptions(bin=1, outliers=False))
    assert [step.name for step in again.history].count("minus_log") == 1


def test_nan_in_line_integrals_is_filled(counts):
    scan, p = counts
    p[2, 1, 40] = np.nan
    result = prepare(TomoScan(p, scan.angles, quantity="line integrals", centre=47.5))
    assert result.projections[2, 1, 40] == pytest.approx((p[2, 1, 39] + p[2, 1, 41]) / 2)


def test_emission_is_left_as_it_is(counts):
    scan, p = counts
    result = prepare(TomoScan(p, scan.angles, quantity="emission", centre=47.5))
    assert result.quantity == "emission"
    np.testing.assert_array_equal(result.projections[:], p)
    fading = TomoScan(p * np.linspace(1, 2, 60)[:, None, None], scan.angles, quantity="emission", centre=47.5)
    totals = prepare(fading, PrepareOptions(equalise=True)).projections[:].sum(axis=(1, 2))
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)


def test_the_centre_is_given_in_columns_of_the_file(counts):
    scan, _ = counts
    options = PrepareOptions(columns="7:95", bin=2, centre=46.0)
    assert prepare(scan, options).centre == (46.0 - 7 - 0.5) / 2
    assert prepare(scan, PrepareOptions(columns="7:95", bin=2)).centre == (47.5 - 7 - 0.5) / 2
    assert prepare(scan.replace(centre=None)).centre == pytest.approx(47.5, abs=0.25)
    with pytest.raises(ScanError, match="columns run from 0 to 95"):
        prepare(scan, PrepareOptions(centre=120.0))


def test_air_outside_the_crop(counts):
    """Air columns are those of the file, also when they are cropped away afterwards."""
    scan, p = counts
    flicker = (1 + 0.1 * np.sin(np.arange(60)))[:, None, None]
    data = scan.darks[0] + (scan.projections - scan.darks[0].astype(float)) * flicker
    result = prepare(scan.replace(projections=data), PrepareOptions(columns="10:90", air_columns="0:5,-5:"))
    np.testing.assert_allclose(result.projections[:], p[:, :, 10:90], atol=2e-4)


def test_a_beam_that_changed_after_the_flats_is_noticed(counts):
    """Air that does not lie at zero is said, with what corrects it; the correction takes the notice away."""
    scan, p = counts
    data = scan.darks[0] + (scan.projections - scan.darks[0].astype(float)) * 0.7
    changed = scan.replace(projections=data)
    (notice,) = prepare(changed).notices
    assert notice.startswith("the outermost columns lie at 0.36 (left) and 0.36 (right)")
    corrected = prepare(changed, PrepareOptions(air_columns="0:2,-2:"))
    assert corrected.notices == ()
    np.testing.assert_allclose(corrected.projections[:], p, atol=2e-4)


def test_row_shifts_are_undone_and_column_shifts_kept(counts):
    scan, _ = counts
    shifts = np.tile([1.0, 0.4], (60, 1))
    kept = prepare(scan.replace(shifts=shifts))
    np.testing.assert_array_equal(kept.shifts, np.tile([0, 0.4], (60, 1)))
    assert prepare(scan.replace(shifts=shifts), PrepareOptions(shifts="both")).shifts is None


def test_history_and_options_are_json(counts):
    scan, _ = counts
    result = prepare(scan.replace(shifts=np.ones((60, 2))), PrepareOptions(bin=2, rings="sorting"))
    steps = json.loads(json.dumps([[step.name, dict(step.parameters)] for step in result.history]))
    assert from_dict(PrepareOptions, steps[-1][1]) == PrepareOptions(bin=2, rings="sorting")
    assert all(option.tooltip for option in describe(PrepareOptions))
    assert from_dict(PrepareOptions, as_dict(PrepareOptions())) == PrepareOptions()


@pytest.mark.parametrize(
    ("options", "error"),
    [({"rows": "3:900"}, "there are 5"), ({"columns": "x"}, "given as first:end"), ({"bin": 50}, "cannot be binned")],
)
def test_options_that_do_not_fit_the_scan(counts, options, error):
    scan, _ = counts
    with pytest.raises(OptionError, match=error):
        prepare(scan, PrepareOptions(**options))


def test_options_out_of_range():
    with pytest.raises(OptionError, match=r"PrepareOptions\.rings is 'magic'; choose one of none, filtering"):
        PrepareOptions(rings="magic")


def test_nothing_but_nan():
    with pytest.raises((QuestionError, ScanError), match="none of the counts"):
        prepare(TomoScan(np.full((12, 2, 8), np.nan), np.arange(12.0)))
