"""The stream of scenes: repeatable, varied as stated, and consistent with its truth."""

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

from napari_pfitre.errors import OptionError
from napari_pfitre.twin import project
from napari_pfitre.twin.objects import MIXTURE
from napari_pfitre.twin.scenes import FLAWS, Flaw, Scenes
from napari_pfitre.twin.sweep import sweep

SMALL = Scenes(seed=3, size=32, slices=3, angles=(20, 40))


def same(one, two):
    return (
        np.array_equal(one.truth, two.truth)
        and np.array_equal(one.sinograms, two.sinograms)
        and np.array_equal(one.angles, two.angles)
        and one.spoilt == two.spoilt
    )


def test_shapes_and_ranges():
    """Slabs of the size asked for, angles ascending within half a turn, numbers that are finite."""
    for scene in islice(SMALL, 30):
        rows, count, columns = scene.sinograms.shape
        assert scene.truth.shape == (3, 32, 32)
        assert (rows, columns) == (3, 32)
        assert scene.truth.dtype == scene.sinograms.dtype == np.float32
        assert np.isfinite(scene.sinograms).all()
        assert scene.truth.min() >= 0
        assert scene.truth.max() > 0.2
        assert count == len(scene.angles) == len(scene.shifts) <= 40
        assert count >= 20 * (1 - scene.spoilt["lost"]) - 1
        assert (np.diff(scene.angles) > 0).all()
        assert np.ptp(scene.angles) < np.pi
        assert 0 <= scene.missing <= 120
        assert np.abs(scene.shifts[:, 0]).max() <= 1


def test_any_order_any_process():
    """A scene depends on seed, index and settings alone: not on what was drawn before, nor on who draws."""
    straight = list(islice(SMALL, 6))
    assert all(same(SMALL[i], straight[i]) for i in (5, 0, 3))
    assert not same(straight[0], straight[1])
    assert not same(dataclasses.replace(SMALL, seed=4)[0], straight[0])
    workers = [islice(pickle.loads(pickle.dumps(SMALL)).every(3, start), 2) for start in range(3)]
    for start, worker in enumerate(workers):
        for k, scene in enumerate(worker):
            assert same(scene, straight[start + 3 * k])
    code = (
        "import hashlib; from napari_pfitre.twin.scenes import Scenes; "
        "s = Scenes(seed=3, size=32, slices=3, angles=(20, 40))[4]; "
        "print(hashlib.sha256(s.sinograms.tobytes() + s.truth.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = hashlib.sha256(straight[4].sinograms.tobytes() + straight[4].truth.tobytes()).hexdigest()
    assert done.stdout.strip() == here


def test_the_mixture_is_the_stated_one():
    scenes = Scenes(seed=0, size=16, slices=1, angles=(2, 3), spoil=0)
    kinds = Counter(scene.kind for scene in islice(scenes, 300))
    for kind, share in MIXTURE:
        assert abs(kinds[kind] - 300 * share) < 4 * np.sqrt(300 * share)
    only = Scenes(seed=0, size=16, slices=1, angles=(2, 3), mixture=(("grains", 1.0),))
    assert {scene.kind for scene in islice(only, 5)} == {"grains"}


def test_flaws_come_as_often_and_as_strong_as_stated():
    dice = [SMALL._flaws(np.random.default_rng(seed)) for seed in range(800)]
    for name, flaw in FLAWS.items():
        strengths = np.array([strength[name] for strength in dice])
        on = strengths[strengths > 0]
        assert len(on) / 800 == pytest.approx(flaw.often, abs=4 * np.sqrt(flaw.often / 800))
        assert flaw.least <= on.min() < 1.3 * flaw.least
        assert flaw.most / 1.3 < on.max() <= flaw.most


def test_clean_scenes_are_the_same_scenes():
    """Without flaws object and angles stay, and the data are the projections of the truth."""
    clean = dataclasses.replace(SMALL, spoil=0.0, size=64)
    rough = dataclasses.replace(clean, spoil=1.0)
    compared = 0
    for index in range(12):
        scene, other = clean[index], rough[index]
        assert not any(scene.spoilt.values())
        assert not scene.shifts.any()
        assert scene.axis == 31.5
        if not any(other.spoilt[name] for name in ("overfill", "surroundings", "hot spots")):
            np.testing.assert_array_equal(scene.truth, other.truth)
            compared += 1
        assert set(other.angles) <= set(scene.angles)
        again = project(scene.truth, scene.angles, 64).transpose(1, 0, 2)
        assert np.linalg.norm(again - scene.sinograms) < 0.05 * np.linalg.norm(scene.sinograms)
        np.testing.assert_allclose(again.sum(axis=2), scene.sinograms.sum(axis=2), rtol=0.02, atol=0.5)
    assert compared >= 4


@pytest.mark.parametrize("slices", [1, 6])
def test_blurred_data_are_the_projections_of_a_blurred_image(slices):
    flaws = {name: flaw._replace(often=0.0) for name, flaw in FLAWS.items()} | {"blur": Flaw(1.0, 3.0, 3.0)}
    scene = Scenes(5, size=96, slices=slices, flaws=flaws)[3]
    missed = {
        name: np.linalg.norm(project(volume, scene.angles, 96).transpose(1, 0, 2) - scene.sinograms)
        for name, volume in (("truth", scene.truth), ("image", scene.image))
    }
    assert missed["image"] < 0.02 * np.linalg.norm(scene.sinograms)
    assert missed["image"] < 0.3 * missed["truth"]


def test_sharp_data_show_the_truth():
    scene = dataclasses.replace(SMALL, spoil=0.0)[0]
    np.testing.assert_array_equal(scene.image, scene.truth)


@pytest.mark.parametrize("name", ["overfill", "surroundings", "hot spots", "jitter", "background", "blur", "rings"])
def test_one_flaw_alone(name):
    """With a single flaw always on, every scene has it, shows it, and has no other."""
    flaws = {key: flaw._replace(often=float(key == name)) for key, flaw in FLAWS.items()}
    spoilt, clean = (dataclasses.replace(SMALL, flaws=flaws, spoil=spoil) for spoil in (1.0, 0.0))
    for index in range(3):
        one, other = spoilt[index], clean[index]
        assert [key for key, strength in one.spoilt.items() if strength] == [name]
        assert np.abs(one.sinograms - other.sinograms).max() > 1e-3 * other.sinograms.max()


def test_noise_has_its_strength():
    """Normal noise relative to the largest line integral; photon noise relative to the open beam."""
    for name in ("normal noise", "photon noise"):
        flaws = {key: Flaw(float(key == name), 0.01, 0.011) for key in FLAWS}
        noisy, clean = (dataclasses.replace(SMALL, flaws=flaws, spoil=spoil) for spoil in (1.0, 0.0))
        error = noisy[2].sinograms - clean[2].sinograms
        largest = clean[2].sinograms.max()
        relative = error.std() / largest
        assert (0.0095 < relative < 0.0115) if name == "normal noise" else (0.003 < relative < 0.1)


def test_as_a_scan():
    scene = SMALL[1]
    scan = scene.scan()
    assert scan.shape == (len(scene.angles), 3, 32)
    np.testing.assert_array_equal(scan.sinograms(slice(None)), scene.sinograms)


def test_impossible_settings():
    with pytest.raises(OptionError, match="missing should be two numbers from 0 to 179, the lower first, not 90, 20"):
        Scenes(seed=0, missing=(90, 20))
    with pytest.raises(OptionError, match="none with index -1"):
        SMALL[-1]


@pytest.mark.parametrize(("slices", "factor"), [(1, 2), (7, 2), (9, 3)])
def test_sweep_is_the_strip_model(slices, factor):
    """The same numbers as the plain projector, displaced, off centre and with much beside the detector."""
    rng = np.random.default_rng(0)
    volume = rng.random((slices, 60, 60)).astype(np.float32)
    angles = np.deg2rad([0, 17, 45, 90, 133, 180, -60])
    where = {"centre": 11.3, "shifts": rng.uniform(-3, 3, 7), "factor": factor}
    ours, theirs = sweep(volume, angles, 22, **where), project(volume, angles, 22, **where)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_sweep_of_pixels_as_wide_as_bins():
    with pytest.raises(ValueError, match="factor is 1, use project"):
        sweep(np.ones((1, 4, 4), np.float32), np.zeros(1), 4, factor=1)
