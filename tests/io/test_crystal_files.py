"""Crystals written as CXI, VTK image data and HDF5, and read back: by us, and by what else opens such files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.errors import FormatError
from napari_pfitre.io import inspect_file, read_volume, write_volume
from napari_pfitre.results import Provenance, Volume

SHAPE = (4, 5, 6)
RNG = np.random.default_rng(7)
LAYERS = {
    "phase": RNG.uniform(-3, 3, SHAPE).astype(np.float32),
    "support": (RNG.random(SHAPE) > 0.5).astype(np.float32),
    "displacement": RNG.normal(0, 1e-11, SHAPE).astype(np.float32),
    "strain": RNG.normal(0, 1e-3, SHAPE).astype(np.float32),
}
MADE = Provenance(
    "phase-retrieval", {"starts": 2}, {"path": "scan"}, SHAPE, energy_kev=9.0, started="2026-01-01T00:00:00+00:00",
    figures={"chi2": 0.009, "support volume (nm³)": 17.0}, compared={"another": {"chi2": 0.008}},
)  # fmt: skip
CRYSTAL = Volume(
    RNG.uniform(0.1, 1, SHAPE).astype(np.float32), (31.6e-9, 10.0e-9, 10.1e-9), MADE, "Gold · run", "amplitude", LAYERS
)


@pytest.mark.parametrize("suffix", [".cxi", ".vti", ".h5"])
def test_a_crystal_comes_back_with_all_that_was_derived(tmp_path, suffix):
    (path,) = write_volume(CRYSTAL, tmp_path / f"crystal{suffix}")
    back = read_volume(path)
    np.testing.assert_allclose(back.data, CRYSTAL.data, rtol=1e-6)
    assert back.voxel_size == CRYSTAL.voxel_size
    assert (back.name, back.unit) == ("Gold · run", "amplitude")
    assert back.provenance.to_json() == MADE.to_json()
    assert set(back.layers) == set(LAYERS)
    for name, values in LAYERS.items():
        np.testing.assert_allclose(back.layers[name], values, rtol=2e-6, atol=2e-6 * np.abs(values).max())
    assert inspect_file(path).usable
    assert "4 × 5 × 6 (z, y, x)" in "\n".join(inspect_file(path).lines())
    assert sorted(tmp_path.iterdir()) == [path]


def test_cxi_as_others_read_it(tmp_path):
    (path,) = write_volume(CRYSTAL, tmp_path / "crystal.cxi")
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 160
        data = file["entry_1/data_1/data"]
        assert data.dtype == np.complex64
        np.testing.assert_allclose(data[()], CRYSTAL.data * np.exp(1j * LAYERS["phase"]), rtol=1e-5)
        assert data.id.get_type().get_member_name(0) == b"r"  # the compound of the format
        image = file["entry_1/image_1"]
        assert (image["data_space"].asstr()[()], image["data_type"].asstr()[()]) == ("real", "electron density")
        assert image["is_fft_shifted"][()] == 0
        np.testing.assert_allclose(image["image_size"], (6 * 10.1e-9, 5 * 10e-9, 4 * 31.6e-9))
        np.testing.assert_array_equal(image["mask"][()], LAYERS["support"].astype(np.uint32) << 16)
        assert file["entry_1/source_1/energy"][()] == pytest.approx(9.0 * 1.602176634e-16)
        assert image["process_1/results/chi2"][()] == 0.009
        assert image["process_1/results/another/chi2"][()] == 0.008


def test_vti_as_vtk_reads_it(tmp_path):
    pytest.importorskip("vtk")
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    (path,) = write_volume(CRYSTAL, tmp_path / "crystal.vti")
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    assert image.GetDimensions() == SHAPE[::-1]
    np.testing.assert_allclose(image.GetSpacing(), (10.1, 10.0, 31.6))
    point = image.GetPointData()
    names = [point.GetArrayName(i) for i in range(point.GetNumberOfArrays())]
    assert names == ["amplitude", "phase", "support", "displacement (nm)", "strain"]
    for name, values in {"amplitude": CRYSTAL.data, "phase": LAYERS["phase"]}.items():
        np.testing.assert_array_equal(vtk_to_numpy(point.GetArray(name)).reshape(SHAPE), values)
    moved = vtk_to_numpy(point.GetArray("displacement (nm)")).reshape(SHAPE)
    np.testing.assert_allclose(moved, LAYERS["displacement"] * 1e9, rtol=1e-6)
    # x is the fastest: the point (x, y, z) = (2, 1, 3) is data[3, 1, 2]
    assert image.GetScalarComponentAsDouble(2, 1, 3, 0) == CRYSTAL.data[3, 1, 2]


def test_a_volume_without_a_phase_is_real(tmp_path):
    plain = Volume(CRYSTAL.data, None, None, "plain", "1/cm")
    for suffix in (".cxi", ".vti"):
        (path,) = write_volume(plain, tmp_path / f"plain{suffix}")
        back = read_volume(path)
        np.testing.assert_array_equal(back.data, plain.data)
        assert (back.voxel_size, back.layers, back.unit) == (None, {}, "1/cm")


def test_modes_of_pynx_give_the_first(tmp_path):
    psi = CRYSTAL.data * np.exp(1j * LAYERS["phase"])
    with h5py.File(tmp_path / "modes.cxi", "w") as file:
        file["cxi_version"] = 150
        file["entry_1/image_1/data"] = np.stack([psi, 0.1 * psi]).astype(np.complex64)
        file["entry_1/image_1/image_size"] = [6e-7, 5e-7, 4e-7]
    back = read_volume(tmp_path / "modes.cxi")
    np.testing.assert_allclose(back.data, CRYSTAL.data, rtol=1e-6)
    assert back.voxel_size == pytest.approx((1e-7,) * 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<VTKFile type="ImageData">', "does not hold its values as raw appended data"),
        ('<VTKFile type="ImageData"><ImageData><AppendedData encoding="raw">_', "is damaged VTK image data"),
    ],
)
def test_damaged_vti(tmp_path, text, said):
    (tmp_path / "x.vti").write_text(text)
    with pytest.raises(FormatError, match=said):
        read_volume(tmp_path / "x.vti")


def test_half_a_vti(tmp_path):
    (path,) = write_volume(CRYSTAL, tmp_path / "crystal.vti")
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(FormatError, match="is incomplete"):
        read_volume(path)
