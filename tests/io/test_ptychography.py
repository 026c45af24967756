"""NSLS-II's input of ptychography: opened to be looked at, and phased by nothing."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pattern_files import write_diffamp

from napari_pfitre.errors import FormatError, PfitreError, QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan
from napari_pfitre.io.ptychography import Unpacked
from napari_pfitre.preprocess import prepare_pattern
from napari_pfitre.recipes import RECIPES
from napari_pfitre.scans import CdiScan, TomoScan

N, SHAPE = 12, (16, 20)
RNG = np.random.default_rng(5)
SPOT = np.exp(-(sum(g.astype(float) ** 2 for g in np.ogrid[-8:8, -10:10])) / 12)
COUNTS = RNG.poisson(900 * SPOT, (N, *SHAPE))
POINTS = RNG.uniform(-2, 2, (2, N))


def test_patterns_are_squared_with_their_middle_in_the_middle(tmp_path):
    scan = read_scan(write_diffamp(tmp_path / "scan_7.h5", COUNTS, POINTS))
    assert isinstance(scan, CdiScan)
    np.testing.assert_allclose(scan.intensity[:], COUNTS, rtol=1e-5)
    assert scan.energy_kev == pytest.approx(1.2398420 / 0.1378, rel=1e-6)
    assert scan.distance == 0.5
    assert scan.pixel_size == pytest.approx((5.5e-5, 5.5e-5))
    np.testing.assert_allclose(scan.positions, POINTS[::-1].T * 1e-6)
    assert scan.metadata["angle_deg"] == -31.5
    assert scan.metadata["object_pixel"] == pytest.approx([0.1378e-9 * 0.5 / (n * 55e-6) for n in SHAPE])
    told = " ".join(scan.notices)
    assert "squared to intensities and moved back to the middle" in told
    assert "12 places of a sample (ptychography)" in told
    assert "turn them by 90°" in told


@pytest.mark.parametrize("shape", [(16, 20), (15, 21)])
@pytest.mark.parametrize(
    "key", [(3, slice(2, 5)), (slice(1, 9), slice(6, 11), slice(19, 20)), (0, 0, 0), (slice(4, 4),)]
)
def test_a_region_is_that_of_the_whole(tmp_path, shape, key):
    """The inverse of fftshift, for odd sizes too."""
    whole = np.arange(10 * np.prod(shape)).reshape(10, *shape).astype(np.float32)
    frames = Unpacked(np.fft.fftshift(whole, axes=(1, 2)), squared=True, shifted=True)
    np.testing.assert_array_equal(frames[key], (whole**2)[key])


def test_frames_stay_in_the_file_until_they_are_asked_for(tmp_path, monkeypatch):
    from napari_pfitre.io.stacks import Hdf5Frames

    path, read, seen = write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS), Hdf5Frames.read, []

    def counted(self, frames, rows, columns):
        seen.append(frames)
        return read(self, frames, rows, columns)

    monkeypatch.setattr(Hdf5Frames, "read", counted)
    scan = read_scan(path)
    assert len(seen) == 5  # a look at where the light is
    scan.intensity[7]
    assert seen[5:] == [slice(7, 8)]


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.scan_type is CdiScan])
def test_every_method_for_patterns_refuses_it_in_a_sentence(tmp_path, name):
    scan = read_scan(write_diffamp(tmp_path / "scan_7.h5", COUNTS, POINTS))
    with pytest.raises(ScanError, match=r"12 frames of scan_7 were taken at different places") as refused:
        list(RECIPES[name].run(scan, device="cpu"))
    assert "\n" not in str(refused.value)


def test_frames_left_out_take_their_places_with_them(tmp_path):
    scan = read_scan(write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS), exclude="0,5:7")
    kept = [1, 2, 3, 4, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(scan.intensity[:], COUNTS[kept], rtol=1e-5)
    np.testing.assert_allclose(scan.positions, POINTS[::-1].T[kept] * 1e-6)


def test_a_mask_lies_over_frames_as_they_are_shown(tmp_path):
    path = write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS)
    bad = np.zeros(SHAPE, np.uint8)
    bad[8, 10] = 1
    np.save(tmp_path / "bad.npy", bad)
    np.testing.assert_array_equal(read_scan(path, mask="bad.npy").mask, bad == 1)


def test_info_says_what_it_is(tmp_path):
    report = inspect_file(write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS))
    assert report.format == "NSLS-II ptychography"
    said = "\n".join(report.lines())
    assert "12 frames of 16 rows × 20 columns" in said
    assert "12 over" in said
    assert "rocking" not in said
    assert len(report.as_dict()["pattern"]["positions"]) == 12


def test_with_angles_it_is_a_stack_like_any_other(tmp_path):
    path = write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS)
    scan = read_scan(path, dataset="/diffamp", angles="0:180", quantity="emission")
    assert isinstance(scan, TomoScan)


#: what is changed in the file, the error, what it says, its hint, an answer and what the frames are then
ODD = {
    "not shifted": (
        {"diffamp": np.sqrt(COUNTS)},
        "most light is in the middle of the frames",
        "peak",
        {"peak": "centre"},
        COUNTS,
    ),
    "whole numbers": (
        {"diffamp": np.fft.fftshift(COUNTS, axes=(1, 2)).astype(np.uint16)},
        r"holds whole numbers \(uint16\)",
        "values",
        {"values": "intensity"},
        COUNTS,
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_what_such_files_do_not_hold_is_asked_about(tmp_path, case):
    changes, said, hint, answer, expected = ODD[case]
    path = write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS, **changes)
    with pytest.raises(QuestionError, match=said) as asked:
        read_scan(path)
    assert asked.value.hint == hint
    assert answer[hint] in asked.value.choices
    np.testing.assert_allclose(read_scan(path, **answer).intensity[:], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"diffamp": np.zeros((3, 4))}, r"has shape \(3, 4\)"),
        ({"diffamp": np.ones((N, *SHAPE), complex)}, "complex|not amplitudes"),
        ({"diffamp": np.zeros((0, 4, 4))}, "empty"),
    ],
)
def test_what_is_no_stack_of_amplitudes_is_refused(tmp_path, changes, said):
    with pytest.raises(PfitreError, match=said):
        read_scan(write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS, **changes))


def test_a_scan_that_was_never_written_is_refused(tmp_path):
    path = write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS)
    with h5py.File(path, "r+") as file:
        del file["diffamp"]
        file.create_dataset("diffamp", (40, 16, 16), "f4", chunks=(1, 16, 16))
    with pytest.raises(FormatError, match="0 of 40 frames"):
        read_scan(path)


def test_what_makes_no_sense_of_the_instrument_is_unknown_and_told(tmp_path):
    path = write_diffamp(
        tmp_path / "scan.h5", COUNTS, POINTS[:, :9], lambda_nm=-1.0, z_m=500.0, ccd_pixel_um="fifty five"
    )
    scan = read_scan(path)
    assert (scan.energy_kev, scan.distance, scan.pixel_size) == (None, None, None)
    assert np.isnan(scan.positions).all()
    told = " ".join(scan.notices)
    for part in ("points of shape (2, 9) for 12 frames", "wavelength", "distance", "is no number"):
        assert part in told
    with pytest.raises(ScanError, match="ptychography"):
        prepare_pattern(scan)  # it stays what it is


def test_amplitudes_beyond_float32_are_infinite_and_no_warning(tmp_path):
    values = np.sqrt(np.fft.fftshift(COUNTS, axes=(1, 2))).astype(np.longdouble)
    values[3, 4, 5], values[3, 4, 6] = np.nan, 1e300
    scan = read_scan(
        write_diffamp(tmp_path / "scan.h5", COUNTS, POINTS, diffamp=values), values="amplitude", peak="corner"
    )
    assert np.isinf(scan.intensity[3]).sum() == 1
    assert np.isnan(scan.intensity[3]).sum() == 1
