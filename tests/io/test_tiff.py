"""TIFF stacks: angles beside them, pages mapped or unpacked, values told apart."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from beamline_files import COUNTS, DEGREES

from napari_pfitre.errors import FormatError, QuestionError
from napari_pfitre.io import inspect_file, read_scan
from napari_pfitre.io.tiff_frames import TiffFrames

EMISSION = np.maximum(COUNTS.astype(np.float32) / 1000 - 2, 0) / 4


@pytest.fixture
def stack(tmp_path):
    """A function that writes a TIFF stack, with a table of angles beside it unless `angles` is None."""

    def write(data=EMISSION, angles=DEGREES, **options):
        tifffile.imwrite(tmp_path / "stack.tif", data, photometric="minisblack", **options)
        if angles is not None:
            (tmp_path / "stack.csv").write_text("angle\n" + "\n".join(str(a) for a in angles))
        return tmp_path / "stack.tif"

    return write


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}, {"imagej": True}, {"rowsperstrip": 1}],
    ids=str,
)
def test_regions_are_those_of_the_array(stack, options):
    frames = TiffFrames(stack(**options))
    assert frames.shape == EMISSION.shape
    np.testing.assert_array_equal(frames[:], EMISSION)
    np.testing.assert_array_equal(frames[3:9:2, 1:3, ::-2], EMISSION[3:9:2, 1:3, ::-2])
    assert frames[0].dtype == np.float32


def test_the_table_of_the_same_name_gives_the_angles(stack):
    scan = read_scan(stack())
    np.testing.assert_allclose(np.rad2deg(scan.angles), DEGREES)
    assert scan.quantity == "emission"
    assert any("stack.csv" in notice for notice in scan.notices)


def test_without_table_the_angles_are_asked_for(stack):
    path = stack(angles=None)
    with pytest.raises(QuestionError, match="no angles") as caught:
        read_scan(path)
    assert caught.value.hint == "angles"
    assert read_scan(path, angles="0:180").shape == (20, 4, 6)


def test_counts_without_flats_say_so_and_take_flats(stack, tmp_path):
    path = stack(COUNTS)
    scan = read_scan(path)
    assert scan.quantity == "counts"
    assert any("no flats" in notice for notice in scan.notices)
    tifffile.imwrite(tmp_path / "flat.tif", np.full((4, 6), 4000, np.uint16))
    tifffile.imwrite(tmp_path / "dark.tif", np.full((2, 4, 6), 100, np.uint16))
    scan = read_scan(path, flats="flat.tif", darks=tmp_path / "dark.tif")
    assert (len(scan.flats), len(scan.darks)) == (1, 2)


@pytest.mark.parametrize(
    ("values", "quantity"),
    [
        (EMISSION, "emission"),
        (EMISSION * 1000, "emission"),
        (EMISSION - 0.1, "line integrals"),
    ],
)
def test_values_without_doubt(stack, values, quantity):
    assert read_scan(stack(values.astype(np.float32))).quantity == quantity


def test_values_in_doubt_are_asked_about(stack):
    path = stack(EMISSION * 4)
    with pytest.raises(QuestionError, match="transmission, line integrals, emission or counts") as caught:
        read_scan(path)
    for choice in caught.value.choices:
        assert read_scan(path, quantity=choice).quantity == choice


def test_sinograms_are_found_by_the_number_of_angles(stack):
    scan = read_scan(stack(np.ascontiguousarray(EMISSION.transpose(1, 0, 2))))
    assert scan.axis_order == ("row", "angle", "column")
    np.testing.assert_array_equal(scan.projections[:], EMISSION)


def test_the_pixel_size_of_imagej(stack):
    scan = read_scan(stack(imagej=True, resolution=(50, 50), metadata={"unit": "um", "axes": "ZYX"}))
    assert scan.pixel_size == pytest.approx((20e-9, 20e-9))


def test_colour_pictures_are_no_projections(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((5, 8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(FormatError, match="grey frames"):
        read_scan(tmp_path / "rgb.tif", angles="0:180")


def test_a_truncated_stack(stack):
    path = stack()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(FormatError, match=r"stack\.tif"):
        read_scan(path).projections[:]
    assert inspect_file(path).lines()


def test_a_damaged_page_is_named(stack):
    path = stack(compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[7].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    frames = TiffFrames(path)
    with pytest.raises(FormatError, match=r"frame 7 of stack\.tif cannot be read.*exclude=7"):
        frames[5:9]
    assert read_scan(path, exclude="7").projections[:].shape[0] == 19
