"""The stream of crystals: repeatable, as varied as stated, and consistent with its truth."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
import subprocess
import sys
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from scipy import ndimage

from napari_pfitre.errors import OptionError
from napari_pfitre.scans import CdiScan
from napari_pfitre.twin.crystal_phases import random_phase
from napari_pfitre.twin.crystal_shapes import SHAPES, Shape, random_shape
from napari_pfitre.twin.crystals import FLAWS, Crystals
from napari_pfitre.twin.diffraction import blurred, fourier_sum, gaps, measured
from napari_pfitre.twin.scenes import Flaw

SMALL = Crystals(seed=3, size=32, oversampling=(1.6, 2.6), off_centre=0.3)
CLEAN = dataclasses.replace(SMALL, photons=(1e8, 1e8), spoil=0.0)


def modulus(psi):
    return np.abs(np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(psi))))


def misfit(psi, intensity, mask=None):
    """Σ (c |F psi| − √I)² / Σ I with the best c."""
    use = np.ones(psi.shape, bool) if mask is None else ~mask
    calculated, amplitude = modulus(psi)[use], np.sqrt(intensity[use])
    return 1 - (calculated @ amplitude) ** 2 / ((calculated @ calculated) * (amplitude @ amplitude))


def test_what_comes_is_what_was_asked_for():
    for crystal in islice(SMALL, 25):
        assert crystal.intensity.shape == crystal.object.shape == crystal.support.shape == (32, 32, 32)
        assert crystal.intensity.dtype == crystal.support.dtype == np.float32
        assert np.isfinite(crystal.object).all()
        assert crystal.intensity.min() >= 0
        assert not crystal.intensity[crystal.mask].any()
        assert all(1.6 <= s <= 2.6 for s in crystal.oversampling)
        assert max(crystal.oversampling) / min(crystal.oversampling) <= SMALL.anisotropy * 1.0001
        assert 1e4 <= crystal.photons <= 1e8
        assert 0 <= crystal.strain <= 7
        assert (np.abs(crystal.object) <= 1.0001).all()


def test_any_order_any_process():
    """A crystal depends on seed, index and settings alone."""

    def digest(crystal):
        return hashlib.sha256(crystal.intensity.tobytes() + crystal.object.tobytes()).hexdigest()

    straight = [digest(crystal) for crystal in islice(SMALL, 4)]
    assert [digest(SMALL[i]) for i in (3, 0)] == [straight[3], straight[0]]
    assert straight[0] != straight[1]
    assert digest(dataclasses.replace(SMALL, seed=4)[0]) != straight[0]
    assert digest(pickle.loads(pickle.dumps(SMALL))[2]) == straight[2]
    code = (
        "import hashlib; from napari_pfitre.twin.crystals import Crystals; "
        "c = Crystals(seed=3, size=32, oversampling=(1.6, 2.6), off_centre=0.3)[1]; "
        "print(hashlib.sha256(c.intensity.tobytes() + c.object.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == straight[1]


def test_the_pattern_is_that_of_the_object():
    """The FFT of the object as a reconstruction would have it gives the pattern, though not made by it."""
    found = [misfit(c.object, c.intensity) for c in islice(CLEAN, 12)]
    assert np.median(found) < 0.01
    assert max(found) < 0.04  # dislocation cores are finer than a voxel
    wrong = misfit(np.abs(CLEAN[1].object).astype(complex), CLEAN[1].intensity)
    assert wrong > 5 * found[1]


def test_oversampling_is_array_over_crystal():
    for crystal in islice(dataclasses.replace(CLEAN, oversampling=(1.7, 4.0), anisotropy=2.0), 12):
        for axis, ratio in enumerate(crystal.oversampling):
            profile = crystal.support.max(axis=tuple({0, 1, 2} - {axis}))
            extent = np.count_nonzero(profile > 0.3)
            assert abs(extent - 32 / ratio) < 1.5 + 0.15 * 32 / ratio  # rounded corners reach less far


def test_the_centre_of_mass_is_in_the_middle():
    for crystal in islice(CLEAN, 10):
        assert np.allclose(ndimage.center_of_mass(crystal.support), 16, atol=0.35)


def test_the_pattern_sits_where_it_was_put():
    """Centred on its own centre of mass, but for what `off_centre` moves it."""
    still = dataclasses.replace(CLEAN, off_centre=0.0)
    away = dataclasses.replace(CLEAN, off_centre=1.0)
    moved = []
    for i in range(6):
        assert np.allclose(ndimage.center_of_mass(still[i].intensity), 16, atol=0.35)
        moved.append(np.subtract(ndimage.center_of_mass(away[i].intensity), 16))
    assert 0.4 < np.std(moved) < 1.6


def test_the_object_stays_when_the_measurement_changes():
    few = dataclasses.replace(SMALL, photons=(1e4, 1e4), spoil=3.0)
    for i in range(3):
        assert np.array_equal(few[i].object, CLEAN[i].object)
        assert not np.array_equal(few[i].intensity, CLEAN[i].intensity)


def test_strain_is_the_phase_peak_to_peak():
    smooth = dataclasses.replace(
        CLEAN, strain=(2.0, 2.0), flat=0.0, fields={"polynomial": 1.0}, off_centre=0.0, size=48
    )
    for crystal in islice(smooth, 6):
        phase = np.angle(crystal.object[crystal.support > 0.99])
        assert 1.2 < np.ptp(phase) < 2.6
    flat = dataclasses.replace(CLEAN, flat=1.0, off_centre=0.0)
    assert all(np.ptp(np.angle(c.object[c.support > 0.5])) < 1e-2 for c in islice(flat, 5))
    assert "flat" in flat[0].kind


def test_photons_and_background():
    bright = dataclasses.replace(CLEAN, photons=(1e6, 1e6))
    assert abs(bright[0].intensity.sum() - 1e6) < 5e3
    lit = dataclasses.replace(
        bright, spoil=1.0, flaws={**{n: Flaw(0, 1, 1) for n in FLAWS}, "background": Flaw(1, 0.1, 0.1)}
    )
    assert abs(lit[0].intensity.sum() - 1.1e6) < 5e3
    assert np.median(lit[0].intensity) > np.median(bright[0].intensity)


def test_kinds_come_as_often_as_stated():
    rng = np.random.default_rng(0)
    kinds = Counter(random_shape(rng).kind for _ in range(300))
    for kind, share in SHAPES.items():
        assert abs(kinds[kind] - 300 * share) < 4 * np.sqrt(300 * share)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_fills_its_bounding_box(kind):
    rng = np.random.default_rng(1)
    at = (np.arange(40) + 0.5) / 40 * 1.2 - 0.6
    for _ in range(6):
        shape = dataclasses.replace(random_shape(rng, {kind: 1.0}), rounding=0.0)
        inside = shape.depth((at, at, at), np.full(3, 0.03)) > 0
        for axis in range(3):
            where = at[inside.any(axis=tuple({0, 1, 2} - {axis}))]
            # a needle's tip is thinner than the raster; no corner sticks out
            assert where.min() > -0.52
            assert where.max() < 0.52
            assert np.ptp(where) > 0.8


def test_depth_is_the_distance_to_the_surface():
    """Of a cube, in points of the raster: exact at its faces, less at rounded edges."""
    cube = Shape("cube", np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
    at = np.linspace(-0.6, 0.6, 25)
    depth = cube.depth((at, at, at), np.full(3, 0.05))
    assert np.isclose(depth[12, 12, 12], 10, atol=1e-4)
    assert np.isclose(depth[12, 12, 0], -2, atol=1e-4)
    rounded = dataclasses.replace(cube, rounding=0.2).depth((at, at, at), np.full(3, 0.05))
    assert (rounded <= depth + 1e-4).all()
    assert rounded[2, 2, 2] < depth[2, 2, 2] - 0.5
    hollow = dataclasses.replace(cube, voids=((np.zeros(3), 0.2),)).depth((at, at, at), np.full(3, 0.05))
    assert hollow[12, 12, 12] < 0 < hollow[12, 12, 20]


def test_a_dislocation_winds_once_and_its_core_is_empty():
    at = np.linspace(-0.5, 0.5, 41)
    depth = np.full((41, 41, 41), 0.5, np.float32)
    phase, amplitude, names = random_phase(np.random.default_rng(2), (at, at, at), depth, 0.0, {"dislocation": 1.0})
    assert names == ("dislocation",)
    assert amplitude.min() < 0.3
    assert amplitude.max() > 0.99
    winding = set()
    for k in (10, 20, 30):
        for plane in (phase[k], phase[:, k], phase[:, :, k]):
            ring = np.concatenate([plane[0, :-1], plane[:-1, -1], plane[-1, :0:-1], plane[:0:-1, 0]])
            steps = np.angle(np.exp(1j * np.diff(np.append(ring, ring[0]))))
            winding.add(round(float(steps.sum()) / (2 * np.pi)))
    assert winding & {-1, 1}
    assert winding <= {-2, -1, 0, 1, 2}


def test_fourier_sum_agrees_with_the_fft_on_its_grid():
    rng = np.random.default_rng(3)
    psi = (rng.normal(size=(6, 8, 10)) + 1j * rng.normal(size=(6, 8, 10))).astype(np.complex64)
    points = [(np.arange(n) - n // 2) / n for n in psi.shape]
    assert np.allclose(fourier_sum(psi, points, psi.shape), modulus(psi) ** 2, rtol=1e-3, atol=1e-2)


def test_blur_keeps_photons_and_widens():
    """Variances of what is folded add up."""
    at = np.arange(32) - 16
    one = np.exp(-(at**2) / (2 * 1.5**2))
    spot = (one[:, None, None] * one[:, None] * one).astype(np.float32)
    wide = blurred(spot, 2.0)
    assert np.isclose(wide.sum(), spot.sum(), rtol=1e-3)
    profile = wide.sum(axis=(1, 2)) / wide.sum()
    assert np.isclose(profile @ at**2, 1.5**2 + 2.0**2 / (8 * np.log(2)), rtol=0.01)
    assert blurred(spot, 0.0) is spot


def test_gaps_and_beamstop():
    rng = np.random.default_rng(4)
    mask = gaps(rng, (8, 40, 40), 2.0, 0.0)
    assert mask.any()
    assert (mask == mask[0]).all()  # a gap is there in every frame
    stop = gaps(rng, (16, 16, 16), 0.0, 2.0)
    assert stop[8, 8, 8]
    assert stop.sum() == 33  # voxels within two of the middle
    assert not gaps(rng, (8, 8, 8), 0.0, 0.0).any()


def test_hot_pixels_are_few_and_bright():
    expected = np.zeros((20, 20, 20))
    expected[10, 10, 10] = 1e5
    counts = measured(np.random.default_rng(5), expected, 0.0, 1e-3)
    assert 1 <= np.count_nonzero(counts) - 1 <= 30


def test_scan_and_truth_as_recipes_have_them():
    crystal = dataclasses.replace(SMALL, spoil=20.0)[0]
    scan, truth = crystal.scan(), crystal.truth()
    assert isinstance(scan, CdiScan)
    assert scan.mask is not None
    assert scan.shape == truth.data.shape
    assert set(truth.layers) == {"phase", "support"}
    assert truth.unit == "amplitude"
    solid = truth.layers["support"] > 0
    rebuilt = truth.data * np.exp(1j * truth.layers["phase"])
    assert np.allclose(rebuilt[solid], crystal.object[solid], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"oversampling": (3.0, 2.0)}, "oversampling should be two numbers from 1 to 20, the lower first, not 3, 2"),
        ({"photons": (0.0, 1e6)}, "photons should be"),
        ({"strain": (-1.0, 1.0)}, "strain should be"),
        ({"size": 4}, "at least 8 voxels along each axis, not 4"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(OptionError, match=message):
        Crystals(seed=0, **settings)


def test_no_crystal_before_the_first():
    with pytest.raises(OptionError, match="no end"):
        SMALL[-1]
