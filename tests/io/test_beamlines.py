"""The smaller formats: CIL, FXI, ALS 8.3.2, and files whose layout nobody declared."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from beamline_files import COUNTS, DEGREES, INTEGRALS, write_cil, write_fxi

from napari_pfitre.errors import FormatError, QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan


@pytest.mark.parametrize(
    ("dims", "order"),
    [
        (("angle", "vertical", "horizontal"), (0, 1, 2)),
        (("vertical", "angle", "horizontal"), (1, 0, 2)),
    ],
)
@pytest.mark.parametrize(("angles", "unit"), [(np.deg2rad(DEGREES), "radian"), (DEGREES, "degree")])
def test_cil_names_its_axes_and_units(tmp_path, dims, order, angles, unit):
    path = write_cil(tmp_path / "cil.nxs", INTEGRALS.transpose(order), dims, angles, unit)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections[:], INTEGRALS)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES)
    assert scan.quantity == "line integrals"


def test_cil_before_units_wrote_radians(tmp_path):
    path = write_cil(tmp_path / "cil.nxs", INTEGRALS, ("angle", "vertical", "horizontal"), unit=None, new=False)
    scan = read_scan(path)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES)
    assert any("read as radians" in notice for notice in scan.notices)


def test_cil_packs_numbers(tmp_path):
    stored = np.round((INTEGRALS * 1000) + 7000).astype(np.uint16)
    path = write_cil(
        tmp_path / "cil.nxs",
        stored,
        ("angle", "vertical", "horizontal"),
        scale=1000.0,
        offset=7000.0,
        geometry="parallel",
    )
    scan = read_scan(path)
    assert scan.projections.dtype == np.float32
    np.testing.assert_allclose(scan.projections[:], INTEGRALS, atol=1e-3)
    assert not any("cone" in notice for notice in scan.notices)


def test_cil_channels_are_chosen(tmp_path):
    data = np.stack([INTEGRALS, INTEGRALS + 10])
    path = write_cil(tmp_path / "cil.nxs", data, ("channel", "angle", "vertical", "horizontal"))
    with pytest.raises(QuestionError, match="2 elements, energies or channels along axis 0") as caught:
        read_scan(path)
    assert caught.value.hint == "index"
    np.testing.assert_array_equal(read_scan(path, index=0).projections[:], INTEGRALS)
    with pytest.raises(ScanError, match="index=5 is past the end"):
        read_scan(path, index=5)


def test_cil_single_row(tmp_path):
    path = write_cil(tmp_path / "cil.nxs", INTEGRALS[:, 1], ("angle", "horizontal"))
    scan = read_scan(path)
    assert scan.shape == (20, 1, 6)
    np.testing.assert_array_equal(scan.projections[:, 0], INTEGRALS[:, 1])


def test_cil_single_row_of_many_channels(tmp_path):
    path = write_cil(tmp_path / "cil.nxs", INTEGRALS.transpose(1, 0, 2), ("channel", "angle", "horizontal"))
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections[:], INTEGRALS)
    assert any("shown as its rows" in notice for notice in scan.notices)


def test_fxi_averages_stand_in_for_frames(tmp_path):
    path = write_fxi(tmp_path / "fly.h5", img_bkg=None, img_bkg_avg=np.full((1, 4, 6), 5000, np.float32))
    scan = read_scan(path)
    assert (len(scan.flats), len(scan.darks)) == (1, 3)
    assert any("its average img_bkg_avg was taken" in notice for notice in scan.notices)


@pytest.mark.parametrize(("count", "hint"), [(22, None), (30, "angles"), (19, None)])
def test_fxi_angles_off_by_some(tmp_path, count, hint):
    path = write_fxi(tmp_path / "fly.h5", angle=np.linspace(80, -80, count))
    if hint:
        with pytest.raises(QuestionError) as caught:
            read_scan(path)
        assert caught.value.hint == hint
    else:
        scan = read_scan(path)
        assert scan.shape[0] == min(count, 20)
        assert any("had no partner" in notice for notice in scan.notices)


@pytest.mark.parametrize(
    ("text", "metres"), [(b"38.2nm", 38.2e-9), (b" 20 nm\r", 20e-9), (b"unknown", None), (b"1 m", None)]
)
def test_fxi_pixel_size_is_a_string(tmp_path, text, metres):
    path = write_fxi(tmp_path / "fly.h5", **{"Pixel Size": text})
    assert read_scan(path).pixel_size == (None if metres is None else pytest.approx((metres, metres)))


def test_fxi_spectroscopy_is_told(tmp_path):
    scan = read_scan(write_fxi(tmp_path / "fly.h5", X_eng=np.array([8.3, 8.4])))
    assert scan.energy_kev is None
    assert any("2 energies" in notice for notice in scan.notices)


def test_als_sorts_by_number_and_misses_a_frame(tmp_path):
    path = tmp_path / "als.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("run/inner")
        group.attrs.update({"nangles": b"12000\r", "arange": b"180.0\r", "pxsize": b"0.00065\r", "senergy": b"20000\r"})
        for number in (0, 9999, 10000, 2, 11999):
            group[f"run_0000_{number:04d}.tif"] = np.full((1, 4, 6), number, np.uint16)
        for number in (0, 11999):
            group[f"runbak_0000_{number:04d}.tif"] = np.full((1, 4, 6), 5, np.uint16)
    scan = read_scan(path)
    assert scan.projections[:, 0, 0].tolist() == [0, 2, 9999, 10000, 11999]
    np.testing.assert_allclose(np.rad2deg(scan.angles), np.array([0, 2, 9999, 10000, 11999]) * 180 / 11999)
    assert scan.flat_positions.tolist() == [0, 4]
    assert any("11995 of 12000 projections are missing" in notice for notice in scan.notices)
    assert (scan.pixel_size[0], scan.energy_kev) == (pytest.approx(6.5e-7), pytest.approx(20.0))


@pytest.fixture
def undeclared(tmp_path):
    """A file with a stack, a smaller one, and angles, in no layout that is known."""
    path = tmp_path / "anything.h5"
    with h5py.File(path, "w") as file:
        file["run/camera"] = COUNTS
        file["run/preview"] = COUNTS[:, ::2, ::2]
        file["run/stage"] = DEGREES
    return path


def test_candidates_are_listed_largest_first(undeclared):
    with pytest.raises(QuestionError, match=r"candidates: /run/camera \(20, 4, 6\), /run/preview") as caught:
        read_scan(undeclared)
    assert caught.value.hint == "dataset"
    assert caught.value.choices == ("/run/camera", "/run/preview")
    text = "\n".join(inspect_file(undeclared).lines())
    assert "/run/camera  20 × 4 × 6  uint16" in text


def test_what_the_file_points_at_comes_first(undeclared):
    with h5py.File(undeclared, "a") as file:
        file.attrs["default"] = "run"
        file["run"].attrs["signal"] = "preview"
    with pytest.raises(QuestionError) as caught:
        read_scan(undeclared)
    assert caught.value.choices[0] == "/run/preview"


def test_any_dataset_reads_with_hints(undeclared):
    scan = read_scan(undeclared, dataset="run/camera", angles="::/run/stage")
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES)
    with pytest.raises(QuestionError) as caught:
        read_scan(undeclared, dataset="/run/camera")
    assert caught.value.hint == "angles"
    with pytest.raises(FormatError, match="has no dataset /run/nothing"):
        read_scan(undeclared, dataset="/run/nothing", angles="0:180")
    with pytest.raises(FormatError, match="is a group, not a dataset; it holds camera"):
        read_scan(undeclared, dataset="/run", angles="0:180")


@pytest.mark.parametrize(
    ("order", "stored"),
    [("angle,row,column", (0, 1, 2)), ("row,column,angle", (1, 2, 0)), ("column, row, angle", (2, 1, 0))],
)
def test_any_order_of_axes(tmp_path, order, stored):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = COUNTS.transpose(stored)
    scan = read_scan(tmp_path / "scan.h5", dataset="data", angles=DEGREES, axis_order=order)
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_array_equal(scan.projections[2:5, 1, ::2], COUNTS[2:5, 1, ::2])


def test_one_element_of_xrf_tomo_reads_as_its_message_says(tmp_path):
    path = tmp_path / "tomo.h5"
    maps = np.random.default_rng(0).random((20, 3, 4, 6)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["exchange/theta"] = DEGREES
        file["reconstruction/fitting/data"] = maps
        file["reconstruction/fitting/elements"] = [b"Cu_K", b"bkg", b"compton"]
        file["reconstruction/recon/proj"] = maps
    scan = read_scan(
        path, dataset="/reconstruction/recon/proj", index=1, angles="::/exchange/theta", quantity="emission"
    )
    np.testing.assert_array_equal(scan.projections[:], maps[:, 1])


def test_a_mapping_stack_whose_axes_attribute_lies_follows_the_shapes(tmp_path):
    degrees = np.random.default_rng(0).permutation(DEGREES) - 140
    path = tmp_path / "stxm.nxs"
    with h5py.File(path, "w") as file:
        file["entry1/stxm_entry/data/data"] = INTEGRALS
        file["entry1/stxm_entry/data"].attrs.update({"signal": "data", "axes": ["theta", "x", "y"]})
        file["entry1/stxm_entry/data/theta"] = degrees
    scan = read_scan(
        path, dataset="entry1/stxm_entry/data/data", angles="::entry1/stxm_entry/data/theta", quantity="line integrals"
    )
    np.testing.assert_allclose(np.rad2deg(scan.angles), degrees)


def test_frames_in_another_file_are_offered_by_their_path_here(tmp_path, undeclared):
    master = tmp_path / "master.h5"
    with h5py.File(master, "w") as file:
        file["scan/frames"] = h5py.ExternalLink("anything.h5", "/run/camera")
        file["scan/all"] = h5py.ExternalLink("anything.h5", "/run")
    with pytest.raises(QuestionError) as caught:
        read_scan(master)
    assert set(caught.value.choices) == {"/scan/frames", "/scan/all/camera", "/scan/all/preview"}
    for choice in ("/scan/frames", "scan/all/camera"):
        scan = read_scan(master, dataset=choice, angles="::/scan/all/stage")
        np.testing.assert_array_equal(scan.projections[:], COUNTS)
        assert inspect_file(master, dataset=choice, angles="0:180").lines()[2].startswith("  stored")


def test_flats_that_would_read_as_zeros_are_refused(tmp_path, undeclared):
    layout = h5py.VirtualLayout((2, 4, 6), np.uint16)
    layout[:] = h5py.VirtualSource("gone.h5", "data", shape=(2, 4, 6))
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with pytest.raises(FormatError, match=r"gone\.h5 is not there"):
        read_scan(undeclared, dataset="/run/camera", angles="0:180", flats="flats.h5::/data")
