"""A scan written as Data Exchange or NXtomo comes back with every field, and other programs read it."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest

from napari_pfitre.cli import target
from napari_pfitre.errors import FormatError
from napari_pfitre.frames import LazyFrames
from napari_pfitre.io import inspect_file, read_scan, read_volume, write_scan
from napari_pfitre.io.scan_files import SCAN_FORMATS
from napari_pfitre.io.volumes import VOLUME_FORMATS
from napari_pfitre.results import Volume
from napari_pfitre.scans import Step, TomoScan

NAMES = ["scan.h5", "scan.nxs"]
RANDOM = np.random.default_rng(0)
PROJECTIONS = RANDOM.integers(100, 4000, (30, 4, 9)).astype(np.uint16)


def scan(**changes) -> TomoScan:
    fields = {
        "projections": PROJECTIONS,
        "angles": np.linspace(-1.1, 1.1, 30),
        "flats": RANDOM.integers(4000, 5000, (4, 4, 9)).astype(np.uint16),
        "darks": np.full((2, 4, 9), 90, np.uint16),
        "flat_positions": np.array([0, 0, 30, 30]),
        "centre": 3.7,
        "pixel_size": (1 / 3e7, 2e-8),
        "energy_kev": 8.333,
        "shifts": RANDOM.normal(size=(30, 2)),
        "name": "chip µ",
        "history": (Step("simulate", {"seed": 3, "wedge": np.float64(96), "angles": np.arange(3)}),),
        "notices": ("simulated",),
        "metadata": {"noise": {"photons": 1e4}, "long": ["x" * 1000] * 100},
    }
    return TomoScan(**(fields | changes))


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_kept(tmp_path, name):
    made = scan()
    path = write_scan(made, tmp_path / name)
    back = read_scan(path)
    for name in ("projections", "flats", "darks"):
        np.testing.assert_array_equal(getattr(back, name)[:], getattr(made, name))
        assert getattr(back, name).dtype == getattr(made, name).dtype
    np.testing.assert_allclose(back.angles, made.angles, rtol=1e-15)
    np.testing.assert_array_equal(back.flat_positions, made.flat_positions)
    np.testing.assert_array_equal(back.shifts, made.shifts)
    for name in ("quantity", "centre", "pixel_size", "energy_kev", "name", "notices", "metadata"):
        assert getattr(back, name) == getattr(made, name), name
    assert back.history == (Step("simulate", {"seed": 3, "wedge": 96.0, "angles": [0, 1, 2]}),)
    assert inspect_file(path).usable


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantity", ["transmission", "line integrals", "emission", "counts"])
def test_the_quantity_is_kept_without_flats(tmp_path, name, quantity):
    made = scan(
        projections=RANDOM.uniform(0, 1, (30, 4, 9)).astype(np.float32),
        quantity=quantity,
        flats=None,
        flat_positions=None,
    )
    back = read_scan(write_scan(made, tmp_path / name))
    assert back.quantity == quantity
    np.testing.assert_array_equal(back.projections[:], made.projections)
    for form in SCAN_FORMATS:
        assert (quantity in form.told(made)) == (quantity != "counts")


@pytest.mark.parametrize("name", NAMES)
def test_a_scan_that_knows_nothing(tmp_path, name):
    back = read_scan(write_scan(TomoScan(PROJECTIONS, np.linspace(0, 3, 30)), tmp_path / name))
    assert (back.flats, back.centre, back.pixel_size, back.energy_kev, back.shifts) == (None,) * 5


@pytest.mark.parametrize(("name", "group"), [("scan.h5", "napari_pfitre"), ("scan.nxs", "entry/napari_pfitre")])
def test_the_truth_lies_apart(tmp_path, name, group):
    truth = Volume(RANDOM.normal(size=(4, 9, 9)).astype(np.float32), (1e-8, 2e-8, 2e-8), name="truth")
    path = write_scan(scan(), tmp_path / name, truth)
    assert read_scan(path).shape == (30, 4, 9)
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, truth.data)
    assert (back.voxel_size, back.name) == (truth.voxel_size, "truth")
    with h5py.File(path) as file:
        assert "not measured" in file[f"{group}/truth"].attrs["about"]


def test_others_read_the_standard_places(tmp_path):
    made = scan()
    path = write_scan(made, tmp_path / "scan.h5")
    with h5py.File(path) as file:
        assert file["exchange/theta"].attrs["units"] == "degrees"
        np.testing.assert_allclose(file["exchange/theta"][:], np.rad2deg(np.linspace(-1.1, 1.1, 30)))
        assert file["exchange/data"].attrs["axes"] == "theta:y:x"
        assert file["measurement/instrument/detection_system/objective/resolution"][0] == pytest.approx(0.02)
        assert file["measurement/instrument/monochromator/energy"][0] == 8.333
        np.testing.assert_array_equal(file["exchange/data_shift_x"][:], made.shifts[:, 1])


def test_a_lazy_scan_is_copied_but_never_onto_itself(exchange, tmp_path):
    path = exchange()
    lazy = read_scan(path)
    np.testing.assert_array_equal(read_scan(write_scan(lazy, tmp_path / "copy.h5")).projections[:], lazy.projections[:])
    with pytest.raises(FormatError, match="never overwritten"):
        write_scan(lazy, path, overwrite=True)
    with pytest.raises(FormatError, match="exists already"):
        write_scan(lazy, tmp_path / "copy.h5")


@pytest.mark.parametrize("name", NAMES)
def test_a_horizontal_axis_turns_pixel_size_and_shifts_and_forgets_the_centre(tmp_path, name):
    made = scan()
    back = read_scan(write_scan(made, tmp_path / name), rotation_axis="horizontal")
    assert back.shape == (30, 9, 4)
    assert back.pixel_size == made.pixel_size[::-1]
    np.testing.assert_array_equal(back.shifts, made.shifts[:, ::-1])
    assert back.centre is None


@pytest.mark.parametrize("positions", [[0, 0, 30, 30], [0, 11, 11, 30], [30, 0, 30, 12], None])
def test_nxtomo_has_flats_where_they_were_taken(tmp_path, positions):
    made = scan(flat_positions=None if positions is None else np.array(positions))
    path = write_scan(made, tmp_path / "scan.nx")
    back = read_scan(path)
    order = slice(None) if positions is None else np.argsort(positions, kind="stable")
    np.testing.assert_array_equal(back.flats[:], made.flats[order])
    np.testing.assert_array_equal(back.projections[:], made.projections)
    np.testing.assert_allclose(back.angles, made.angles, rtol=1e-15)
    if positions is None:
        assert back.flat_positions is None
    else:
        np.testing.assert_array_equal(back.flat_positions, np.sort(positions))
    with h5py.File(path) as file:
        keys = file["entry/instrument/detector/image_key"][:]
    assert [int(np.sum(keys == kind)) for kind in (0, 1, 2)] == [30, 4, 2]


def test_shifts_of_nxtomo_stay_with_their_projections(tmp_path):
    made = scan(flat_positions=np.array([0, 7, 7, 30]))
    back = read_scan(write_scan(made, tmp_path / "scan.nxs"), exclude="9")  # frame 9: two darks and a flat before it
    np.testing.assert_array_equal(back.projections[:], np.delete(made.projections, 6, axis=0))
    np.testing.assert_array_equal(back.shifts, np.delete(made.shifts, 6, axis=0))


def test_the_suffix_decides_and_layout_overrules_it(tmp_path):
    made = scan()
    formats = {
        name: read_scan(write_scan(made, tmp_path / name, layout=layout)).source.format
        for name, layout in (("a.h5", None), ("b.nxs", None), ("c.h5", "nxtomo"), ("d.nx", "exchange"))
    }
    assert list(formats.values()) == ["APS Data Exchange", "NeXus NXtomo", "NeXus NXtomo", "APS Data Exchange"]
    with pytest.raises(FormatError, match=r"ends in \.tif; use one of \.h5"):
        write_scan(made, tmp_path / "scan.tif")
    with pytest.raises(FormatError, match="choose one of exchange, nxtomo"):
        write_scan(made, tmp_path / "scan.h5", layout="mrc")


def test_nxtomo_has_what_its_definition_demands(tmp_path):
    """Groups, classes and fields of the application definition, and where Mantid Imaging and CIL look for them."""
    made = scan()
    with h5py.File(write_scan(made, tmp_path / "scan.nxs")) as file:
        entry = file[file.attrs["default"]]
        assert entry["definition"][()] == b"NXtomo"
        classes = {
            "": "NXentry", "instrument": "NXinstrument", "instrument/detector": "NXdetector",
            "instrument/beam": "NXbeam", "sample": "NXsample", "data": "NXdata",
        }  # fmt: skip
        for name, nexus_class in classes.items():
            assert (entry[name] if name else entry).attrs["NX_class"] == nexus_class, name
        detector, data = entry["instrument/detector"], entry[entry.attrs["default"]]
        assert detector["data"].shape == (36, 4, 9)
        assert detector["image_key"].dtype.kind == "i"
        assert data[data.attrs["signal"]] == detector["data"]
        assert data["rotation_angle"] == entry["sample/rotation_angle"]
        assert data["image_key"] == detector["image_key"]
        assert entry["sample/rotation_angle"].attrs["units"] == "degree"
        assert (detector["x_pixel_size"][()], detector["x_pixel_size"].attrs["units"]) == (2e-8, "m")
        assert detector["y_pixel_size"][()] == 1 / 3e7
        keys = entry["tomo_entry/instrument/detector/image_key"][:]
        assert list(keys[:4]) == [2, 2, 1, 1]
        np.testing.assert_array_equal(entry["tomo_entry/instrument/detector/data"][:][keys == 0], made.projections)
        angles = entry["tomo_entry/sample/rotation_angle"][:]
        np.testing.assert_allclose(angles[keys == 0], np.rad2deg(made.angles))
        np.testing.assert_allclose(angles[keys == 1], np.rad2deg(made.angles[[0, 0, -1, -1]]))


def test_the_library_of_esrf_reads_nxtomo(tmp_path):
    nxtomo = pytest.importorskip("nxtomo.application.nxtomo")
    made = scan()
    path = write_scan(made, tmp_path / "scan.nx")
    read = nxtomo.NXtomo().load(str(path), "/entry", detector_data_as="as_numpy_array")
    keys = np.array([key.value for key in read.instrument.detector.image_key])
    np.testing.assert_array_equal(read.instrument.detector.data[keys == 0], made.projections)
    np.testing.assert_array_equal(read.instrument.detector.data[keys == 1], made.flats)
    np.testing.assert_array_equal(read.instrument.detector.data[keys == 2], made.darks)
    degrees = read.sample.rotation_angle.to("degree").magnitude
    np.testing.assert_allclose(degrees[keys == 0], np.rad2deg(made.angles))
    assert read.instrument.detector.x_pixel_size.to("m").magnitude == made.pixel_size[1]
    assert read.instrument.beam.incident_energy.to("keV").magnitude == pytest.approx(made.energy_kev)
    assert read.sample.name == made.name


def test_line_integrals_in_nxtomo_say_what_they_are(tmp_path):
    made = scan(projections=PROJECTIONS / 1e3, quantity="line integrals", flats=None, darks=None, flat_positions=None)
    path = write_scan(made, tmp_path / "scan.nxs")
    with h5py.File(path) as file:
        assert file["entry/instrument/detector/data"].attrs["quantity"] == "line integrals"
    with h5py.File(path, "r+") as file:
        del file["entry/napari_pfitre"]  # as a program leaves it that copies what it knows
    assert read_scan(path).quantity == "line integrals"


def test_frames_are_asked_for_block_by_block(tmp_path, monkeypatch):
    asked = []

    class Asked(LazyFrames):
        shape, dtype = (50, 16, 16), np.dtype(np.uint16)

        def read(self, frames, rows, columns):
            asked.append(frames.stop - frames.start)
            return np.ones([s.stop - s.start for s in (frames, rows, columns)], np.uint16)

    for form in SCAN_FORMATS:
        asked.clear()
        monkeypatch.setattr(sys.modules[form.write.__module__], "_BLOCK", 16 * 16 * 2 * 8)
        write_scan(TomoScan(Asked(), np.linspace(0, 3, 50)), tmp_path / f"{form.layout}.h5", layout=form.layout)
        assert max(asked) == 8
        assert sum(asked) == 50


def test_the_command_line_knows_every_format():
    assert set(target.SCAN_SUFFIXES) == {suffix for row in SCAN_FORMATS for suffix in row.suffixes}
    assert set(target.VOLUME_SUFFIXES) == {suffix for row in VOLUME_FORMATS for suffix in row.suffixes if suffix}
    assert set(target.LAYOUTS) == {row.layout for row in (*SCAN_FORMATS, *VOLUME_FORMATS)}
