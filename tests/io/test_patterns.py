"""Diffraction patterns in: every layout read as it is, and what is not told is asked."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile
from pattern_files import SHAPE, counts, write_34idc, write_bliss, write_cohere, write_cxi, write_eiger

from napari_pfitre.diffractometer import located
from napari_pfitre.errors import FormatError, OptionError, PfitreError, QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan, read_volume
from napari_pfitre.io.cohere import configuration
from napari_pfitre.io.spec import read_spec, rocking
from napari_pfitre.preprocess import PrepareOptions, prepare_pattern, ready
from napari_pfitre.scans import CdiScan, TomoScan

DATA = counts()


# -- APS 34-ID-C


def test_scan_54_from_its_raw_frames(real_file):
    """The check case: voxels of 15.1 × 5.01 × 5.04 nm, d near that of gold 111."""
    folder = real_file("cdi/34idc_scan54/example_data/AD34idcTIM2_example/Staff20-1a_S0054")
    scan = read_scan(folder)
    assert (scan.shape, scan.energy_kev, scan.distance) == ((201, 256, 256), 9.0, 0.5)
    assert np.rad2deg(scan.rocking_step) == pytest.approx(0.005)
    assert scan.geometry.spacing == pytest.approx(2.3348e-10, rel=1e-4)
    sizes = np.linalg.norm(scan.geometry.voxels(scan.shape), axis=1) * 1e9
    np.testing.assert_allclose(sizes * scan.shape, (3038.1, 1283.4, 1290.6), atol=0.1)
    assert int(scan.intensity[99, 126, 127]) == 165297
    assert scan.flat.shape == scan.dark.shape == (256, 256)
    assert any("example.spec" in notice for notice in scan.notices)


def test_a_raw_folder_as_34idc_writes_it(tmp_path):
    scan = read_scan(write_34idc(tmp_path, DATA, region=(100, 120)))
    np.testing.assert_array_equal(scan.intensity[:], DATA)
    np.testing.assert_array_equal(scan.intensity[3:5, 2:4, 7], DATA[3:5, 2:4, 7])
    white = tifffile.imread(tmp_path / "whitefield.tif")
    np.testing.assert_array_equal(scan.flat, white[100:124, 120:148])
    assert np.argwhere(scan.dark > 1).tolist() == [[2, 3]]
    assert scan.mask is None or not scan.mask.any()


def test_where_the_region_crosses_the_seam_of_the_chips_pixels_stand_where_they_were(tmp_path):
    scan = read_scan(write_34idc(tmp_path, DATA, region=(246, 250)))
    assert scan.shape == (20, 24 + 5, 28 + 4)
    seen = scan.intensity[:]
    np.testing.assert_array_equal(seen[:, :10, :6], DATA[:, :10, :6])
    np.testing.assert_array_equal(seen[:, 15:, 10:], DATA[:, 10:, 6:])
    assert scan.mask[10:15].all()
    assert scan.mask[:, 6:10].all()
    assert scan.flat.shape == scan.shape[1:]


def test_without_spec_there_is_no_geometry_and_it_is_said(tmp_path):
    folder = write_34idc(tmp_path, DATA, spec=False)
    (tmp_path / "whitefield.tif").unlink()
    (tmp_path / "dark.tif").unlink()
    scan = read_scan(folder)
    assert scan.geometry is None
    assert scan.energy_kev is None
    assert any("no SPEC file with scan 54" in notice and "spec=" in notice for notice in scan.notices)


def test_a_frame_that_is_missing_is_named(tmp_path):
    folder = write_34idc(tmp_path, DATA)
    (folder / "Sample_S0054_00007.tif").unlink()
    with pytest.raises(ScanError, match="frame 7 of 20 is missing"):
        read_scan(folder)


def test_spec_files(tmp_path):
    write_34idc(tmp_path, DATA)
    scan = read_spec(tmp_path / "log.spec", 54)
    assert (scan.motors["Gamma"], scan.motors["camdist"], scan.motors["Energy"]) == (12.6346, 500, 9)
    assert scan.column("theta")[:3] == [0, 0.005, 0.01]
    assert read_spec(tmp_path / "log.spec", 55) is None
    assert rocking(scan.command) == ("th", -0.3, 0.7, 19)
    assert rocking("loopscan 10 1") is None


# -- CXI


def test_cxi_as_pynx_reads_it(tmp_path):
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :, 3] = 1
    scan = read_scan(write_cxi(tmp_path / "in.cxi", DATA.astype(np.float32), mask))
    np.testing.assert_array_equal(scan.intensity[:], DATA)
    np.testing.assert_array_equal(scan.mask, mask == 1)
    assert scan.energy_kev == pytest.approx(9.0)
    assert scan.pixel_size == pytest.approx((5.6e-5, 5.5e-5))
    assert scan.distance == pytest.approx(1.2)


def test_bits_of_a_cxi_mask_that_mean_signal_do_not_hide_it(tmp_path):
    mask = np.full(SHAPE, 0x1000, np.uint32)
    mask[0, 0, 0] = 0x1008
    scan = read_scan(write_cxi(tmp_path / "in.cxi", DATA, mask))
    assert scan.mask.sum() == 1
    assert scan.mask[0, 0, 0]


def test_a_mask_of_most_pixels_is_asked_about(tmp_path):
    mask = np.ones(SHAPE, np.uint8)
    mask[:, :, 3] = 0
    path = write_cxi(tmp_path / "in.cxi", DATA, mask)
    with pytest.raises(QuestionError, match=r"marks 96 %.*mask_means=") as asked:
        read_scan(path)
    assert (asked.value.hint, asked.value.choices) == ("mask_means", ("bad", "good"))
    np.testing.assert_array_equal(read_scan(path, mask_means="good").mask, mask == 0)


def test_cxi_amplitudes_are_squared(tmp_path):
    path = tmp_path / "image.cxi"
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/image_1/data"] = np.sqrt(DATA).astype(np.float32)
        file["entry_1/image_1/data_type"] = "amplitude"
        file["entry_1/image_1/data_space"] = "diffraction"
    scan = read_scan(path)
    np.testing.assert_allclose(scan.intensity, DATA, rtol=1e-5)
    assert any("squared" in notice for notice in scan.notices)


def _image(path, data, shifted):
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/image_1/data"] = data
        file["entry_1/image_1/data_type"] = "intensity"
        file["entry_1/image_1/data_space"] = "diffraction"
        file["entry_1/image_1/is_fft_shifted"] = shifted
    return path


def test_cxi_that_is_shifted_as_it_says_is_put_right(tmp_path):
    scan = read_scan(_image(tmp_path / "image.cxi", np.fft.ifftshift(DATA), 1))
    np.testing.assert_array_equal(scan.intensity[:], DATA)
    assert any("moved to the middle (fftshift)" in notice for notice in scan.notices)


def test_cxi_that_says_it_is_shifted_and_is_not_stays_as_it_is(tmp_path):
    scan = read_scan(_image(tmp_path / "image.cxi", DATA, 1))
    np.testing.assert_array_equal(scan.intensity[:], DATA)
    assert any("calls its pattern FFT-shifted, but" in notice for notice in scan.notices)


def test_cxi_that_says_it_is_not_shifted_and_is_asks(tmp_path):
    path = _image(tmp_path / "image.cxi", np.fft.ifftshift(DATA), 0)
    with pytest.raises(QuestionError, match=r"strongest values .* are at the corners") as asked:
        read_scan(path)
    assert (asked.value.hint, asked.value.choices) == ("peak", ("corner", "centre"))


def test_several_entries_are_asked_about(tmp_path):
    path = write_cxi(tmp_path / "in.cxi", DATA, **{"entry_2/instrument_1/detector_1/data": DATA[::-1]})
    with pytest.raises(QuestionError) as asked:
        read_scan(path)
    assert asked.value.choices == ("entry_1", "entry_2")
    np.testing.assert_array_equal(read_scan(path, entry="entry_2").intensity[0], DATA[-1])


def test_frames_of_ptychography_open_to_be_looked_at(real_file):
    path = real_file("cdi/PETRAIII_P25_Near_Field_Ptycho.cxi")
    scan = read_scan(path)
    assert scan.shape == (200, 100, 100)
    assert scan.energy_kev == pytest.approx(12.658, abs=1e-3)
    assert scan.mask.mean() == pytest.approx(0.0005)
    np.testing.assert_allclose(scan.positions[0], [3.8399612e-05, 5.3400032e-05])  # against the sample's (x, y)
    assert "200 places of a sample (ptychography)" in " ".join(scan.notices)
    assert read_scan(path, exclude="0:150").positions.shape == (50, 2)
    with pytest.raises(ScanError, match="ptychography"):
        prepare_pattern(scan)
    rocking = read_scan(path, technique="cdi")
    assert rocking.positions is None
    np.testing.assert_array_equal(rocking.intensity[7], scan.intensity[7])


def test_one_place_for_all_frames_of_cxi_is_no_ptychography(tmp_path):
    path = write_cxi(tmp_path / "in.cxi", DATA, **{"entry_1/sample_1/geometry_1/translation": np.ones((len(DATA), 3))})
    assert read_scan(path).positions is None


def test_cxi_of_one_frame(real_file):
    with pytest.raises(ScanError, match="one frame of 50 × 100"):
        read_scan(real_file("cdi/minimal.cxi"))


# -- Eiger and BLISS


def test_an_eiger_master_with_its_data_files(tmp_path):
    scan = read_scan(write_eiger(tmp_path, DATA))
    assert scan.shape == SHAPE
    assert scan.intensity.dtype == np.uint32
    seen = scan.intensity[6:11]  # across two files
    np.testing.assert_array_equal(np.delete(seen, 5, axis=2), np.delete(DATA[6:11], 5, axis=2))
    assert scan.mask[:, 5].all()
    assert scan.mask[3, 4]
    assert scan.mask.sum() == SHAPE[1] + 1
    assert (scan.energy_kev, scan.distance, scan.pixel_size) == (8.994, 1.8, (7.5e-5, 7.5e-5))


def test_a_data_file_alone(tmp_path):
    write_eiger(tmp_path, DATA)
    scan = read_scan(tmp_path / "scan_data_000001.h5")
    assert scan.shape == (8, *SHAPE[1:])
    assert scan.energy_kev is None
    assert scan.mask[:, 5].all()


def test_a_master_without_its_data_files_names_them(tmp_path):
    master = write_eiger(tmp_path, DATA)
    (tmp_path / "scan_data_000002.h5").unlink()
    with pytest.raises(FormatError, match=r"master of 3 data files, of which 1 is not beside it: scan_data_000002\.h5"):
        read_scan(master)


def test_an_eiger_file_with_angles_is_projections(tmp_path):
    master = write_eiger(tmp_path, DATA, per_file=20)
    scan = read_scan(master, dataset="/entry/data/data_000001", angles="0:180", quantity="counts")
    assert isinstance(scan, TomoScan)


def test_id01_and_its_geometry_at_the_peak(tmp_path):
    scan = read_scan(write_bliss(tmp_path, DATA))
    assert isinstance(scan, CdiScan)
    assert scan.shape == SHAPE
    assert scan.name == "sample 2.1"
    assert np.rad2deg(scan.rocking_step) == pytest.approx(1 / 19)
    made = prepare_pattern(scan)
    # with the direct beam on that column, the peak's angles are nu = 4° and a little less than delta = 35.2°
    further = np.arctan((300 - 12) * 5.5e-5 / 0.95)
    k = 2 * np.pi / 1.377602204e-10
    two_theta = np.arccos(np.cos(np.deg2rad(35.2) + further) * np.cos(np.deg2rad(4.0)))
    assert 2 * np.pi / made.geometry.spacing == pytest.approx(2 * k * np.sin(two_theta / 2), rel=1e-3)
    assert "diffractometer" not in made.metadata
    assert located(made, (0, 0, 0)) is made.geometry


def test_of_several_scans_one_is_asked_for(tmp_path):
    master = write_bliss(tmp_path, DATA)
    with h5py.File(master, "r+") as file:
        file["1.1/measurement/mpx1x4"] = h5py.ExternalLink(
            "scan0002/mpx1x4_0000.h5", "/entry_0000/instrument/mpx1x4/data"
        )
    with pytest.raises(QuestionError, match=r"2 scans with frames: 1\.1 \(ascan eta") as asked:
        read_scan(master)
    assert asked.value.hint == "entry"
    assert read_scan(master, entry="2.1").name == read_scan(master, entry="2").name == "sample 2.1"


def test_frames_that_were_left_at_the_beamline(tmp_path):
    master = write_bliss(tmp_path, DATA)
    (tmp_path / "scan0002" / "mpx1x4_0000.h5").unlink()
    with pytest.raises(PfitreError, match=r"mpx1x4_0000\.h5"):
        read_scan(master)


# -- cohere, arrays


@pytest.mark.parametrize("stage", ["preprocessed_data", "phasing_data"])
def test_cohere(tmp_path, stage):
    scan = read_scan(write_cohere(tmp_path / "scan_54", DATA, stage))
    np.testing.assert_allclose(scan.intensity[:], DATA, rtol=1e-5)
    assert scan.metadata["cohere"]["roi"] == [0, 4]


def test_cohere_leads_to_the_raw_frames(tmp_path):
    write_34idc(tmp_path / "example_data", DATA)
    conf = tmp_path / "work" / "scan_54" / "conf"
    conf.mkdir(parents=True)
    (conf / "config").write_text('scan = "54"\nbeamline = "aps_34idc"\n')
    (conf / "config_prep").write_text(
        'data_dir = "/elsewhere/example_data/AD34idc"\nwhitefield_filename = "/elsewhere/example_data/whitefield.tif"\n'
    )
    scan = read_scan(conf.parent)
    np.testing.assert_array_equal(scan.intensity[:], DATA)
    assert scan.flat is not None
    assert scan.geometry is not None


def test_real_cohere_folders_have_settings_and_no_data(real_file):
    folder = real_file("cdi/cohere_experiment/example_workspace/scan_54")
    settings = configuration(folder / "conf")
    assert (settings["scan"], settings["beamline"], settings["intensity_threshold"]) == ("54", "aps_34idc", 2)
    with pytest.raises(FormatError, match="settings of cohere and no data"):
        read_scan(folder)


def test_real_counts_of_an_npz(real_file):
    scan = read_scan(real_file("cdi/34idc_S0054_crop_64x96x96.npz"))
    assert isinstance(scan, CdiScan)
    assert scan.shape == (64, 96, 96)


def test_arrays_of_bcdi_with_the_mask_beside(tmp_path):
    mask = np.zeros(SHAPE, np.uint8)
    mask[2] = 1
    np.savez(tmp_path / "S11_pynx_norm_20_24_28.npz", data=DATA.astype(np.float32) * 0.31)
    np.savez(tmp_path / "S11_maskpynx_norm_20_24_28.npz", mask=mask)
    (tmp_path / "S11_maskpynx_norm_20_24_28.npz").rename(tmp_path / "S11_maskpynx_20_24_28.npz")
    scan = read_scan(tmp_path / "S11_pynx_norm_20_24_28.npz")
    assert scan.mask.sum() == mask.sum()


def test_names_that_tell_amplitudes(tmp_path):
    np.save(tmp_path / "ft_crop_64.npy", (np.sqrt(DATA) / np.sqrt(DATA).max()).astype(np.float32))
    scan = read_scan(tmp_path / "ft_crop_64.npy")
    np.testing.assert_allclose(scan.intensity, DATA / DATA.max(), rtol=1e-4)


def test_values_that_could_be_either_are_asked_about(tmp_path):
    np.savez(tmp_path / "scan.npz", data=(DATA * 0.37).astype(np.float32))
    with pytest.raises(QuestionError, match=r"intensity, or its square root.*values=") as asked:
        read_scan(tmp_path / "scan.npz")
    assert asked.value.hint == "values"
    np.testing.assert_allclose(read_scan(tmp_path / "scan.npz", values="intensity").intensity, DATA * 0.37, rtol=1e-6)
    np.testing.assert_allclose(
        read_scan(tmp_path / "scan.npz", values="amplitude").intensity, (DATA * 0.37) ** 2, rtol=1e-5
    )


def test_axes_as_they_are_named(tmp_path):
    np.savez(tmp_path / "scan.npz", data=DATA.transpose(2, 1, 0))
    scan = read_scan(tmp_path / "scan.npz", axis_order="column,row,frame")
    np.testing.assert_array_equal(scan.intensity, DATA)


def test_a_tiff_stack_when_it_is_called_a_pattern(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", DATA)
    scan = read_scan(tmp_path / "scan.tif", technique="cdi")
    np.testing.assert_array_equal(scan.intensity[:], DATA)


def test_a_mask_from_elsewhere_and_frames_left_out(tmp_path):
    np.savez(tmp_path / "scan.npz", data=DATA)
    mask = np.zeros(SHAPE[1:], np.uint8)
    mask[:2] = 1
    np.save(tmp_path / "bad.npy", mask)
    scan = read_scan(tmp_path / "scan.npz", mask="bad.npy", exclude="3,5:7")
    assert scan.mask[:, :2].all()
    assert scan.mask[[3, 5, 6]].all()
    assert not scan.mask[4, 2:].any()


def test_info_says_what_a_pattern_is(tmp_path):
    said = "\n".join(inspect_file(write_34idc(tmp_path, DATA)).lines())
    assert "APS 34-ID-C" in said
    assert "20 frames of 24 rows × 28 columns" in said
    assert "0.05263°" in said


# -- what a person gets wrong


def _unmasked(folder, data, **changes):
    path = folder / "scan.npz"
    np.savez(path, data=data, **changes)
    return path


def _nan(folder):
    data = DATA.astype(np.float32)
    data[:] = np.nan
    return _unmasked(folder, data)


def _result(folder):
    with h5py.File(folder / "result.cxi", "w") as file:
        file["cxi_version"] = 150
        file["entry_1/image_1/data"] = (DATA * np.exp(1j * DATA)).astype(np.complex64)
        file["entry_1/image_1/support"] = (DATA > 3).astype(np.uint8)
        file["entry_1/image_1/data_space"] = "real"
    return folder / "result.cxi"


def _bcdi_result(folder):
    np.savez(folder / "S11_ampphasestrain.npz", amp=DATA, phase=DATA, strain=DATA)
    return folder / "S11_ampphasestrain.npz"


BAD = {
    "a 2-D file": (lambda f: _unmasked(f, DATA[0]), {}, r"holds 24 × 28 values, which is no pattern in three dim"),
    "no peak": (lambda f: _unmasked(f, np.random.default_rng(0).poisson(5, SHAPE)), {}, "has no peak: .* check that"),
    "all masked": (
        lambda f: _unmasked(f, DATA, mask=np.ones(SHAPE, np.uint8)),
        {"mask_means": "bad"},
        "every value of scan is masked or not a number; check the mask and what it marks",
    ),
    "amplitude called intensity": (
        lambda f: _unmasked(f, np.sqrt(DATA).astype(np.float32)),
        {"values": "intensity"},
        r"these are amplitudes, square roots of counts; read it with values='amplitude'",
    ),
    "NaN everywhere": (_nan, {}, "every value of scan is masked or not a number"),
    "an FFT that was not shifted": (
        lambda f: _unmasked(f, np.fft.ifftshift(DATA)),
        {},
        r"strongest values of scan.npz are at the corners.*pass peak=",
    ),
    "a peak at the border": (
        lambda f: _unmasked(f, counts(at=(0, 12, 14))),
        {},
        "the peak of scan is at frame 0 of 20, at the border: half of the pattern was not measured",
    ),
    "a result as data": (_result, {}, "a CXI result: open it as a volume"),
    "a result of bcdi": (_bcdi_result, {}, "the result of an inversion, not a pattern"),
    "complex": (lambda f: _unmasked(f, DATA.astype(complex)), {}, "holds complex numbers"),
    "a mask as data": (
        lambda f: (np.savez(f / "S11_mask.npz", data=DATA), f / "S11_mask.npz")[1],
        {},
        "is a mask by its name; open the pattern, and name this file with mask=",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_that_helps(tmp_path, case):
    build, hints, said = BAD[case]
    with pytest.raises(PfitreError, match=said) as caught:
        prepare_pattern(read_scan(build(tmp_path), **hints))
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_unshifted_fft_is_put_right_when_told(tmp_path):
    path = _unmasked(tmp_path, np.fft.ifftshift(DATA))
    np.testing.assert_array_equal(read_scan(path, peak="corner").intensity, DATA)


def test_single_nans_count_as_not_measured(tmp_path):
    data = DATA.astype(np.float32)
    data[10, 12, 16] = np.nan
    made = prepare_pattern(read_scan(_unmasked(tmp_path, data)))
    assert made.mask.sum() == 1
    assert np.isfinite(made.intensity).all()
    assert any("1 values that are no numbers" in notice for notice in made.notices)


def test_a_result_is_read_as_a_volume(tmp_path):
    volume = read_volume(_result(tmp_path))
    np.testing.assert_allclose(volume.data, DATA, rtol=1e-5)
    np.testing.assert_array_equal(volume.layers["support"], DATA > 3)
    assert inspect_file(tmp_path / "result.cxi").usable


def test_options_of_projections_do_not_prepare_a_pattern(tmp_path):
    scan = read_scan(_unmasked(tmp_path, DATA))
    with pytest.raises(OptionError, match="CdiScan is prepared with CdiPrepareOptions, not PrepareOptions"):
        ready(scan, PrepareOptions())
    assert ready(scan).history[-1] == prepare_pattern(scan).history[-1]
