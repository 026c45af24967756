"""Files as other facilities write them, in ways the standards leave room for: read as they are meant, or asked well."""

from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest
from beamline_files import write_datasets

from napari_pfitre.errors import FormatError, QuestionError
from napari_pfitre.io import read_scan

N = 40
RNG = np.random.default_rng(0)
FRAMES = RNG.integers(7000, 20000, (N, 12, 30)).astype(np.uint16)
FLATS = RNG.integers(19900, 20100, (5, 12, 30)).astype(np.uint16)
DARKS = RNG.integers(90, 110, (3, 12, 30)).astype(np.uint16)
DEGREES = np.arange(N) * 4.5
THOUSANDTHS = (DEGREES * 1000).astype(np.int32)


def say(path, **units):
    """Units beside datasets; ``__`` stands for ``/``."""
    with h5py.File(path, "r+") as file:
        for name, unit in units.items():
            file[name.replace("__", "/")].attrs["units"] = unit
    return path


def thousandths_and_flats_before_and_after(folder):
    path = write_datasets(folder / "x.h5", exchange__data=FRAMES, exchange__data_white_pre=FLATS,
                          exchange__data_white_post=FLATS, exchange__theta=THOUSANDTHS)  # fmt: skip
    return say(path, exchange__theta=np.bytes_("mdeg"))


def one_flat_of_two_axes(folder):
    path = write_datasets(folder / "x.h5", exchange__data_white=FLATS[0], exchange__theta=DEGREES)
    with h5py.File(path, "r+") as file:
        file.create_dataset("exchange/data", data=FRAMES, chunks=(1, 12, 30), **hdf5plugin.Blosc())
    return say(path, exchange__theta=np.array([b"deg"]))


def nxtomo_of_soft_links(folder):
    path = write_datasets(
        folder / "x.nxs", entry__definition="NXtomo",
        entry__instrument__detector__data=np.concatenate([DARKS, FLATS, FRAMES]),
        entry__instrument__detector__image_key=np.r_[[2] * 3, [1] * 5, [0] * N].astype(np.uint8),
        entry__sample__rotation_angle=np.r_[[0] * 8, THOUSANDTHS],
        entry__data__data=h5py.SoftLink("/entry/instrument/detector/data"),
        entry__data__rotation_angle=h5py.SoftLink("/entry/sample/rotation_angle"),
    )  # fmt: skip
    return say(path, entry__sample__rotation_angle=b"mdeg")


def virtual_stack_of_a_camera(folder):
    layout = h5py.VirtualLayout(FRAMES.shape, np.uint16)
    for at in range(4):
        part = write_datasets(folder / f"part_{at}.h5", data=FRAMES[10 * at : 10 * at + 10])
        layout[10 * at : 10 * at + 10] = h5py.VirtualSource(part.name, "data", (10, 12, 30))
    path = write_datasets(folder / "x.nxs", entry__instrument__pco__image_key=np.zeros(N, int),
                          entry__sample__omega=DEGREES)  # fmt: skip
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("entry/instrument/pco/data", layout)
    return say(path, entry__sample__omega="degrees")


def fly_scan_of_diamond(folder):
    return write_datasets(
        folder / "x.nxs", entry1__flyScanDetector__data=np.concatenate([FLATS, FRAMES, DARKS]),
        entry1__flyScanDetector__image_key=np.r_[[1] * 5, [0] * N, [2] * 3].astype(float),
        entry1__flyScanDetector__zebraSM1=np.r_[[0] * 5, DEGREES, [180] * 3],
    )  # fmt: skip


def averages_of_two_axes(folder):
    return write_datasets(folder / "x.h5", img_tomo=FRAMES, img_bkg_avg=FLATS.mean(0), img_dark_avg=DARKS.mean(0),
                          angle=DEGREES, X_eng=8.34)  # fmt: skip


def sinograms_with_their_flats(folder):
    turned = {"data": FRAMES, "data_white": FLATS, "data_dark": DARKS}
    path = write_datasets(folder / "x.h5", exchange__theta=DEGREES)
    with h5py.File(path, "r+") as file:
        for name, values in turned.items():
            file[f"exchange/{name}"] = values.transpose(1, 0, 2)
    return path


def angles_in_a_column(folder):
    return write_datasets(folder / "x.h5", exchange__data=FRAMES, exchange__data_white=FLATS,
                          exchange__theta=DEGREES[:, None])  # fmt: skip


def angles_as_text(folder):
    words = np.array([f"{angle:.3f}".encode() for angle in DEGREES])
    return write_datasets(folder / "x.h5", exchange__data=FRAMES, exchange__data_white=FLATS, exchange__theta=words)


def frames_of_als_far_down(folder):
    frames = {f"a__b__foo__foo_0000_{at:04d}.tif": FRAMES[at : at + 1] for at in range(N)}
    path = write_datasets(folder / "x.h5", **frames, **{"a__b__foo__foobak_0000_0000.tif": FLATS[:1]})
    with h5py.File(path, "r+") as file:
        file["a/b/foo"].attrs.update({"nangles": b"40\r", "arange": b"175.5\r"})
    return path


#: a file, how many flats and darks it has
READ = {
    thousandths_and_flats_before_and_after: (10, 0),
    one_flat_of_two_axes: (1, 0),
    nxtomo_of_soft_links: (5, 3),
    virtual_stack_of_a_camera: (0, 0),
    fly_scan_of_diamond: (5, 3),
    averages_of_two_axes: (1, 1),
    sinograms_with_their_flats: (5, 3),
    angles_in_a_column: (5, 0),
    angles_as_text: (5, 0),
    frames_of_als_far_down: (1, 0),
}


@pytest.mark.parametrize("write", READ, ids=lambda write: write.__name__)
def test_they_are_read_as_they_are_meant(tmp_path, write):
    scan = read_scan(write(tmp_path))
    np.testing.assert_array_equal(scan.projections[:], FRAMES)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES, atol=1e-6)
    assert tuple(0 if frames is None else len(frames) for frames in (scan.flats, scan.darks)) == READ[write]


def area_detector(folder):
    return write_datasets(
        folder / "x.h5", entry__data__data=FRAMES,
        entry__instrument__detector__data=h5py.SoftLink("/entry/data/data"),
        entry__instrument__NDAttributes__SampleOmega=DEGREES,
        entry__instrument__NDAttributes__NDArrayUniqueId=np.arange(N),
        entry__instrument__NDAttributes__NDArrayTimeStamp=np.arange(N) * 0.1,
    )  # fmt: skip


def databroker(folder):
    return write_datasets(folder / "x.h5", primary__data__Andor_image=FRAMES[:, None], primary__data__zps_pi_r=DEGREES,
                          primary__time=np.arange(N) * 1.3)  # fmt: skip


def nxtomo_with_its_rotation_elsewhere(folder):
    return write_datasets(folder / "x.h5", entry__definition="NXtomo", entry__instrument__orca__data=FRAMES,
                          entry__instrument__pcap__rotation=DEGREES)  # fmt: skip


def somebodys_own(folder):
    return write_datasets(folder / "x.h5", sample__projections=FRAMES, sample__angles=DEGREES, flat=FLATS, dark=DARKS)


#: a file, and the row of numbers in it that are the angles
ASKED = {
    area_detector: "::/entry/instrument/NDAttributes/SampleOmega",
    databroker: "::/primary/data/zps_pi_r",
    nxtomo_with_its_rotation_elsewhere: "::/entry/instrument/pcap/rotation",
    somebodys_own: "::/sample/angles",
}


@pytest.mark.parametrize("write", ASKED, ids=lambda write: write.__name__)
def test_what_could_be_the_angles_is_offered_and_opens_the_file(tmp_path, write):
    path = write(tmp_path)
    with pytest.raises(QuestionError, match="no angles that are known as such") as asked:
        read_scan(path)
    assert asked.value.hint == "angles"
    assert asked.value.choices == (ASKED[write], "0:180", "0:180:inclusive")
    scan = read_scan(path, angles=asked.value.choices[0])
    np.testing.assert_array_equal(scan.projections[:], FRAMES)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES, atol=1e-6)


def test_frames_called_flats_and_darks_are_offered_as_such(tmp_path):
    path = somebodys_own(tmp_path)
    told = " ".join(read_scan(path, angles="::/sample/angles").notices)
    assert "may hold calibration frames as well: pass flats='::/flat', darks='::/dark'" in told
    scan = read_scan(path, angles="::/sample/angles", flats="::/flat", darks="::/dark")
    np.testing.assert_array_equal(scan.flats[:], FLATS)
    np.testing.assert_array_equal(scan.darks[:], DARKS)
    assert "may hold calibration" not in " ".join(scan.notices)


def test_a_single_stack_that_nothing_is_known_of_may_be_a_pattern(tmp_path):
    path = write_datasets(tmp_path / "x.h5", frames=FRAMES)
    with pytest.raises(QuestionError, match=r"one stack of frames .*; technique='cdi' if it is a diffraction pattern"):
        read_scan(path)
    np.testing.assert_array_equal(read_scan(path, technique="cdi").intensity[3], FRAMES[3])


def matlab(folder, axes):
    """What MATLAB writes for an array of (angle, row, column) whose axes were permuted there."""
    stored = FRAMES.transpose(axes).T
    path = write_datasets(folder / "x.mat", proj=stored, theta=DEGREES[None])
    with h5py.File(path, "r+") as file:
        for name in ("proj", "theta"):
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    return path


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_matlab_stores_its_axes_in_reverse(tmp_path, axes):
    path = matlab(tmp_path, axes)
    with pytest.raises(QuestionError) as asked:
        read_scan(path)
    assert asked.value.choices[0] == "::/theta"
    scan = read_scan(path, angles="::/theta")
    assert any("MATLAB stores axes in reverse" in notice for notice in scan.notices)
    np.testing.assert_array_equal(scan.projections[:], FRAMES)


def test_a_pattern_of_matlab(tmp_path):
    np.testing.assert_array_equal(read_scan(matlab(tmp_path, (0, 1, 2)), technique="cdi").intensity[:], FRAMES)


def test_views_of_ptychography_are_said_to_be_complex(tmp_path):
    path = write_datasets(tmp_path / "x.h5", reconstruction__object=np.zeros((9, 8), [("real", "f4"), ("imag", "f4")]))
    with pytest.raises(FormatError, match=r"complex numbers and no real ones \(/reconstruction/object \(9, 8\)\)"):
        read_scan(path)


def test_averaged_flats_that_lie_beside_are_offered(tmp_path):
    path = write_datasets(tmp_path / "x.nx", entry__definition="NXtomo", entry__instrument__detector__data=FRAMES,
                          entry__sample__rotation_angle=DEGREES)  # fmt: skip
    write_datasets(tmp_path / "x_flats.hdf5", entry0000__flats__0=FLATS.mean(0))
    assert any("flats='x_flats.hdf5' can be passed" in notice for notice in read_scan(path).notices)
    assert len(read_scan(path, flats="x_flats.hdf5").flats) == 1
