"""Fluorescence stacks and folders, BLISS, electron microscopes, Savu, MRC, MATLAB, NumPy, folders of TIFF frames."""

from __future__ import annotations

import h5py
import mrcfile
import numpy as np
import pytest
import scipy.io
import tifffile
from beamline_files import (
    COUNTS,
    DEGREES,
    INTEGRALS,
    MAPS,
    RADIANS,
    write_bliss_tomo,
    write_cil,
    write_datasets,
    write_emd,
    write_hyperspy,
    write_pyxrf_folder,
    write_savu,
    write_velox,
    write_xrf_maps_folder,
    write_xrf_tomo,
)

from napari_pfitre.errors import FormatError, QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan, read_volume


def degrees(scan) -> np.ndarray:
    return np.rad2deg(scan.angles)


@pytest.mark.parametrize(("proj", "factor"), [(True, 1), (False, 7)])
@pytest.mark.parametrize("given", ["Fe_K", "fe", "FE-K"])
def test_an_element_of_a_fluorescence_stack(tmp_path, proj, factor, given):
    path = write_xrf_tomo(tmp_path / "tomo.h5", proj)
    scan = read_scan(path, element=given)
    np.testing.assert_array_equal(scan.projections[:], MAPS[:, 1] * np.float32(factor))
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert scan.quantity == "emission"
    assert scan.metadata["element"] == "Fe_K"
    assert any("rotation_axis='horizontal'" in notice for notice in scan.notices)


def test_the_element_is_asked_for_and_scattering_comes_last(tmp_path):
    path = write_xrf_tomo(tmp_path / "tomo.h5", elements=["compton", "Cu_K", "Fe_K"])
    for hints in ({}, {"element": "Zn"}):
        with pytest.raises(QuestionError) as caught:
            read_scan(path, **hints)
        assert (caught.value.hint, caught.value.choices) == ("element", ("Cu_K", "Fe_K", "compton"))
    with pytest.raises(FormatError, match="3 maps at each angle for 2 names"):
        read_scan(write_xrf_tomo(tmp_path / "two.h5", elements=["Cu_K", "Fe_K"]), element="Cu")


def test_older_pyxrf_stacks(tmp_path):
    path = write_datasets(tmp_path / "xrf3d.h5", element_data__Cu__data=MAPS[:, 0], element_data__Fe__data=MAPS[:, 1],
                          angle__data=DEGREES)  # fmt: skip
    scan = read_scan(path, element="Fe")
    np.testing.assert_array_equal(scan.projections[:], MAPS[:, 1])
    np.testing.assert_allclose(degrees(scan), DEGREES)


@pytest.mark.parametrize("write", [write_pyxrf_folder, write_xrf_maps_folder])
def test_a_folder_of_maps_is_one_stack_in_the_order_of_its_numbers(tmp_path, write):
    folder = write(tmp_path / "maps")
    with pytest.raises(QuestionError) as caught:
        read_scan(folder)
    assert caught.value.hint == "element"
    scan = read_scan(folder, element="Cu")
    np.testing.assert_array_equal(scan.projections[:], MAPS[:, 0])
    np.testing.assert_array_equal(scan.projections[3:5, 1:3, 2:], MAPS[3:5, 0, 1:3, 2:])
    np.testing.assert_allclose(degrees(scan), DEGREES, atol=1e-6)
    assert "20 of 4 rows" in "\n".join(inspect_file(folder, element="Cu").lines())
    with pytest.raises(FormatError, match=r"maps of one angle.*open the folder maps"):
        read_scan(next(folder.iterdir()))


def test_maps_of_different_sizes_are_filled_up_and_that_is_told(tmp_path):
    scan = read_scan(write_pyxrf_folder(tmp_path / "maps", sizes=True), element="Cu")
    assert scan.shape == (20, 4, 6)
    np.testing.assert_array_equal(scan.projections[0, :, :5], MAPS[0, 0, :, :5])
    assert not scan.projections[0, :, 5].any()
    np.testing.assert_array_equal(scan.projections[1], MAPS[1, 0])
    assert any("2 sizes" in notice for notice in scan.notices)


def test_a_map_without_the_element_is_named(tmp_path):
    folder = write_pyxrf_folder(tmp_path / "maps")
    with h5py.File(folder / "scan2D_10003.h5", "a") as file:
        del file["xrfmap/detsum/xrf_fit_name"]
        file["xrfmap/detsum/xrf_fit_name"] = [b"Cu_K", b"Zn_K", b"compton"]
    with pytest.raises(ScanError, match=r"Fe_K is not among the elements of scan2D_10003\.h5"):
        read_scan(folder, element="Fe_K")


def test_bliss_scans_are_told_apart_by_their_titles(tmp_path):
    scan = read_scan(write_bliss_tomo(tmp_path / "raw.h5"))
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert (len(scan.flats), len(scan.darks)) == (3, 2)
    assert (scan.flats[0, 0, 0], scan.darks[0, 0, 0]) == (4000, 100)
    assert scan.energy_kev == pytest.approx(19)


def test_bliss_asks_for_the_motor_and_the_scan(tmp_path):
    path = write_bliss_tomo(tmp_path / "raw.h5", ("hrsrot", "diffrz"))
    with pytest.raises(QuestionError, match=r"hrsrot, diffrz|diffrz, hrsrot") as caught:
        read_scan(path)
    assert set(caught.value.choices) == {"::/3.1/measurement/hrsrot", "::/3.1/measurement/diffrz"}
    scan = read_scan(path, angles="::/3.1/measurement/diffrz")
    np.testing.assert_allclose(degrees(scan), DEGREES)
    with h5py.File(path, "a") as file:
        file["4.1/measurement/pcolinux"] = COUNTS
        file["4.1/measurement/hrsrot"] = DEGREES
        del file["3.1/measurement/diffrz"]
    with pytest.raises(QuestionError) as caught:
        read_scan(path)
    assert (caught.value.hint, caught.value.choices) == ("entry", ("3.1", "4.1"))
    assert read_scan(path, entry="4.1").shape == COUNTS.shape


def test_bliss_without_its_frames_says_what_to_copy(tmp_path):
    path = write_bliss_tomo(tmp_path / "raw.h5")
    (tmp_path / "pco_0000.h5").unlink()
    with pytest.raises(FormatError, match="no camera frames that can be reached"):
        read_scan(path)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("unit", "name"), [("[deg]", "x"), ("", "tilt angles")])
def test_emd_finds_the_axis_of_the_tilt(tmp_path, axis, unit, name):
    scan = read_scan(write_emd(tmp_path / "tilt.emd", axis, unit, name), angle_unit=None if unit else "deg")
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert scan.pixel_size == pytest.approx((2e-9, 2e-9))


def test_emd_of_lengths_alone_is_a_volume(tmp_path):
    path = write_emd(tmp_path / "rec.emd", 0, "[n_m]", "z")
    with pytest.raises(FormatError, match="open it as a volume"):
        read_scan(path)
    np.testing.assert_array_equal(read_volume(path).data, COUNTS.astype(np.float32))


def test_velox_has_its_tilts_in_the_metadata_of_each_frame(tmp_path):
    scan = read_scan(write_velox(tmp_path / "series.emd"))
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_allclose(scan.angles, RADIANS, atol=1e-8)
    assert scan.pixel_size == pytest.approx((2e-9, 2e-9))


def test_velox_metadata_for_other_frames_than_there_are_is_left_out(tmp_path):
    """Read column by column, a million of them would take minutes."""
    path = write_velox(tmp_path / "series.emd")
    with h5py.File(path, "a") as file:
        (image,) = file["Data/Image"].values()
        del image["Metadata"]
        image.create_dataset("Metadata", (1_000_000, 1_000_000), np.uint8, chunks=(1, 1024))
    report = inspect_file(path)
    assert report.question is not None
    assert report.question.hint == "angles"
    assert any("1000000 columns where there are" in notice for notice in report.notices)


def test_hyperspy_axes_have_scales(tmp_path):
    scan = read_scan(write_hyperspy(tmp_path / "series.hspy"))
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert scan.pixel_size == pytest.approx((3e-9, 3e-9))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_savu_names_its_axes(tmp_path, axis):
    scan = read_scan(write_savu(tmp_path / "savu.nxs", axis))
    np.testing.assert_array_equal(scan.projections[:], INTEGRALS)
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert scan.quantity == "line integrals"


def test_mantid_writes_radians(tmp_path):
    with h5py.File(tmp_path / "mantid.nxs", "w") as file:
        group = file.create_group("stack/tomo_entry")
        group["definition"] = "NXtomo"
        group["instrument/detector/data"] = np.concatenate([np.full((2, 4, 6), 4000, "u2"), COUNTS])
        group["instrument/detector/image_key"] = np.repeat([1, 0], [2, 20])
        angles = group.create_dataset("sample/rotation_angle", data=np.concatenate([[0, 0], RADIANS]))
        angles.attrs["units"] = "rad"
    scan = read_scan(tmp_path / "mantid.nxs")
    np.testing.assert_allclose(scan.angles, RADIANS)
    assert len(scan.flats) == 2


def test_a_cone_beam_is_refused_by_methods_for_parallel_ones(tmp_path):
    from napari_pfitre.recipes import RECIPES

    path = write_cil(tmp_path / "cone.nxs", geometry="cone")
    scan = read_scan(path)
    assert any("cone-beam" in notice for notice in scan.notices)
    for recipe in RECIPES.values():
        if recipe.scan_type is type(scan):
            with pytest.raises(ScanError, match=r"cone beam.*beam='parallel'"):
                recipe.run(scan, device="cpu")
    assert read_scan(path, beam="parallel").metadata.get("beam") != "cone"


@pytest.mark.parametrize("suffix", [".st", ".mrc"])
@pytest.mark.parametrize("kind", ["i2", "f4", "u2", "i1"])
def test_mrc_tilt_series_with_imods_table(tmp_path, suffix, kind):
    data = (COUNTS // 20).astype(kind)
    with mrcfile.new(tmp_path / f"series{suffix}") as mrc:
        mrc.set_data(data)
        mrc.voxel_size = 25.0
    (tmp_path / "series.rawtlt").write_text("\n".join(f"{a:8.2f}" for a in DEGREES), encoding="utf-8")
    scan = read_scan(tmp_path / f"series{suffix}", quantity="transmission")
    np.testing.assert_array_equal(scan.projections[:], data)
    np.testing.assert_array_equal(scan.projections[3:7, 1:3, ::2], data[3:7, 1:3, ::2])
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert scan.pixel_size == pytest.approx((2.5e-9, 2.5e-9))


def test_mrc_without_angles_asks_and_a_volume_is_a_volume(tmp_path):
    with mrcfile.new(tmp_path / "series.st") as mrc:
        mrc.set_data(COUNTS)
    with pytest.raises(QuestionError) as caught:
        read_scan(tmp_path / "series.st")
    assert caught.value.hint == "angles"
    with mrcfile.new(tmp_path / "volume.mrc") as mrc:
        mrc.set_data(INTEGRALS)
        mrc.set_volume()
    with pytest.raises(FormatError, match="open it as a volume"):
        read_scan(tmp_path / "volume.mrc")
    assert inspect_file(tmp_path / "volume.mrc").volume is not None
    np.testing.assert_array_equal(read_volume(tmp_path / "volume.mrc").data, INTEGRALS)


@pytest.mark.parametrize("damage", ["cut", "shape", "mode", "map"])
def test_a_damaged_mrc_gives_a_sentence(tmp_path, damage):
    path = tmp_path / "series.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(COUNTS)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-7]
    elif damage == "shape":
        data[8:12] = b"\xff\xff\xff\x7f"
    elif damage == "mode":
        data[12:16] = b"\x04\0\0\0"
    else:
        data[208:216] = b"no map!!"
    path.write_bytes(data)
    with pytest.raises((FormatError, QuestionError)) as caught:
        read_scan(path)
    assert "series.mrc" in str(caught.value)


def test_matlab_arrays_of_htc_and_tomobar(tmp_path):
    path = tmp_path / "scan.mat"
    scipy.io.savemat(path, {"proj": np.moveaxis(INTEGRALS, 0, 2), "angles_deg": DEGREES, "note": "x"})
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections[:], INTEGRALS)
    np.testing.assert_allclose(degrees(scan), DEGREES)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises((FormatError, QuestionError), match=r"scan\.mat"):
        read_scan(path).projections[0]


def test_numpy_archives_with_angles(tmp_path):
    path = tmp_path / "scan.npz"
    np.savez_compressed(path, prj=INTEGRALS, theta=RADIANS, extra=INTEGRALS[:, 0])
    scan = read_scan(path, angle_unit="rad")
    np.testing.assert_array_equal(scan.projections[:], INTEGRALS)
    np.testing.assert_allclose(scan.angles, RADIANS)
    np.savez(path, a=INTEGRALS, b=INTEGRALS, theta=DEGREES)
    with pytest.raises(QuestionError) as caught:
        read_scan(path)
    assert caught.value.choices == ("a", "b")
    np.testing.assert_array_equal(read_scan(path, dataset="b").projections[:], INTEGRALS)


@pytest.fixture
def frames(tmp_path):
    """A folder of TIFF frames with flats, darks and a table."""
    folder = tmp_path / "scan_7"
    folder.mkdir()
    for at, frame in enumerate(COUNTS, 1):
        tifffile.imwrite(folder / f"scan_{at}.tif", frame)
    for at in range(3):
        tifffile.imwrite(folder / f"flat_{at}.tif", np.full((4, 6), 4000, np.uint16))
    tifffile.imwrite(folder / "dark_0.tif", np.full((4, 6), 100, np.uint16))
    (folder / "angles.txt").write_text("\n".join(f"{a}" for a in DEGREES), encoding="utf-8")
    return folder


def test_a_folder_of_tiff_frames_is_one_stack(frames):
    scan = read_scan(frames)
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_array_equal(scan.projections[8:12, 1, :], COUNTS[8:12, 1, :])
    np.testing.assert_allclose(degrees(scan), DEGREES)
    assert (len(scan.flats), len(scan.darks)) == (3, 1)
    assert any("by their names" in notice for notice in scan.notices)
    assert "a folder of TIFF frames" in inspect_file(frames).lines()[0]


def test_a_folder_without_angles_asks_and_folders_in_it_are_sorted(tmp_path, frames):
    (frames / "angles.txt").unlink()
    with pytest.raises(QuestionError) as caught:
        read_scan(frames)
    assert caught.value.hint == "angles"
    for kind, names in (("Projections", "scan_*"), ("Flat_Before", "flat_*"), ("Dark", "dark_*")):
        (frames / kind).mkdir()
        for file in frames.glob(f"{names}.tif"):
            file.rename(frames / kind / file.name)
    scan = read_scan(frames, angles="0:180")
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    assert (len(scan.flats), len(scan.darks)) == (3, 1)


def test_frames_of_another_size_are_told(frames):
    tifffile.imwrite(frames / "scan_20.tif", COUNTS[0, :2])
    with pytest.raises(FormatError, match=r"scan_1\.tif is .* and scan_20\.tif"):
        read_scan(frames)
    tifffile.imwrite(frames / "scan_20.tif", COUNTS[19])
    tifffile.imwrite(frames / "scan_9.tif", COUNTS[0, :2])
    scan = read_scan(frames)
    with pytest.raises(FormatError, match=r"scan_9\.tif is smaller.*exclude=8"):
        scan.projections[8]
    assert read_scan(frames, exclude="8").projections[:].shape == (19, 4, 6)
