"""The rotation axis: simulated, where it is known, and real, where others have found it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.errors import OptionError, ScanError
from napari_pfitre.io import read_scan
from napari_pfitre.preprocess import PrepareOptions, centre_sweep, estimate_centre, find_centre, prepare
from napari_pfitre.scans import TomoScan


def simulated(discs, degrees, centre, noise=0.01, width=160, quantity="line integrals") -> TomoScan:
    angles = np.deg2rad(degrees)
    p = discs(angles, width=width, height=6, centre=centre)
    p = p + noise * np.random.default_rng(0).standard_normal(p.shape)
    return TomoScan(p.astype(np.float32), angles, quantity=quantity)


@pytest.mark.parametrize("centre", [72.3, 79.5, 84.85])
@pytest.mark.parametrize(
    "degrees",
    [np.arange(0, 180, 2.0), np.linspace(0, 180, 91), np.arange(179, -1, -2.0), np.arange(-90, 270, 3.0)],
    ids=["180 open", "180 closed", "descending", "360"],
)
def test_within_a_quarter_of_a_pixel(discs, degrees, centre):
    scan = simulated(discs, degrees, centre)
    estimate = estimate_centre(scan)
    assert estimate.column == pytest.approx(centre, abs=0.25)
    assert estimate.reliable
    assert set(estimate.found) == {"vo", "pairs", "mass"}
    found = find_centre(scan)
    assert found.centre == estimate.column
    assert found.history[-1].name == "find_centre"
    assert found.notices == (estimate.text,)


@pytest.mark.parametrize("method", ["vo", "pairs", "mass"])
def test_every_search_by_itself(discs, method):
    estimate = estimate_centre(simulated(discs, np.arange(0, 180, 2.0), 84.85), method)
    assert estimate.column == pytest.approx(84.85, abs=0.5 if method == "vo" else 0.25)
    assert abs(estimate.column - 84.85) < estimate.spread


@pytest.mark.parametrize("quantity", ["line integrals", "emission"])
def test_limited_angles_rest_on_the_centre_of_mass(discs, quantity):
    """No half turn and no pairs within ±60°; the notice says that angles are missing."""
    scan = simulated(discs, np.arange(-60, 61, 2.0), 84.85, quantity=quantity)
    estimate = estimate_centre(scan)
    assert set(estimate.found) == {"mass"}
    assert estimate.column == pytest.approx(84.85, abs=0.3)
    assert "60° are missing" in estimate.text
    with pytest.raises(ScanError, match="do not cover 180°"):
        find_centre(scan, "vo")


def test_the_narrower_the_range_the_less_certain(discs):
    spreads = [estimate_centre(simulated(discs, np.linspace(-a, a, 61), 84.85, noise=0.1)).spread for a in (60, 30, 15)]
    assert spreads[0] < spreads[1] < spreads[2]


def test_an_object_beyond_the_view_and_limited_angles(discs):
    """Nothing applies: the error names each search's reason, and prepare falls back on the middle and says so."""
    scan = simulated(discs, np.arange(-60, 61, 2.0), 84.85)
    scan = scan.replace(projections=scan.projections[:, :, 50:120])
    with pytest.raises(ScanError, match=r"vo: .* 180°.*pairs: no two.*mass: the object reaches the edge"):
        estimate_centre(scan)
    prepared = prepare(scan)
    assert prepared.centre == 34.5
    assert "the middle of the detector" in prepared.notices[-1]


def test_searches_that_disagree_are_not_relied_on(discs):
    """Pairs say one thing and the centre of mass another: the sample drifted while the middle angles were taken."""
    degrees = np.concatenate([np.arange(-90, -39, 1.0), np.arange(40, 91, 1.0)])
    scan = simulated(discs, degrees, 84.85)
    drift = 12 * np.sin(4 * np.deg2rad(degrees)) ** 2
    moved = [np.interp(np.arange(160) - d, np.arange(160), p[0]) for d, p in zip(drift, scan.projections, strict=True)]
    scan = scan.replace(projections=np.stack(moved)[:, None].astype(np.float32))
    estimate = estimate_centre(scan)
    assert set(estimate.found) == {"pairs", "mass"}
    assert not estimate.reliable
    with pytest.raises(ScanError, match=r"the searches disagree; pass centre="):
        find_centre(scan)
    assert "disagree; the middle of the detector" in prepare(scan).notices[-1]


def test_known_shifts_are_taken_into_account(discs):
    scan = simulated(discs, np.arange(0, 180, 2.0), 84.85, noise=0)
    jitter = np.random.default_rng(0).integers(-6, 7, scan.shape[0])
    moved = np.stack([np.roll(image, j, axis=1) for image, j in zip(scan.projections, jitter, strict=True)])
    shaken = scan.replace(projections=moved, shifts=np.stack([0 * jitter, jitter], axis=1).astype(float))
    assert estimate_centre(shaken).column == pytest.approx(84.85, abs=0.25)


def test_what_it_refuses(discs):
    scan = simulated(discs, np.arange(0, 180, 2.0), 79.5)
    with pytest.raises(OptionError, match="auto, vo, pairs, mass"):
        estimate_centre(scan, "guess")
    with pytest.raises(ScanError, match="prepare it first"):
        estimate_centre(scan.replace(quantity="transmission"))
    with pytest.raises(ScanError, match="too few"):
        estimate_centre(TomoScan(scan.projections[:5], scan.angles[:5], quantity="emission"))
    with pytest.raises(ScanError, match="same everywhere"):
        estimate_centre(scan.replace(projections=np.ones(scan.shape)))


def test_sweep_reads_one_row_once(discs, recorder):
    scan = simulated(discs, np.arange(0, 180, 2.0), 79.5)
    parent = recorder(scan.projections)
    seen = []

    def reconstruct(one: TomoScan) -> np.ndarray:
        seen.append((one.centre, one.shape))
        return one.projections[:, 0][None, :4] + one.centre

    images = centre_sweep(scan.replace(projections=parent), 2, [78, 79.5, 81], reconstruct)
    assert parent.regions == [(slice(0, 90), slice(2, 3), slice(0, 160))]
    assert seen == [(78, (90, 1, 160)), (79.5, (90, 1, 160)), (81, (90, 1, 160))]
    assert images.shape == (3, 4, 160)
    np.testing.assert_allclose(images[2] - images[0], 3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "hints", "column"),
    [
        ("tooth.h5", {}, 296.0),
        ("24737_nxtomo_lib.nx", {}, 85.7),
        ("fly_scan_id_24737_limited.h5", {"drop": "last"}, 85.7),
    ],
)
def test_real_scans(real_file, name, hints, column):
    """Within half a column of where a slice is sharpest; the last has ±45° only."""
    prepared = prepare(read_scan(real_file(f"tomo/{name}"), **hints), PrepareOptions(find_centre="search"))
    assert prepared.centre == pytest.approx(column, abs=0.5)
    assert np.isfinite(prepared.projections[:]).all()
    assert prepared.projections[0].dtype == np.float32


def test_real_limited_angle_emission(real_file):
    """51 angles with 96° missing, of which one pair is 180° apart; the axis is half a pixel left of the middle."""
    scan = read_scan(real_file("tomo/Cu_example_23_LimitedAngle.tiff"))
    prepared = prepare(scan, PrepareOptions(find_centre="search"))
    assert prepared.quantity == "emission"
    assert prepared.centre == pytest.approx(74.0, abs=0.5)
    assert "96° are missing" in prepared.notices[-1]
    np.testing.assert_array_equal(prepared.projections[:], scan.projections[:])
