"""What is malformed in practice, case by case: the message, and that nothing was guessed.

The cases are in `malformed_layouts` and `malformed_frames`; one without a row there is tested where `ELSEWHERE` says.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import malformed_frames
import malformed_layouts
import numpy as np
import pytest
import test_wrecks
from beamline_files import COUNTS, INTEGRALS, write_exchange
from malformed_frames import AGAIN, FLATS, PREPARED

from napari_pfitre.io import inspect_file, read_scan, read_volume
from napari_pfitre.preprocess import prepare

REFUSED = malformed_layouts.REFUSED | malformed_frames.REFUSED
READ = malformed_layouts.READ | malformed_frames.READ
#: cases with tests of their own: rows of the table of wrecks, or functions of a file
WRECKS = {
    1: ("git lfs pointer", "empty", "zeros", "hdf4", "xml", "ole2", "matlab 5", "text", "noise"),
    2: ("missing", "folder"),
    3: ("truncated",),
    6: ("unknown filter",),
    8: ("dangling link",),
    9: ("virtual dataset without source", "virtual dataset over a dangling link"),
    10: ("link loop",),
}
ELSEWHERE = {
    2: ("test_wrecks", "test_no_permission"),
    4: ("test_wrecks", "test_a_file_that_is_being_written_is_read_with_a_notice"),
    5: ("test_wrecks", "test_a_file_whose_writer_died_is_read_with_a_notice"),
    7: ("test_wrecks", "test_a_corrupt_frame_is_named_and_can_be_left_out"),
    9: ("test_wrecks", "test_missing_parts_of_a_virtual_dataset_are_dropped"),
    10: ("test_wrecks", "test_loops_elsewhere_in_the_file_harm_nobody"),
    36: ("test_wrecks", "test_a_huge_claim_in_a_tiny_file_is_told"),
    37: ("test_wrecks", "test_frames_never_written_are_dropped_with_their_angles"),
    42: ("test_malformed", "test_42_axes_that_point_to_nothing_give_way_to_the_shapes"),
    44: ("test_malformed", "test_44_the_reconstruction_opens_as_a_volume"),
    46: ("test_more_layouts", "test_a_cone_beam_is_refused_by_methods_for_parallel_ones"),
    52: ("test_wrecks", "test_a_file_may_be_deleted_or_replaced_while_a_scan_of_it_is_open"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_asked_or_refused_in_a_sentence(tmp_path, case):
    build, error, said, hint = REFUSED[case]
    path = build(tmp_path)
    with pytest.raises(error, match=said) as caught:
        read_scan(path)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is error
    assert getattr(caught.value, "hint", None) == hint
    report = inspect_file(path)
    assert (report.scan, report.pattern) == (None, None)  # nothing was guessed instead
    assert report.volume is not None or str(report.problem) == str(caught.value)


@pytest.mark.parametrize("case", READ)
def test_it_is_read_and_what_was_assumed_is_said(tmp_path, case):
    build, hints, said, holds = READ[case]
    scan = read_scan(build(tmp_path), **hints)
    assert holds(scan)
    if said is not None:
        assert any(said in notice for notice in scan.notices), scan.notices


@pytest.mark.parametrize("case", PREPARED)
def test_preparing_tells_what_it_mended_and_mends_nothing_else(tmp_path, case):
    build, said, elsewhere = PREPARED[case]
    sound = prepare(read_scan(write_exchange(tmp_path / "sound.h5", flats=FLATS)))
    made = prepare(read_scan(build(tmp_path)))
    assert any(said in notice for notice in made.notices), made.notices
    values = np.asarray(made.projections[:])
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 10  # 65486 for 50 − 100 would be seen as a beam sixteen times as bright
    np.testing.assert_allclose(values[elsewhere], np.asarray(sound.projections[:])[elsewhere], atol=1e-6)


def test_42_axes_that_point_to_nothing_give_way_to_the_shapes(tmp_path):
    path = write_exchange(tmp_path / "scan.h5", axes="nonsense:a:b")
    with h5py.File(path, "a") as file:
        file["exchange"].attrs.update({"signal": "gone", "axes": ["a", "b"]})
    np.testing.assert_array_equal(read_scan(path).projections[:], COUNTS)


def test_44_the_reconstruction_opens_as_a_volume(tmp_path):
    path = write_exchange(tmp_path / "rec.h5", data=INTEGRALS, axes="z:y:x", theta=None, flats=None, darks=None)
    np.testing.assert_array_equal(read_volume(path).data, INTEGRALS)


def test_51_the_same_angle_with_other_frames_is_no_frame_twice(tmp_path):
    scan = read_scan(write_exchange(tmp_path / "scan.h5", theta=AGAIN))
    assert not any("same values" in notice for notice in scan.notices)


def test_no_case_is_forgotten():
    """Every number has a row or a test, and what is named is there."""
    assert len(REFUSED) == len(malformed_layouts.REFUSED) + len(malformed_frames.REFUSED)
    assert len(READ) == len(malformed_layouts.READ) + len(malformed_frames.READ)
    numbers = {int(case.split()[0]) for table in (REFUSED, READ, PREPARED) for case in table}
    for number, rows in WRECKS.items():
        assert set(rows) <= set(test_wrecks.REFUSED), number
    for number, (file, function) in ELSEWHERE.items():
        source = Path(__file__).with_name(f"{file}.py").read_text(encoding="utf-8")
        assert f"def {function}(" in source, number
    assert numbers | set(WRECKS) | set(ELSEWHERE) == set(range(1, 53))
