"""Angles from tables, ranges and lists, and what can be told about them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from beamline_files import DEGREES

from napari_pfitre.errors import OptionError, QuestionError, ScanError
from napari_pfitre.io import ReadHints, read_scan
from napari_pfitre.io.angles import angle_unit, read_table, span_text
from napari_pfitre.options import as_dict, describe, from_dict

TABLES = {
    "one column with a heading": ("angle\n-72.0\n-70.0\n94.5\n", None),
    "no heading": ("-72\n-70\n94.5\n", None),
    "windows lines and a byte order mark": ("\ufeffangle\r\n-72.0\r\n-70\r\n94.5\r\n", None),
    "several columns": ("index,Theta (deg),exposure\n0,-72,1\n1,-70,1\n2,94.5,1\n", "deg"),
    "semicolons": ("frame;angle\n0;-72\n1;-70\n2;94.5\n", None),
    "a tilt file": ("  -72.00\n  -70.00\n  94.50\n", None),
    "comments": ("# written by hand\n-72\n\n-70\n94.5\n", None),
    "unit in brackets": ("angle [rad]\n-72\n-70\n94.5\n", "rad"),
    "tabs": ("n\trotation_angle_deg\n0\t-72\n1\t-70\n2\t94.5\n", "deg"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_angles(tmp_path, case):
    content, unit = TABLES[case]
    (tmp_path / "angles.csv").write_text(content, encoding="utf-8", newline="")
    found = read_table(tmp_path / "angles.csv")
    assert found.values.tolist() == [-72, -70, 94.5]
    assert found.unit == unit


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no angles"),
        ("angle\n1\nx\n3\n", "line 3 of angles.csv holds no angle"),
        ("1,2\n3,4\n", "2 columns and none is called angle"),
    ],
)
def test_tables_that_are_none(tmp_path, content, said):
    (tmp_path / "angles.csv").write_text(content)
    with pytest.raises(ScanError, match=said):
        read_table(tmp_path / "angles.csv")


def test_a_scan_is_no_table(exchange):
    with pytest.raises(ScanError, match="no table of angles but HDF5"):
        read_scan(exchange(theta=None), angles=exchange(theta=None))


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("0:180", np.arange(20) * 9.0),
        ("0:180:inclusive", np.linspace(0, 180, 20)),
        ("-90:90:exclusive", np.arange(20) * 9.0 - 90),
        ("180:0", 180 - np.arange(20) * 9.0),
        (DEGREES, DEGREES),
        (list(DEGREES), DEGREES),
        (np.linspace(0, 0.5, 20), np.linspace(0, 0.5, 20)),
        ("::/exchange/other", DEGREES[::-1]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_every_way_to_give_angles(exchange, hint, expected):
    path = exchange()
    with h5py.File(path, "a") as file:
        file["exchange/other"] = DEGREES[::-1]
    np.testing.assert_allclose(np.rad2deg(read_scan(path, angles=hint).angles), expected, atol=1e-12)


def test_a_list_of_angles_passes_through_the_hint_unchanged():
    values = np.random.default_rng(0).uniform(-180, 180, 50)
    hints = ReadHints(angles=values)
    np.testing.assert_array_equal([float(part) for part in hints.angles.split(",")], values)
    assert from_dict(ReadHints, as_dict(hints)) == hints


def test_a_table_beside_the_scan_is_found_by_name(exchange, tmp_path):
    path = exchange(theta=None)
    (tmp_path / "my.csv").write_text("\n".join(str(a) for a in DEGREES))
    np.testing.assert_allclose(np.rad2deg(read_scan(path, angles="my.csv").angles), DEGREES)


@pytest.mark.parametrize("hint", ["nothing.csv", "1:x", "1:2:3"])
def test_angles_that_cannot_be_found(exchange, hint):
    with pytest.raises(ScanError):
        read_scan(exchange(theta=None), angles=hint)


def test_a_table_without_unit_that_may_be_radians_is_asked_about(exchange, tmp_path):
    (tmp_path / "rad.csv").write_text("angle\n" + "\n".join(str(a) for a in np.linspace(0, 3.1, 20)))
    path = exchange(theta=None)
    with pytest.raises(QuestionError, match=r"rad\.csv have no unit"):
        read_scan(path, angles="rad.csv")
    assert read_scan(path, angles="rad.csv", angle_unit="rad").angles[-1] == 3.1


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [("degrees", "deg"), ("DEG", "deg"), ("°", "deg"), ("radian", "rad"), ("mdeg", "mdeg"), ("mm", None), ("", None)],
)
def test_spellings(spelling, unit):
    assert angle_unit(spelling) == unit


@pytest.mark.parametrize(
    ("degrees", "said"),
    [
        (np.arange(0, 180, 2.0), "0° to 178°, 90 angles in steps of 2°, ascending"),
        (np.arange(45, -46, -1.0), "45° to -45°, 91 angles in steps of 1°, descending"),
        ((np.arange(50) * 111.246) % 180, "not in order"),
        (np.r_[-72:0:2, 94:109:1].astype(float), "irregular steps, mostly 2°"),
    ],
)
def test_the_span_as_a_person_says_it(degrees, said):
    assert said in span_text(degrees)


@pytest.mark.parametrize(
    "wrong",
    [
        {"axis_order": "angle,row"},
        {"axis_order": "x,y,z"},
        {"exclude": "3,x"},
        {"quantity": "photons"},
        {"angle_unit": "grad"},
        {"drop": "middle"},
        {"pixel_size": -1.0},
        {"index": -1},
    ],
    ids=str,
)
def test_hints_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError):
        ReadHints(**wrong)


def test_an_unknown_hint_is_named(exchange):
    with pytest.raises(OptionError, match="there is no hint angels; the hints are dataset"):
        read_scan(exchange(), angels="0:180")


def test_every_hint_can_be_a_form_and_a_flag():
    options = {option.name: option for option in describe(ReadHints)}
    assert all(option.optional and option.default is None for option in options.values())
    assert all(option.tooltip or option.unit for option in options.values())
    assert options["quantity"].choices == ("counts", "transmission", "line integrals", "emission")


def test_unordered_angles_keep_their_frames(exchange):
    degrees = (np.arange(20) * 111.246) % 180
    scan = read_scan(exchange(theta=degrees))
    np.testing.assert_allclose(np.rad2deg(scan.angles), degrees)
    np.testing.assert_array_equal(scan.projections[7, 0, :3], read_scan(exchange()).projections[7, 0, :3])
    assert read_scan(exchange(theta=degrees), exclude="2:4,9").shape[0] == 17
