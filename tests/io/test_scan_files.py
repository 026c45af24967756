"""A scan written as Data Exchange comes back with every field."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.errors import FormatError
from napari_pfitre.io import inspect_file, read_scan, read_volume, write_scan
from napari_pfitre.results import Volume
from napari_pfitre.scans import Step, TomoScan

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


def test_every_field_is_kept(tmp_path):
    made = scan()
    path = write_scan(made, tmp_path / "scan.h5")
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


@pytest.mark.parametrize("quantity", ["transmission", "line integrals", "emission", "counts"])
def test_the_quantity_is_kept_without_flats(tmp_path, quantity):
    made = scan(
        projections=RANDOM.uniform(0, 1, (30, 4, 9)).astype(np.float32),
        quantity=quantity,
        flats=None,
        flat_positions=None,
    )
    back = read_scan(write_scan(made, tmp_path / "scan.h5"))
    assert back.quantity == quantity


def test_a_scan_that_knows_nothing(tmp_path):
    back = read_scan(write_scan(TomoScan(PROJECTIONS, np.linspace(0, 3, 30)), tmp_path / "scan.h5"))
    assert (back.flats, back.centre, back.pixel_size, back.energy_kev, back.shifts) == (None,) * 5


def test_the_truth_lies_apart(tmp_path):
    truth = Volume(RANDOM.normal(size=(4, 9, 9)).astype(np.float32), (1e-8, 2e-8, 2e-8), name="truth")
    path = write_scan(scan(), tmp_path / "scan.h5", truth)
    assert read_scan(path).shape == (30, 4, 9)
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, truth.data)
    assert (back.voxel_size, back.name) == (truth.voxel_size, "truth")
    with h5py.File(path) as file:
        assert "not measured" in file["napari_pfitre/truth"].attrs["about"]


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


def test_a_horizontal_axis_turns_pixel_size_and_shifts_and_forgets_the_centre(tmp_path):
    made = scan()
    back = read_scan(write_scan(made, tmp_path / "scan.h5"), rotation_axis="horizontal")
    assert back.shape == (30, 9, 4)
    assert back.pixel_size == made.pixel_size[::-1]
    np.testing.assert_array_equal(back.shifts, made.shifts[:, ::-1])
    assert back.centre is None
