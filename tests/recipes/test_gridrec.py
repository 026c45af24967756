"""Gridrec, by a real TomoPy: the slices our back-projection makes, wherever the axis is and however things moved."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("tomopy", reason="TomoPy, which conda-forge has, is not installed: gridrec is not tested")

from napari_pfitre import finish
from napari_pfitre.errors import OptionError, ReconstructionError, ScanError
from napari_pfitre.options import as_dict
from napari_pfitre.preprocess import shift
from napari_pfitre.recipes import RECIPES, blocks
from napari_pfitre.recipes.fbp import FbpOptions
from napari_pfitre.recipes.gridrec import GRIDREC, GridrecOptions
from napari_pfitre.twin import SimulateOptions, simulate

SAME_WINDOW = {"ramlak": "ramp", "shepp": "shepp-logan", "cosine": "cosine", "hann": "hann", "hamming": "hamming"}


def asymmetric(**changes):
    given = {"phantom": "blocks", "size": 64, "slices": 3, "angles": 91, "missing": 0.0, "noise": 0.0}
    return simulate(SimulateOptions(**(given | changes)))


def run(scan, **options):
    return finish(GRIDREC.run(scan, GridrecOptions(**options), device="cpu")).data


def fbp(scan, **options):
    return finish(RECIPES["fbp"].run(scan, FbpOptions(**options), device="cpu")).data


def difference(a, b, share=0.95) -> float:
    """Relative, within the circle that every projection saw; our back-projection leaves the corners half empty."""
    n = b.shape[-1]
    x = np.arange(n) - (n - 1) / 2
    seen = np.hypot(x[:, None], x) < share * n / 2
    return float(np.linalg.norm((a - b)[:, seen]) / np.linalg.norm(b[:, seen]))


@pytest.mark.parametrize("size", [64, 65, 100])
@pytest.mark.parametrize("theirs", SAME_WINDOW)
def test_orientation_and_scale_are_those_of_fbp(theirs, size):
    """Not flipped, not turned, not half a pixel aside, not a factor off"""
    scan, truth = asymmetric(size=size)
    ours, found = fbp(scan, filter=SAME_WINDOW[theirs]), run(scan, filter=theirs)
    assert found.dtype == np.float32
    assert difference(found, ours) < 0.015
    assert difference(found, truth.data) < 1.1 * difference(ours, truth.data)
    assert min(difference(found[:, ::-1], ours), difference(found[:, :, ::-1], ours)) > 0.5


@pytest.mark.parametrize("changes", [{"centre_offset": 5.3}, {"centre_offset": -3.0, "missing": 60.0}], ids=str)
def test_axis_off_the_middle_and_missing_angles(changes):
    scan, _ = asymmetric(size=96, absorption=1.0, **changes)
    assert difference(run(scan), fbp(scan), 0.8) < 0.015


def test_known_shifts_are_undone():
    """Displaced columns, said to be so, give the slices of columns that were not"""
    still, _ = asymmetric(size=96, absorption=1.0)
    shifts = np.random.default_rng(2).uniform(-4, 4, (still.shape[0], 2)) * (0, 1)
    moved = shift(still, -shifts, axes="columns").replace(shifts=shifts)
    assert difference(run(moved), run(still), 0.8) < 0.03
    assert difference(run(moved), fbp(moved), 0.8) < 0.015
    assert difference(run(moved.replace(shifts=None)), run(still), 0.8) > 0.2


def test_angles_weigh_what_they_stand_for():
    """Uneven steps and a full turn"""
    scan, _ = asymmetric(angles=181)
    uneven = np.r_[0:90, 90:181:3]
    y = np.asarray(scan.projections)
    part = scan.replace(projections=y[uneven], angles=scan.angles[uneven])
    twice = scan.replace(
        projections=np.concatenate([y, y[:, :, ::-1]]), angles=np.concatenate([scan.angles, scan.angles + np.pi])
    )
    for other in (part, twice):
        assert difference(run(other), fbp(other)) < 0.015


def test_filters_differ_as_they_should():
    """Noise falls from ramlak to parzen, with a lower cut-off, and butterworth's order keeps it between"""
    scan, _ = asymmetric(noise=0.05)
    clean = scan.replace(projections=np.zeros(scan.shape, np.float32))
    noise = clean.replace(projections=np.random.default_rng(1).standard_normal(scan.shape).astype(np.float32))
    level = {name: run(noise, filter=name).std() for name in ("ramlak", "shepp", "cosine", "hamming", "hann", "parzen")}
    assert list(level.values()) == sorted(level.values(), reverse=True)
    for name in (*level, "butterworth"):
        low, full = run(noise, filter=name, cutoff=0.5).std(), run(noise, filter=name).std()
        assert low < 0.8 * full
    assert not run(clean).any()
    smear = run(scan, filter="none")
    assert smear.mean() > 10 * run(scan).mean()


def test_cutoff_is_that_of_fbp():
    scan, _ = asymmetric()
    for ours, theirs in (("ramp", "ramlak"), ("hann", "hann"), ("hamming", "hamming")):
        assert difference(run(scan, filter=theirs, cutoff=0.4), fbp(scan, filter=ours, cutoff=0.4)) < 0.015


def test_blocks_make_the_same_volume(monkeypatch):
    scan, _ = asymmetric(slices=5)
    whole = run(scan)
    monkeypatch.setattr(blocks, "available_memory", lambda device: 1)
    seen = []
    volume = finish(GRIDREC.run(scan, GridrecOptions(), device="cpu"), seen.append)
    np.testing.assert_allclose(volume.data, whole, atol=1e-5 * whole.max())
    assert [p.step for p in seen] == [1, 2, 3, 4, 5]


def test_stop_keeps_what_there_is():
    scan, _ = asymmetric(slices=40)
    volume = finish(GRIDREC.run(scan), should_stop=lambda: True)
    assert volume.partial
    done = int(volume.provenance.figures["slices"])
    assert 0 < done < 40
    assert volume.data[:done].any(axis=(1, 2)).all()
    assert not volume.data[done:].any()


def test_history():
    scan, _ = asymmetric()
    made = finish(GRIDREC.run(scan, GridrecOptions(filter="parzen"))).provenance
    assert made.recipe == "gridrec"
    assert made.options == as_dict(GridrecOptions(filter="parzen"))
    assert made.device == "cpu"
    assert made.versions["tomopy"]
    assert made.history[-1]["name"] == scan.history[-1].name


def test_it_is_a_row_of_the_table():
    assert RECIPES["gridrec"] is GRIDREC


def test_what_it_refuses():
    scan, _ = asymmetric()
    with pytest.raises(OptionError, match="CPU only, not on 'cuda'"):
        finish(GRIDREC.run(scan, device="cuda"))
    with pytest.raises(ScanError, match="at least 2"):
        finish(GRIDREC.run(scan.replace(projections=scan.projections[:, :, 30:31], centre=0.0)))


def test_a_broken_tomopy_is_one_sentence(monkeypatch):
    """Installed, but a library is missing"""
    monkeypatch.setitem(sys.modules, "tomopy", None)
    with pytest.raises(ReconstructionError, match="cannot be loaded"):
        finish(GRIDREC.run(asymmetric().scan))


@pytest.mark.parametrize("n", [2, 3, 5, 16])
def test_narrow_detectors(n):
    """However few columns: finite, and as wide as they are"""
    scan, _ = asymmetric()
    y = np.asarray(scan.projections)[:, :, 24 : 24 + n]
    found = run(scan.replace(projections=y, centre=(n - 1) / 2))
    assert found.shape == (3, n, n)
    assert np.isfinite(found).all()
