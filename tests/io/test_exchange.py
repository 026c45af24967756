"""Data Exchange as its many writers write it: what is missing, misnamed or contradictory is asked, or told."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
from beamline_files import COUNTS, DEGREES, write_exchange

from napari_pfitre.errors import QuestionError, ScanError
from napari_pfitre.io import inspect_file, read_scan


def add(path, **datasets):
    with h5py.File(path, "a") as file:
        for name, value in datasets.items():
            name = name.replace("__", "/")
            if name in file:
                del file[name]
            file[name] = value
    return path


def test_a_plain_scan(exchange):
    scan = read_scan(exchange())
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES)
    assert (len(scan.flats), len(scan.darks), scan.quantity) == (3, 2, "counts")
    assert scan.notices == ()
    assert scan.axis_order == ("angle", "row", "column")


#: what is wrong: changes to the file, hint of the question, words of the sentence
QUESTIONS = {
    "no angles": ({"theta": None}, "angles", "20 projections .*no angles.*0:180:inclusive"),
    "one angle too many": ({"theta": np.arange(21.0) * 9}, "drop", "21 angles .* for 20 projections"),
    "two angles too few": ({"theta": np.arange(18.0) * 10}, "drop", "18 angles .* for 20 projections"),
    "far too many angles": ({"theta": np.arange(31.0) * 6}, "angles", "31 angles .* for 20 projections"),
    "radians or degrees": ({"theta": np.linspace(0, 3.1, 20), "unit": None}, "angle_unit", "0 to 3.1 could be"),
    "a small wedge": ({"theta": np.linspace(-3, 3, 20), "unit": None}, "angle_unit", "-3 to 3 could be"),
    "turns or thousandths": ({"theta": np.linspace(0, 3600, 20), "unit": None}, "angle_unit", "10 turns.*thousandths"),
    "radians in degrees": ({"theta": np.linspace(0, 18000, 20), "unit": "rad"}, "angle_unit", "says radians"),
    "two axes fit": (
        {"data": np.ones((20, 20, 6), np.uint16), "flats": None, "darks": None},
        "axis_order",
        "2 axes .* as there are angles",
    ),
    "several turns": (
        {"data": np.ones((40, 4, 6), np.uint16), "flats": None, "darks": None},
        "index",
        "40 projections for 20 angles: 2 turns",
    ),
    "energies": (
        {"data": np.ones((20, 3, 4, 6), np.uint16), "flats": None, "darks": None},
        "index",
        "3 elements, energies or channels",
    ),
    "transmission or not": (
        {"data": np.random.default_rng(1).uniform(0, 1, (20, 4, 6)), "flats": None, "darks": None},
        "quantity",
        "transmission, line integrals, emission or counts",
    ),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_what_is_open_is_asked(exchange, case):
    changes, hint, said = QUESTIONS[case]
    path = exchange(**changes)
    with pytest.raises(QuestionError, match=said) as caught:
        read_scan(path)
    assert caught.value.hint == hint
    report = inspect_file(path)
    assert report.question.hint == hint
    assert any(line.startswith("  question") for line in report.lines())
    for choice in caught.value.choices[:2]:
        answer = int(choice) if hint == "index" else choice
        answered = inspect_file(path, **{hint: answer})
        # an answer may raise the next question, never the same again
        assert answered.usable or (answered.question is not None and answered.question.hint != hint)


REFUSED = {
    "angles that are not numbers": ({"theta": np.where(np.arange(20) == 4, np.nan, DEGREES)}, r"1 of 20 .*index 4"),
    "all angles equal": ({"theta": np.zeros(20)}, "all 20 angles .* are 0°"),
    "two projections": (
        {"data": COUNTS[:2], "theta": DEGREES[:2], "flats": None, "darks": None},
        "2 projections: that is not a tomography scan",
    ),
    "flats of another size": ({"flats": np.ones((3, 5, 6))}, "flats of scan.h5 are 5 rows × 6 columns .* 4 × 6"),
    "darks of another size": ({"darks": np.ones((3, 4, 7))}, "darks of scan.h5 are 4 rows × 7 columns .* 4 × 6"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(exchange, case):
    changes, said = REFUSED[case]
    with pytest.raises(ScanError, match=said):
        read_scan(exchange(**changes))


NOTICED = {
    "no unit, but degrees": ({"unit": None}, "can only be degrees"),
    "degrees that look like radians": ({"theta": np.linspace(0, 3, 20)}, "say degrees and run only from 0 to 3"),
    "a full turn": ({"theta": np.arange(20) * 18.0}, "cover 342°"),
    "repeated angles": ({"theta": np.tile(np.arange(10) * 18.0, 2)}, "10 of 20 angles repeat"),
    "few projections": (
        {"data": COUNTS[:5], "theta": DEGREES[:5], "flats": 2},
        "only 5 projections: hardly a tomography scan",
    ),
    "no flats": ({"flats": None}, "there are no flats"),
    "no darks": ({"darks": None}, "there are no darks"),
    "flats of zeros": ({"flats": np.zeros((1, 4, 6))}, "placeholder"),
    "thousandths of a degree": ({"theta": DEGREES * 1000, "unit": None}, "thousandths of a degree"),
    "below zero": (
        {"data": COUNTS.astype("f4") / 1000 - 2, "flats": None, "darks": None},
        "taken as line integrals",
    ),
    "fluorescence": (
        {"data": np.maximum(COUNTS.astype("f4") - 2000, 0), "flats": None, "darks": None},
        "taken as emission",
    ),
    "sinograms": (
        {"data": COUNTS.transpose(1, 0, 2), "flats": None, "darks": None},
        "axis 1 .* read as row, angle, column",
    ),
    "axes that lie": (
        {"data": COUNTS.transpose(1, 0, 2), "axes": "theta:y:x", "flats": None, "darks": None},
        "only axis 1 has as many",
    ),
}


@pytest.mark.parametrize("case", NOTICED)
def test_what_was_inferred_is_told(exchange, case):
    changes, said = NOTICED[case]
    scan = read_scan(exchange(**changes))
    assert any(re.search(said, notice) for notice in scan.notices), scan.notices


@pytest.mark.parametrize("unit", ["degrees", "degree", "deg", b"deg", "Degrees", np.array([b"degrees"])])
def test_spellings_of_degrees(exchange, unit):
    path = exchange(unit=None)
    with h5py.File(path, "a") as file:
        file["exchange/theta"].attrs["units"] = unit
    np.testing.assert_allclose(np.rad2deg(read_scan(path).angles), DEGREES)


@pytest.mark.parametrize(("unit", "factor"), [("rad", np.pi / 180), ("radian", np.pi / 180), ("mdeg", 1000)])
def test_other_units(exchange, unit, factor):
    scan = read_scan(exchange(theta=DEGREES * factor, unit=unit))
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES, atol=1e-9)


def test_the_user_overrules_the_file(exchange):
    scan = read_scan(
        exchange(theta=np.linspace(0, 3, 20)), angle_unit="rad", centre=2.5, pixel_size=1e-6, energy_kev=9.0
    )
    np.testing.assert_allclose(scan.angles, np.linspace(0, 3, 20))
    assert (scan.centre, scan.pixel_size, scan.energy_kev) == (2.5, (1e-6, 1e-6), 9.0)


@pytest.mark.parametrize(("drop", "kept"), [("last", slice(None, 20)), ("first", slice(1, None))])
def test_surplus_angles_are_dropped_where_the_user_says(exchange, drop, kept):
    theta = np.arange(21) * 8.0
    scan = read_scan(exchange(theta=theta), drop=drop)
    np.testing.assert_allclose(np.rad2deg(scan.angles), theta[kept])
    assert any("had no partner" in notice for notice in scan.notices)


@pytest.mark.parametrize(("drop", "kept"), [("last", slice(None, 18)), ("first", slice(2, None))])
def test_projections_without_angle_are_dropped_where_the_user_says(exchange, drop, kept):
    scan = read_scan(exchange(theta=np.arange(18) * 10.0), drop=drop)
    np.testing.assert_array_equal(scan.projections[:], COUNTS[kept])


def test_one_turn_of_several(exchange):
    data = np.arange(40, dtype=np.uint16)[:, None, None] + np.ones((40, 4, 6), np.uint16)
    scan = read_scan(exchange(data=data, flats=2), index=1)
    np.testing.assert_array_equal(scan.projections[:, 0, 0], np.arange(21, 41))


def test_one_energy_of_several(exchange):
    data = np.arange(20 * 3 * 4 * 6, dtype=np.uint16).reshape(20, 3, 4, 6)
    scan = read_scan(exchange(data=data, flats=None, darks=None), index=2)
    np.testing.assert_array_equal(scan.projections[:], data[:, 2])


def test_sinogram_order_turns_flats_too(exchange):
    path = exchange(data=COUNTS.transpose(1, 0, 2), axes="y:theta:x", flats=np.full((4, 3, 6), 4000), darks=None)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections[:], COUNTS)
    assert scan.axis_order == ("row", "angle", "column")
    assert scan.flats.shape == (3, 4, 6)


def test_flats_before_and_after_know_their_place(exchange):
    path = exchange(flats=None)
    add(path, exchange__data_white_pre=np.full((2, 4, 6), 10), exchange__data_white_post=np.full((3, 4, 6), 20))
    scan = read_scan(path)
    assert scan.flat_positions.tolist() == [0, 0, 20, 20, 20]
    np.testing.assert_array_equal(scan.flats[:, 0, 0], [10, 10, 20, 20, 20])
    np.testing.assert_array_equal(scan.flats[1:4, 1:2, ::2][:, 0, 0], [10, 20, 20])


def test_flats_stated_as_one_number(exchange):
    path = add(exchange(flats=None, darks=None), process__acquisition__flat_fields__flat_field_value=[5000.0])
    scan = read_scan(path)
    assert np.unique(scan.flats[:]).tolist() == [5000.0]
    assert any("5000 in every pixel" in notice for notice in scan.notices)


def test_planned_rotation_stands_in_for_theta_only_if_it_fits(exchange):
    plan = "process__acquisition__rotation__"
    path = add(
        exchange(theta=None),
        **{f"{plan}rotation_start": [5.0], f"{plan}rotation_step": [2.0], f"{plan}num_angles": [20]},
    )
    scan = read_scan(path)
    np.testing.assert_allclose(np.rad2deg(scan.angles), 5 + 2 * np.arange(20))
    assert any("planned rotation" in notice for notice in scan.notices)
    add(path, **{f"{plan}num_angles": [30]})
    with pytest.raises(QuestionError, match="no angles"):
        read_scan(path)


@pytest.mark.parametrize(
    ("name", "value", "unit", "metres"),
    [
        ("detection_system/objective/resolution", 1.5, None, 1.5e-6),
        ("detection_system/objective/resolution", 0.00065, None, 6.5e-7),
        ("detection_system/objective/resolution", 20, "nm", 20e-9),
        ("detection_system/objective/resolution", 1.0, "m", None),
        ("detection_system/objective/resolution", 0.0, None, None),
        ("detection_system/objective/resolution", -3.0, "um", None),
        ("detector/pixel_size", b"38.2nm", None, 38.2e-9),
        ("detector/pixel_size_x", [[5.0]], "micron", 5e-6),
    ],
)
def test_pixel_sizes(exchange, name, value, unit, metres):
    path = add(exchange(), **{"measurement/instrument/" + name: value})
    if unit:
        with h5py.File(path, "a") as file:
            file["measurement/instrument/" + name].attrs["units"] = unit
    assert read_scan(path).pixel_size == (None if metres is None else pytest.approx((metres, metres)))


def test_magnification_divides_the_detector_pixel(exchange):
    instrument = "measurement/instrument/"
    path = add(
        exchange(),
        **{f"{instrument}detector/pixel_size": 5.0, f"{instrument}detection_system/objective/magnification": 10},
    )
    assert read_scan(path).pixel_size == pytest.approx((5e-7, 5e-7))


@pytest.mark.parametrize(("value", "kev"), [(22.5, 22.5), (22500.0, 22.5), (2.0280385e-15, 12.658), (-1.0, None)])
def test_energies_by_magnitude(exchange, value, kev):
    path = add(exchange(), measurement__instrument__monochromator__energy=[value])
    assert read_scan(path).energy_kev == (None if kev is None else pytest.approx(kev, rel=1e-4))


def test_flats_from_elsewhere(exchange, tmp_path):
    path = exchange(flats=None)
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["entry/data/data"] = np.full((2, 4, 6), 7)
        file["entry/other"] = np.zeros((9, 9))
    for hint in ("flats.h5", tmp_path / "flats.h5", "flats.h5::/entry/data/data"):
        assert np.unique(read_scan(path, flats=hint).flats[:]).tolist() == [7]
    with h5py.File(tmp_path / "flats.h5", "a") as file:
        file["entry/more"] = np.zeros((4, 6))
    with pytest.raises(QuestionError, match="2 datasets that could be the flats") as caught:
        read_scan(path, flats="flats.h5")
    assert len(read_scan(path, flats=caught.value.choices[-1]).flats) in (1, 2)
    with pytest.raises(ScanError, match="no frames of 4 rows × 6 columns"):
        read_scan(path, flats=write_exchange(tmp_path / "other.h5", data=np.ones((20, 3, 3))))


@pytest.mark.parametrize("dtype", [">u2", "<i4", "f2", "f8", "?", ">f4"])
def test_any_number_type_is_handed_out_natively(exchange, dtype):
    data = (COUNTS % 2 + 1).astype(dtype)
    frames = read_scan(exchange(data=data), quantity="counts").projections
    assert frames.dtype.isnative
    assert frames.dtype.kind in "uif"
    assert frames[:].dtype == frames.dtype
    np.testing.assert_array_equal(frames[:].astype(float), data.astype(float))


def test_a_sinogram_is_a_scan_of_one_row(tmp_path):
    with h5py.File(tmp_path / "sino.h5", "w") as file:
        file["sinogram"] = COUNTS[:, 0]
    scan = read_scan(tmp_path / "sino.h5", dataset="/sinogram", angles=DEGREES, quantity="line integrals")
    assert scan.shape == (20, 1, 6)
    np.testing.assert_array_equal(scan.sinograms(slice(0, 1))[0], COUNTS[:, 0])


def test_a_horizontal_axis_swaps_rows_and_columns(exchange):
    scan = read_scan(exchange(), rotation_axis="horizontal")
    assert scan.shape == (20, 6, 4)
    assert scan.flats.shape == (3, 6, 4)
    np.testing.assert_array_equal(scan.projections[3], COUNTS[3].T)


def test_compressed_by_a_plugin(tmp_path):
    import hdf5plugin

    path = write_exchange(tmp_path / "scan.h5", chunks=(1, 4, 6), **hdf5plugin.Bitshuffle())
    np.testing.assert_array_equal(read_scan(path).projections[5], COUNTS[5])
    assert "compressed with bitshuffle" in "\n".join(inspect_file(path).lines())


def test_names_with_spaces_and_letters_of_any_alphabet(tmp_path):
    folder = tmp_path / "Strahlzeit März 2024 スキャン"
    folder.mkdir()
    assert read_scan(write_exchange(folder / "größe 1.h5")).shape == (20, 4, 6)
    assert read_scan(str(folder / "größe 1.h5")).source.path.name == "größe 1.h5"
