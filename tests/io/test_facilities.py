"""Rocking scans as PETRA III, SOLEIL and MAX IV write them: what is known is read, what is not is said."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pattern_files import counts, write_nanomax, write_p10, write_soleil

from napari_pfitre.errors import FormatError, QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan
from napari_pfitre.preprocess import prepare_pattern
from napari_pfitre.scans import TomoScan

DATA = counts()
N = len(DATA)


def test_a_master_of_p10_has_the_angles_of_its_log(tmp_path):
    path = write_p10(tmp_path, DATA)
    scan = read_scan(path)
    assert scan.shape == DATA.shape
    assert np.rad2deg(scan.rocking_step) == pytest.approx(0.05)
    assert scan.metadata["angles_deg"] == {
        "om": [16.0, pytest.approx(16.95)], "phi": 3.5, "mu": 0.0, "gam": 0.02, "del": 33.1,
    }  # fmt: skip
    assert (scan.energy_kev, scan.distance) == (pytest.approx(8.994), 1.8)
    text = "\n".join(inspect_file(path).lines())
    assert "angles       om 16° to 16.95°, phi 3.5°, mu 0°, gam 0.02°, del 33.1°" in text
    assert inspect_file(path).as_dict()["pattern"]["angles_deg"]["del"] == 33.1


def test_a_scan_of_p10_has_voxels(tmp_path):
    """Bragg's law at the detector's angle, and λ L / (n p) along the detector, which the peak is not far from."""
    scan = prepare_pattern(read_scan(write_p10(tmp_path, DATA)))
    wavelength, pixels = 1.2398e-9 / 8.994, scan.shape[1]
    assert scan.geometry.spacing == pytest.approx(wavelength / (2 * np.sin(np.deg2rad(33.1 / 2))), rel=2e-3)
    lengths = np.linalg.norm(scan.geometry.voxels(scan.shape), axis=1)
    assert lengths[1] == pytest.approx(wavelength * 1.8 / (pixels * 75e-6), rel=0.1)
    assert scan.geometry.q[1] > 0 > scan.geometry.q[2]  # del lifts the detector: Q points up, and against the beam
    far = prepare_pattern(read_scan(tmp_path / "sample_00012/e4m/sample_00012_master.h5", distance=3.6))
    twice = np.linalg.norm(far.geometry.voxels(far.shape), axis=1)
    assert twice[1] == pytest.approx(2 * lengths[1], rel=1e-3)


def test_what_p10_does_not_tell_gives_no_voxels(tmp_path):
    path = write_p10(tmp_path, DATA)
    log = tmp_path / "sample_00012" / "sample_00012.fio"
    log.write_text(log.read_text(encoding="utf-8").replace("mu = 0\n", ""), encoding="utf-8")
    with h5py.File(path, "r+") as file:
        del file["entry/instrument/detector/detector_distance"]
    scan = read_scan(path)
    assert "for the voxel size there lacks the angle mu, distance (pass distance=)" in " ".join(scan.notices)
    assert prepare_pattern(scan).geometry is None
    assert "lacks the angle mu" in " ".join(read_scan(path, distance=1.8).notices)


def test_a_data_file_of_p10_alone_has_its_log_and_says_what_is_missing(tmp_path):
    write_p10(tmp_path, DATA)
    (tmp_path / "sample_00012" / "sample_00012.fio").rename(tmp_path / "elsewhere.fio")
    part = tmp_path / "sample_00012" / "e4m" / "scan_data_000001.h5"
    with h5py.File(part, "r+") as file:
        del file["entry/data/data"].attrs["image_nr_low"]
    scan = read_scan(part)
    assert scan.energy_kev is None
    assert "the master has them" in " ".join(scan.notices)
    assert "knows nothing of the diffractometer" in " ".join(scan.notices)
    named = read_scan(part, spec=tmp_path / "elsewhere.fio")
    assert "20 points of om for 8 frames, so the rocking step is unknown" in " ".join(named.notices)
    with pytest.raises(FormatError, match=r"nowhere\.fio is not there"):
        read_scan(part, spec=tmp_path / "nowhere.fio")


def test_several_frames_a_point_are_told(tmp_path):
    scan = read_scan(write_p10(tmp_path, DATA, points=N // 4))
    assert scan.rocking_step is None
    assert "5 points of om for 20 frames, 4 a point: add those up first" in " ".join(scan.notices)


def test_an_aborted_log_ends_where_it_ends(tmp_path):
    path = write_p10(tmp_path, DATA)
    log = tmp_path / "sample_00012" / "sample_00012.fio"
    log.write_text(log.read_text(encoding="utf-8")[:-6] + "\n! aborted", encoding="utf-8")
    assert "19 points of om for 20 frames" in " ".join(read_scan(path).notices)
    log.write_bytes(b"%p\nom = \xff\xfe\n%d\n1 2 3\n")
    assert "sample_00012.fio names no angles" in " ".join(read_scan(path).notices)


@pytest.mark.parametrize("beamline", ["SIXS", "CRISTAL"])
def test_soleil(tmp_path, beamline):
    path = write_soleil(tmp_path, DATA, beamline)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.intensity[7], DATA[7])
    assert scan.energy_kev == 8.5
    assert np.rad2deg(scan.rocking_step) == pytest.approx(0.05)
    assert scan.metadata["angles_deg"] == {"mu": [0.25, pytest.approx(1.2)], "delta": 33.5}
    told = " ".join(scan.notices)
    assert f"how the circles of SOLEIL {beamline} turn is not known" in told
    assert "distance and pixel size of the detector are not in this file" in told
    assert isinstance(read_scan(path, dataset=scan.source.dataset, angles="0:20"), TomoScan)


def test_two_detectors_of_one_scan_are_asked_about(tmp_path):
    path = write_soleil(tmp_path, DATA)
    with h5py.File(path, "r+") as file:
        file["com/scan_data/data_09"] = DATA[:, :5]
    with pytest.raises(QuestionError, match="2 detectors") as asked:
        read_scan(path)
    assert asked.value.choices == ("/com/scan_data/data_03", "/com/scan_data/data_09")
    assert read_scan(path, dataset="/com/scan_data/data_09").shape == DATA[:, :5].shape


def test_nanomax(tmp_path):
    scan = read_scan(write_nanomax(tmp_path, np.where(DATA > 50, np.iinfo(np.uint32).max, DATA)))
    assert scan.energy_kev == 9.5
    assert np.rad2deg(scan.rocking_step) == pytest.approx(0.05)
    assert scan.metadata["angles_deg"] == {
        "delta": 0.0, "gamma": 30.0, "gonphi": [10.0, pytest.approx(10.95)], "gontheta": 14.0,
    }  # fmt: skip
    assert scan.mask is None  # no pixel of the first frame is marked
    with pytest.raises(ScanError, match=r"not there: .*scan_000123_eiger\.hdf5"):
        read_scan(write_nanomax(tmp_path, DATA, linked=True))


def test_frames_of_an_unknown_beamline_are_a_pattern_when_told_so(tmp_path):
    path = tmp_path / "lynx.h5"
    with h5py.File(path, "w") as file:
        file["entry/externals/eiger"] = DATA.astype(np.uint32)
        file["entry/externals/camera"] = DATA[:, :5, :5]
    with pytest.raises(QuestionError, match="of a diffraction pattern dataset= and technique='cdi'"):
        read_scan(path)
    scan = read_scan(path, dataset="/entry/externals/eiger", technique="cdi")
    np.testing.assert_array_equal(scan.intensity[3], DATA[3])
    assert "only the frames were read" in " ".join(scan.notices)
