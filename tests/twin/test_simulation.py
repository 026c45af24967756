"""A simulated scan: valid, repeatable, and honest about what happened."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.options import describe, from_dict
from napari_pfitre.results import finish
from napari_pfitre.twin import Grid, SimulateOptions, circuit, project, simulate, simulating
from napari_pfitre.twin.imperfections import blurred
from napari_pfitre.twin.phantoms import Ellipsoids
from napari_pfitre.twin.plan import planned_angles
from napari_pfitre.twin.simulation import _Geometry, _measure

SMALL = SimulateOptions(size=48, slices=4, angles=31)
ROUGH = dataclasses.replace(
    SMALL,
    photons=5000.0,
    jitter=0.4,
    drift=0.8,
    centre_offset=1.5,
    centre_error=-0.75,
    angle_error=0.3,
    rings=0.02,
    bad_pixels=0.01,
    beam_drift=0.02,
)


def test_default_scan():
    """A limited-angle chip: ±60°, line integrals, in metres, with its history and its truth."""
    scan, truth = simulate()
    assert scan.shape == (121, 16, 128)
    assert np.rad2deg(scan.angles[[0, -1]]) == pytest.approx([-60, 60])
    (wedge,) = scan.missing_wedges
    assert wedge == pytest.approx((60, 60))
    assert scan.quantity == "line integrals"
    assert scan.pixel_size == pytest.approx((20e-9, 20e-9))
    assert scan.centre == 63.5
    assert scan.shifts is None
    assert truth.data.shape == (16, 128, 128)
    assert truth.data.dtype == np.float32
    assert truth.voxel_size == pytest.approx((20e-9,) * 3)
    assert truth.provenance.angles_deg == pytest.approx(np.rad2deg(scan.angles))
    (step,) = scan.history
    assert from_dict(SimulateOptions, dict(step.parameters)) == SimulateOptions()


@pytest.mark.parametrize("options", [SMALL, ROUGH], ids=["clean", "rough"])
def test_seed(options):
    """The same seed gives the same scan to the last bit; another seed another object and other noise."""
    one, two = simulate(options), simulate(options)
    other = simulate(dataclasses.replace(options, seed=1))
    assert np.array_equal(one.scan.projections, two.scan.projections)
    assert np.array_equal(one.truth.data, two.truth.data)
    assert not np.array_equal(one.scan.projections, other.scan.projections)
    assert not np.array_equal(one.truth.data, other.truth.data)


def test_switches_are_independent():
    """Turning one imperfection on leaves the object and every other imperfection as they were."""
    calm = simulate(dataclasses.replace(ROUGH, rings=0.0))
    rough = simulate(ROUGH)
    assert calm.scan.metadata["simulation"]["shifts"] == rough.scan.metadata["simulation"]["shifts"]
    assert calm.scan.metadata["simulation"]["angles_deg"] == rough.scan.metadata["simulation"]["angles_deg"]
    np.testing.assert_allclose(calm.truth.data, rough.truth.data, rtol=1e-5)


def test_truth_is_the_objects_alone():
    """Other angles, displacements and noise show the same object; `absorption` is that of its darkest row or column."""
    truth = simulate(SMALL).truth.data
    other = dataclasses.replace(SMALL, missing=96.0, angles=20, jitter=1.0, drift=2.0, centre_offset=3.0, noise=0.1)
    np.testing.assert_allclose(simulate(other).truth.data, truth, atol=1e-7)
    assert max(truth.sum(axis=1).max(), truth.sum(axis=2).max()) == pytest.approx(SMALL.absorption)


def test_counts():
    """With photons there are flats, darks, and after correction the line integrals come back within the noise."""
    scan, _ = simulate(dataclasses.replace(SMALL, photons=1e6, frames=20))
    clean, _ = simulate(dataclasses.replace(SMALL, noise=0.0))
    assert scan.quantity == "counts"
    assert scan.flats.shape == scan.darks.shape == (20, 4, 48)
    dark = scan.darks.mean(axis=0)
    transmission = (scan.projections - dark) / (scan.flats.mean(axis=0) - dark)
    error = -np.log(transmission) - clean.projections
    assert error.std() < 3e-3


def test_recorded_displacements_are_the_applied_ones():
    """Undone by the recorded numbers, the scan is the undisturbed one: columns in the projector, rows by whole ones."""
    options = dataclasses.replace(SMALL, phantom="lamella", noise=0.0, jitter=0.6, drift=1.0)
    scan, truth = simulate(options)
    assert scan.shifts.tolist() == scan.metadata["simulation"]["shifts"]
    assert np.abs(scan.shifts).max() > 0.5
    fine = Grid.cubic(48, 4).slab(-8, 12).finer(4, 2)
    streams = np.random.SeedSequence(0).spawn(7)
    volume = circuit(np.random.default_rng(streams[0]), 4 / 48, cut="lamella").rasterise(fine)
    scale = scan.metadata["simulation"]["absorption_scale"]
    for i in (0, 7, 30):
        rows, columns = scan.shifts[i]
        (line,) = project(volume, scan.angles[i : i + 1], 48, shifts=np.array([columns]), factor=2) * scale
        # Detector row r sees the object from r − shift; 4 fine slices a row, 8 rows of margin.
        at = (np.arange(16) + 0.5) / 4 - rows + 8
        moved = np.stack([np.interp(at, (np.arange(len(line)) + 0.5) / 4, line[:, c]) for c in range(48)], axis=1)
        expected = moved.reshape(4, 4, 48).mean(axis=1)
        still = line[32:48].reshape(4, 4, 48).mean(axis=1)
        assert np.linalg.norm(scan.projections[i] - expected) < 0.35 * np.linalg.norm(still - expected)
    unknown = simulate(dataclasses.replace(options, shifts_known=False)).scan
    assert unknown.shifts is None
    assert unknown.metadata["simulation"]["shifts"] == scan.metadata["simulation"]["shifts"]
    assert np.array_equal(unknown.projections, scan.projections)
    assert truth.data.shape == (4, 48, 48)


def test_displacements_move_the_object():
    """The shadow of a ball moves by just the rows and columns asked for."""
    ball = Ellipsoids(np.zeros((1, 3)), np.full((1, 3), 0.17), np.eye(3)[None], np.ones(1))
    shifts = np.random.default_rng(0).uniform(-3, 3, (7, 2))
    _, sinograms = finish(_measure(ball, _Geometry(Grid.cubic(48, 32), np.linspace(0, 2, 7), 23.5, shifts, 2)))
    weight = sinograms.sum(axis=(1, 2), dtype=float)
    rows = sinograms.sum(axis=2, dtype=float) @ (np.arange(32) - 15.5) / weight
    columns = sinograms.sum(axis=1, dtype=float) @ (np.arange(48) - 23.5) / weight
    np.testing.assert_allclose(np.stack([rows, columns], axis=1), shifts, atol=2e-3)


@pytest.mark.parametrize(
    "options", [SMALL, dataclasses.replace(SMALL, jitter=0.7, phantom="foam")], ids=["still", "moving"]
)
def test_slabs(options, monkeypatch):
    """A volume too large to be drawn at once is the same volume."""
    whole = simulate(options)
    monkeypatch.setattr("napari_pfitre.twin.simulation._WORKING_BYTES", 1)
    parts = simulate(options)
    np.testing.assert_allclose(parts.truth.data, whole.truth.data, atol=1e-6)
    np.testing.assert_allclose(parts.scan.projections, whole.scan.projections, atol=1e-5)


def test_it_can_be_watched_and_stopped(monkeypatch):
    """Steps are slices of everything drawn; asked to stop, it ends without a scan."""
    monkeypatch.setattr("napari_pfitre.twin.simulation._WORKING_BYTES", 1)
    seen = []
    made = finish(simulating(dataclasses.replace(SMALL, hot_spots=3.0)), seen.append)
    assert made.scan.shape == (31, 4, 48)
    assert [progress.step for progress in seen] == list(range(9))
    assert {progress.total for progress in seen} == {9}
    assert finish(simulating(SMALL), should_stop=lambda: True) is None


def test_axis_and_its_misstatement():
    """The object turns about the true axis; the scan states the one it was told."""
    options = dataclasses.replace(
        SMALL, phantom="blocks", noise=0.0, missing=0.0, angles=60, centre_offset=2.25, centre_error=0.5
    )
    scan, truth = simulate(options)
    assert scan.centre == 23.5 + 2.75
    assert scan.metadata["simulation"]["centre"] == 23.5 + 2.25
    sums = scan.projections.sum(axis=(1, 2), dtype=float)
    mean = (scan.projections.sum(axis=1, dtype=float) @ np.arange(48)) / sums
    weight = truth.data.sum(axis=0, dtype=float)
    at = np.arange(48) - 23.5
    x, y = (weight.sum(axis=0) @ at) / weight.sum(), -(weight.sum(axis=1) @ at) / weight.sum()
    expected = 25.75 + x * np.cos(scan.angles) + y * np.sin(scan.angles)
    np.testing.assert_allclose(mean, expected, atol=0.01)


def test_truth_has_the_mass_of_its_projections():
    scan, truth = simulate(dataclasses.replace(SMALL, noise=0.0))
    sums = scan.projections.sum(axis=2, dtype=float)
    np.testing.assert_allclose(sums, np.broadcast_to(truth.data.sum(axis=(1, 2)), sums.shape), rtol=1e-4)


@pytest.mark.parametrize(("missing", "centre"), [(60, 90), (96, 0), (0, 90), (110, -35), (1, 45)])
def test_planned_angles(missing, centre):
    """The gap modulo 180° is as wide as asked for and where it was asked for; without one the steps are even."""
    angles = np.sort(np.rad2deg(planned_angles(40, missing, centre)) % 180)
    gaps = np.diff(angles, append=angles[0] + 180)
    if missing == 0:
        assert gaps == pytest.approx(180 / 40)
        return
    expected = np.full(40, (180 - missing) / 39)
    at = int(np.argmin(np.abs((angles + gaps / 2 - centre + 90) % 180 - 90)))
    expected[at] = missing
    assert gaps == pytest.approx(expected)


@pytest.mark.parametrize("phantom", next(o.choices for o in describe(SimulateOptions) if o.name == "phantom"))
def test_every_phantom(phantom):
    scan, truth = simulate(dataclasses.replace(SMALL, phantom=phantom, process="any"))
    assert np.isfinite(scan.projections).all()
    assert truth.data.max() > 0.01
    assert truth.data.min() > -1e-6


def test_one_projection_and_one_slice():
    scan, truth = simulate(SimulateOptions(size=16, slices=1, angles=1, jitter=1.0))
    assert scan.shape == (1, 1, 16)
    assert truth.data.shape == (1, 16, 16)


def test_impossible_axis():
    with pytest.raises(OptionError, match="keep their sum under 24"):
        dataclasses.replace(SMALL, centre_offset=20.0, centre_error=5.0)


def test_sample_data_need_nothing_heavy():
    """A fresh process that simulates loads neither torch nor numba nor napari."""
    code = (
        "import sys; from napari_pfitre.twin import simulate; simulate(); "
        "print([m for m in ('torch', 'numba', 'napari', 'skimage', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


ADDED = {"blur": 3.0, "background": 0.05, "surroundings": 0.5, "hot_spots": 6.0, "rings": 0.03, "beam_drift": 0.05}


@pytest.mark.parametrize("name", ADDED)
def test_switches_change_nothing_else(name):
    """The noise, the displacements and the sample stay to the last digits when one more thing goes wrong."""

    def noise_and_data(options):
        noisy, clean = (simulate(dataclasses.replace(options, noise=noise)) for noise in (0.02, 0.0))
        return noisy.scan.projections - clean.scan.projections, clean

    calm = dataclasses.replace(SMALL, phantom="cuboid", jitter=0.5, angle_error=0.2)
    noise, still = noise_and_data(calm)
    other, rough = noise_and_data(dataclasses.replace(calm, **{name: ADDED[name]}))
    np.testing.assert_allclose(other, noise, atol=2e-6)
    one, two = still.scan.metadata["simulation"], rough.scan.metadata["simulation"]
    assert one == two
    assert np.abs(rough.scan.projections - still.scan.projections).max() > 0.01
    sample = still.truth.data > 0  # what lies beyond the border may reach into the corners
    np.testing.assert_allclose(rough.truth.data[sample], still.truth.data[sample], rtol=1e-6)


def test_lost_projections_are_left_out():
    whole = simulate(ROUGH).scan
    scan = simulate(dataclasses.replace(ROUGH, lost=0.4)).scan
    assert len(scan.angles) == 19
    places = np.searchsorted(whole.angles, scan.angles)
    np.testing.assert_array_equal(scan.angles, whole.angles[places])
    np.testing.assert_array_equal(scan.projections, whole.projections[places])
    np.testing.assert_array_equal(scan.shifts, whole.shifts[places])
    np.testing.assert_array_equal(
        scan.metadata["simulation"]["angles_deg"], np.array(whole.metadata["simulation"]["angles_deg"])[places]
    )


def test_matter_beside_the_field_casts_a_shadow():
    """Right of the field it is seen from the right alone; the truth knows nothing of it."""
    ball = Ellipsoids(np.array([[0.0, 0.1, 0.6]]), np.full((1, 3), 0.05), np.eye(3)[None], np.ones(1))
    geometry = _Geometry(Grid.cubic(40, 4), np.deg2rad([0.0, 90.0]), 19.5, np.zeros((2, 2)), 2)
    truth, sinograms = finish(_measure(ball, geometry, 10))
    assert not truth.any()
    assert not sinograms[0].any()
    profile = sinograms[1].sum(axis=0, dtype=float)
    assert profile @ np.arange(40) / profile.sum() == pytest.approx(19.5 - 0.1 * 40, abs=1e-3)  # y points up


def test_overfill():
    """An object larger than the field: its truth reaches the border, and its mass depends on the angle."""
    plain, large = (
        simulate(dataclasses.replace(SMALL, noise=0.0, missing=0.0, overfill=overfill)) for overfill in (0.0, 0.6)
    )
    assert not plain.truth.data[:, 0].any()
    assert large.truth.data[:, :, 24].all()
    inside, outside = (each.scan.projections.sum(axis=(1, 2), dtype=float) for each in (plain, large))
    assert np.ptp(inside) < 1e-3 * inside.mean()
    assert np.ptp(outside) > 1e-2 * outside.mean()
    assert (outside > 1.05 * large.truth.data.sum()).all()  # rays cross what lies outside the grid


def test_blur_of_counts_is_a_blur_of_intensities():
    options = dataclasses.replace(SMALL, photons=1e7, absorption=5.0, angles=5, noise=0.0)
    sharp, soft = (simulate(dataclasses.replace(options, blur=blur)).scan.projections for blur in (0.0, 4.0))
    clean = simulate(dataclasses.replace(options, photons=None)).scan.projections
    # Response and beam are applied after the optics: compare the ratio of the two scans.
    expected = blurred(np.exp(-clean), 4.0) / np.exp(-clean)
    np.testing.assert_allclose((soft - 100.0) / (sharp - 100.0), expected, rtol=0.03)


def test_slips_come_on_top():
    """Projections that slip are displaced further; jitter, drift and the other projections stay as they were."""
    calm, rough = (
        simulate(dataclasses.replace(SMALL, jitter=0.3, slips=slips, noise=0.0)).scan for slips in (0.0, 4.0)
    )
    slipped = (calm.shifts != rough.shifts).any(axis=1)
    assert slipped.sum() == 1
    np.testing.assert_allclose(rough.projections[~slipped], calm.projections[~slipped], atol=1e-5)
    assert np.abs(rough.projections[slipped] - calm.projections[slipped]).max() > 0.1
