"""Every real file is read truly, or refused in a sentence that helps."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.errors import FormatError, QuestionError
from napari_pfitre.io import inspect_file, read_scan

#: name: format, shape, first and last angle, quantity, flats, darks, stored axes
SCANS = {
    "tooth.h5": ("APS Data Exchange", (181, 2, 640), (0, 179.00552), "counts", 10, 10),
    "tooth_src_dx.h5": ("APS Data Exchange", (181, 2, 640), (0, 179.00552), "counts", 10, 10),
    "tooth_nxtomomill_link.nx": ("NeXus NXtomo", (181, 2, 640), (0, 180), "counts", 10, 10),
    "24737_nxtomo_lib.nx": ("NeXus NXtomo", (91, 135, 160), (-88.2, 91.7999), "counts", 10, 10),
    "24737_dls_tomo_entry.nxs": ("NeXus NXtomo", (91, 135, 160), (-88.2, 91.7999), "counts", 10, 10),
    "k11_diad/k11-18014.nxs": ("NeXus NXtomo", (3001, 22, 26), (89.99511, 269.99463), "counts", 100, 100),
    "fly_scan_id_24737_limited.h5": ("NSLS-II FXI", (45, 135, 160), (43.7999, -44.1999), "counts", 10, 10),
    "Cu_example_23_LimitedAngle.tiff": ("TIFF stack", (51, 84, 150), (-72, 108), "emission", 0, 0),
    "Sinogram_Rock_sample_3D.nxs": ("CIL NeXus", (120, 5, 400), (-45, 312), "line integrals", 0, 0),
    "als832_read_stack.h5": ("ALS 8.3.2 legacy", (20, 10, 10), (0, 180), "counts", 4, 2),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_real_scan_is_what_its_file_says(real_file, name):
    format_name, shape, ends, quantity, flats, darks = SCANS[name]
    path = real_file(f"tomo/{name}")
    scan = read_scan(path)
    assert scan.source.format == format_name
    assert scan.shape == shape
    np.testing.assert_allclose(np.rad2deg(scan.angles[[0, -1]]), ends, atol=1e-4)
    assert scan.quantity == quantity
    assert (0 if scan.flats is None else len(scan.flats)) == flats
    assert (0 if scan.darks is None else len(scan.darks)) == darks
    report = inspect_file(path)
    assert report.usable
    text = "\n".join(report.lines())
    assert f"{shape[0]} of {shape[1]} rows × {shape[2]} columns" in text
    assert format_name in report.lines()[0]
    for notice in scan.notices:
        assert notice in text


def test_nxtomo_frames_are_told_apart_by_the_image_key(real_file):
    path = real_file("tomo/24737_dls_tomo_entry.nxs")
    scan = read_scan(path)
    with h5py.File(path) as file:
        group = file["entry1/tomo_entry/data"]
        keys, data, degrees = group["image_key"][:], group["data"][:], group["rotation_angle"][:]
    np.testing.assert_array_equal(scan.projections[:], data[keys == 0])
    np.testing.assert_array_equal(scan.flats[:], data[keys == 1])
    np.testing.assert_array_equal(scan.darks[:], data[keys == 2])
    np.testing.assert_allclose(np.rad2deg(scan.angles), degrees[keys == 0], atol=1e-9)
    before = [np.count_nonzero(keys[:at] == 0) for at in np.flatnonzero(keys == 1)]
    np.testing.assert_array_equal(scan.flat_positions, before)


def test_three_layouts_of_one_scan_hold_the_same_counts(real_file):
    esrf = read_scan(real_file("tomo/24737_nxtomo_lib.nx"))
    diamond = read_scan(real_file("tomo/24737_dls_tomo_entry.nxs"))
    fxi = read_scan(real_file("tomo/fly_scan_id_24737_limited.h5"))
    np.testing.assert_array_equal(esrf.projections[::10], diamond.projections[::10])
    assert esrf.pixel_size == (1.25e-6, 1.25e-6)
    for at in (0, 22, 44):
        partner = int(np.argmin(np.abs(diamond.angles - fxi.angles[at])))
        np.testing.assert_array_equal(fxi.projections[at], diamond.projections[partner])


def test_fxi_drops_the_surplus_angle_and_says_so(real_file):
    path = real_file("tomo/fly_scan_id_24737_limited.h5")
    scan = read_scan(path)
    assert any("46 angles for 45 projections" in notice and "last 1 angle" in notice for notice in scan.notices)
    assert scan.energy_kev == pytest.approx(8.333)
    assert scan.pixel_size == pytest.approx((20e-9, 20e-9))
    (wedge,) = scan.missing_wedges
    assert wedge.width == pytest.approx(92, abs=0.01)
    other_end = read_scan(path, drop="first")
    assert np.rad2deg(other_end.angles[-1]) == pytest.approx(-46.1999)


def test_cu_23_misses_96_degrees(real_file):
    path = real_file("tomo/Cu_example_23_LimitedAngle.tiff")
    scan = read_scan(path)
    (wedge,) = scan.missing_wedges
    assert wedge.width == pytest.approx(96)
    assert scan.projections[0].sum() == pytest.approx(282.794, abs=1e-3)
    assert scan.projections[50].sum() == pytest.approx(282.749, abs=1e-3)
    assert any("emission" in notice for notice in scan.notices)
    assert "96° missing" in "\n".join(inspect_file(path).lines())


def test_nxtomomill_made_its_angles_up(real_file):
    path = real_file("tomo/tooth_nxtomomill_link.nx")
    scan = read_scan(path)
    assert scan.pixel_size is None
    assert scan.energy_kev is None
    (told,) = [notice for notice in scan.notices if "179.006" in notice]
    assert "tooth_src_dx.h5::/exchange/theta" in told
    true = read_scan(path, angles="tooth_src_dx.h5::/exchange/theta")
    original = read_scan(real_file("tomo/tooth_src_dx.h5"))
    np.testing.assert_array_equal(true.angles, original.angles)
    np.testing.assert_array_equal(true.projections[:], original.projections[:])


def test_sinograms_are_turned_and_the_cone_is_named(real_file):
    path = real_file("tomo/Sinogram_Rock_sample_3D.nxs")
    scan = read_scan(path)
    assert scan.axis_order == ("row", "angle", "column")
    with h5py.File(path) as file:
        stored = file["entry1/tomo_entry/data/data"][:]
    np.testing.assert_array_equal(scan.sinograms(slice(1, 3)), stored[1:3])
    assert any("cone-beam" in notice for notice in scan.notices)


def test_als_frames_come_in_the_order_of_their_numbers(real_file):
    scan = read_scan(real_file("tomo/als832_read_stack.h5"))
    assert scan.pixel_size == pytest.approx((6.45e-7, 6.45e-7))
    assert scan.energy_kev == pytest.approx(19.9996, abs=1e-4)
    assert scan.flat_positions.tolist() == [0, 0, 19, 19]
    assert any("both ends included" in notice for notice in scan.notices)


#: name: what the sentence must say
REFUSED = {
    "broken/24888.nxs": r"link to dataset entry/instrument/detector/data of .*pco1-24888\.hdf, which is not there",
    "broken/not_hdf5_stxm.nxs": "is XML text, not HDF5",
    "broken/test_chip00.xrm": "OLE2 container",
    "broken/demo.h5": "/exchange is empty, it holds metadata only",
    "k11_diad/k11-18014": "is a folder",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_wreck_is_refused_in_a_sentence(real_file, name):
    path = real_file(f"tomo/{name}")
    with pytest.raises(FormatError, match=REFUSED[name]):
        read_scan(path)
    report = inspect_file(path)
    assert not report.usable
    assert str(report.problem) in "\n".join(report.lines())


@pytest.mark.parametrize(("name", "count"), [("meta_mock.h5", 11), ("DataExchange-example4.h5", 180)])
def test_missing_angles_are_asked_for(real_file, name, count):
    path = real_file(f"tomo/{name}")
    with pytest.raises(QuestionError, match=f"{count} projections .* no angles") as caught:
        read_scan(path)
    assert caught.value.hint == "angles"
    assert caught.value.choices == ("0:180", "0:180:inclusive")
    open_end = read_scan(path, angles="0:180")
    closed = read_scan(path, angles="0:180:inclusive")
    assert np.rad2deg(open_end.angles[-1]) == pytest.approx(180 - 180 / count)
    assert np.rad2deg(closed.angles[-1]) == pytest.approx(180)


def test_meta_mock_tells_the_planned_scan_and_its_pixel_size(real_file):
    path = real_file("tomo/meta_mock.h5")
    assert any("6401 angles" in notice for notice in inspect_file(path).notices)
    assert read_scan(path, angles="0:180").pixel_size == pytest.approx((1.18063734e-6,) * 2)


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("PETRAIII_P25_Near_Field_Ptycho.cxi", "CXI"),
        ("typical_raw.cxi", "CXI"),
        ("34idc_S0054_crop_64x96x96.npz", "NumPy"),
        ("34idc_scan54/example_data/AD34idcTIM2_example/Staff20-1a_S0054", "34-ID-C"),
    ],
)
def test_diffraction_patterns_are_told_from_projections(real_file, name, format_name):
    report = inspect_file(real_file(f"cdi/{name}"))
    assert format_name in report.format
    assert report.scan is None
    assert report.pattern is not None or report.problem is not None


def test_bitshuffled_frames_are_unpacked(real_file):
    path = real_file("eiger/eiger4m_bitshuffle_frame.h5")
    (dataset,) = inspect_file(path).datasets
    assert dataset.compression == "bitshuffle"
    assert dataset.shape == (1, 2167, 2070)
