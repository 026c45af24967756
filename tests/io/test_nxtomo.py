"""NXtomo: frame types, alignment frames, missing and contradictory image keys, several entries."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from beamline_files import write_nxtomo

from napari_pfitre.errors import QuestionError, ScanError
from napari_pfitre.io import read_scan


def test_frames_are_sorted_by_the_key(nxtomo):
    keys = [2, 1, *([0] * 10), 1, 1, *([0] * 10), 2]
    scan = read_scan(nxtomo(keys=keys))
    np.testing.assert_array_equal(scan.projections[:, 0, 0], 1000 + np.flatnonzero(np.equal(keys, 0)))
    np.testing.assert_array_equal(scan.flats[:, 0, 0], [1001, 1012, 1013])
    np.testing.assert_array_equal(scan.darks[:, 0, 0], [1000, 1024])
    assert scan.flat_positions.tolist() == [0, 10, 10]
    np.testing.assert_allclose(np.rad2deg(scan.angles), np.arange(20) * 9.0)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.int32])
def test_a_key_of_any_number_type(nxtomo, dtype):
    assert read_scan(nxtomo(key_dtype=dtype)).shape == (20, 4, 6)


def test_alignment_frames_are_left_out(nxtomo):
    keys = [1, *([0] * 22), 1]
    control = [1, *([0] * 20), -1, -1, 1]
    scan = read_scan(nxtomo(keys=keys, control=control))
    assert scan.shape[0] == 20
    assert any("2 alignment frames" in notice for notice in scan.notices)
    assert scan.flat_positions.tolist() == [0, 20]


def test_invalid_frames_are_left_out(nxtomo):
    scan = read_scan(nxtomo(keys=[1, *([0] * 20), 3, 3, 7]))
    assert scan.shape[0] == 20
    assert any("3 frames are marked as invalid" in notice for notice in scan.notices)


def test_a_key_longer_than_the_data_is_a_stopped_scan(nxtomo):
    scan = read_scan(nxtomo(count=15))
    assert scan.shape[0] == 13
    assert any("names 23 frames, but 15 are stored" in notice for notice in scan.notices)


def test_a_key_shorter_than_the_data_is_refused(nxtomo):
    with pytest.raises(ScanError, match="names 23 frames, but 30 are stored"):
        read_scan(nxtomo(count=30))


def test_no_projection_at_all(nxtomo):
    with pytest.raises(ScanError, match="marks none of them as a projection"):
        read_scan(nxtomo(keys=[1] * 12, degrees=np.zeros(12)))


def test_without_a_key_all_frames_are_projections(nxtomo):
    path = nxtomo(keys=[0] * 20)
    with h5py.File(path, "a") as file:
        del file["entry0000/instrument/detector/image_key"]
        file["entry0000/instrument/detector/flatfield"] = np.full((2, 4, 6), 5000)
    scan = read_scan(path)
    assert scan.shape[0] == 20
    assert np.unique(scan.flats[:]).tolist() == [5000]
    assert any("has no image key" in notice for notice in scan.notices)


def test_angles_of_the_projections_only(nxtomo):
    scan = read_scan(nxtomo(degrees=np.arange(20) * 9.0))
    np.testing.assert_allclose(np.rad2deg(scan.angles), np.arange(20) * 9.0)


@pytest.mark.parametrize("as_attribute", [True, False])
def test_the_definition_may_be_an_attribute_or_a_dataset(nxtomo, as_attribute):
    path = nxtomo()
    with h5py.File(path, "a") as file:
        if as_attribute:
            del file["entry0000/definition"]
            file["entry0000"].attrs["definition"] = np.bytes_("NXtomo")
    assert read_scan(path).shape == (20, 4, 6)


def test_several_entries_are_asked_for_unless_the_file_has_a_default(tmp_path):
    path = write_nxtomo(tmp_path / "scan.nx")
    write_nxtomo(path, keys=[1, *([0] * 12)], entry="entry0001", mode="a")
    with pytest.raises(QuestionError, match="2 measurements") as caught:
        read_scan(path)
    assert caught.value.hint == "entry"
    assert caught.value.choices == ("/entry0000", "/entry0001")
    assert read_scan(path, entry="entry0001").shape[0] == 12
    assert read_scan(path, entry="/entry0000").shape[0] == 20
    with h5py.File(path, "a") as file:
        file.attrs["default"] = "entry0001"
    scan = read_scan(path)
    assert scan.shape[0] == 12
    assert any("/entry0000" in notice for notice in scan.notices)
    with pytest.raises(QuestionError, match="no measurement called entry7"):
        read_scan(path, entry="entry7")


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("instrument/detector/x_pixel_size", 6.5e-7, "m", (6.5e-7, 6.5e-7)),
        ("instrument/detector/x_pixel_size", 650.0, "nm", (6.5e-7, 6.5e-7)),
        ("instrument/detector/x_pixel_size", 1.0, "m", None),
        ("instrument/detector/x_pixel_size", b"b2017b74-c39d-478d", None, None),
        ("sample/x_pixel_size", 6.5e-4, "millimeter", (6.5e-7, 6.5e-7)),
    ],
)
def test_pixel_sizes(nxtomo, name, value, unit, expected):
    path = nxtomo()
    with h5py.File(path, "a") as file:
        file[f"entry0000/{name}"] = value
        if unit:
            file[f"entry0000/{name}"].attrs["units"] = unit
    assert read_scan(path).pixel_size == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("place", ["instrument/beam/incident_energy", "beam/incident_energy"])
def test_energy_in_old_and_new_versions(nxtomo, place):
    path = nxtomo()
    with h5py.File(path, "a") as file:
        file[f"entry0000/{place}"] = 19.0
        file[f"entry0000/{place}"].attrs["units"] = "kiloelectron_volt"
    assert read_scan(path).energy_kev == 19.0


def test_half_acquisition_and_the_estimated_axis_are_told(nxtomo):
    path = nxtomo()
    with h5py.File(path, "a") as file:
        file["entry0000/instrument/detector/field_of_view"] = "Half"
        file["entry0000/instrument/detector/x_rotation_axis_pixel_position"] = -1.5
    scan = read_scan(path)
    assert scan.centre is None
    assert any("half acquisition" in notice for notice in scan.notices)
    assert any("estimates the rotation axis at -1.5" in notice for notice in scan.notices)


def test_mantid_writes_radians(nxtomo):
    path = nxtomo(keys=[0] * 20, degrees=np.linspace(0, np.pi, 20), unit="rad")
    np.testing.assert_allclose(read_scan(path).angles, np.linspace(0, np.pi, 20))


def test_averaged_flats_beside_are_pointed_at(tmp_path):
    path = write_nxtomo(tmp_path / "scan.nx", keys=[0] * 20)
    with h5py.File(tmp_path / "scan_flats.hdf5", "w") as file:
        file["entry0000/flats/0"] = np.full((4, 6), 4000.0)
    scan = read_scan(path)
    assert any("scan_flats.hdf5" in notice for notice in scan.notices)
    assert len(read_scan(path, flats="scan_flats.hdf5").flats) == 1
