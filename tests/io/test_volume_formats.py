"""Every format that volumes leave in: read back here and by its own library, streamed, and never half a file."""

from __future__ import annotations

import json

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

from napari_pfitre.errors import FormatError
from napari_pfitre.frames import LazyFrames
from napari_pfitre.io import inspect_file, read_volume, write_volume
from napari_pfitre.io.volumes import VOLUME_FORMATS
from napari_pfitre.results import Provenance, Volume

DATA = np.random.default_rng(4).normal(size=(5, 70, 90)).astype(np.float32)
VOXEL = (2.5e-8, 2e-8, 1e-8)
MADE = Provenance("fbp", {"filter": "ramp"}, {"path": "scan.h5"}, (30, 5, 90), (0.0, 6.0, 12.0), 44.5)
VOLUME = Volume(DATA, VOXEL, MADE, "chip µ", "1/m")
LAYOUTS = {row.layout: row for row in VOLUME_FORMATS}


def name_of(layout: str) -> str:
    return "rec" + LAYOUTS[layout].suffixes[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read_back_with_its_history(tmp_path, layout):
    (path,) = write_volume(VOLUME, tmp_path / name_of(layout), layout=layout)
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, DATA)
    assert back.voxel_size == pytest.approx(VOXEL, rel=1e-12)
    assert (back.name, back.unit) == ("chip µ", "1/m")
    assert back.provenance == MADE
    report = inspect_file(path)
    assert report.volume.shape == DATA.shape
    assert report.facts.provenance == MADE
    assert json.loads(json.dumps(report.as_dict()))["volume"]["provenance"]["recipe"] == "fbp"
    assert "made by" in "\n".join(report.lines())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_replaced_unasked(tmp_path, layout):
    path = tmp_path / name_of(layout)
    write_volume(VOLUME, path, layout=layout)
    with pytest.raises(FormatError, match="exists already"):
        write_volume(VOLUME, path, layout=layout)
    write_volume(Volume(DATA * 2, VOXEL, MADE), path, layout=layout, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).data, DATA * 2)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


class Counting(LazyFrames):
    """A volume far larger than what is ever held: it remembers how much was asked for at once."""

    def __init__(self, shape):
        self.shape, self.dtype, self.largest = shape, np.dtype(np.float32), 0

    def read(self, frames, rows, columns):
        sizes = [span.stop - span.start for span in (frames, rows, columns)]
        self.largest = max(self.largest, sizes[0])
        return np.full(sizes, frames.start, np.float32)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_slices_are_asked_for_one_by_one(tmp_path, layout):
    data = Counting((130, 20, 30))
    (path,) = write_volume(Volume(data), tmp_path / name_of(layout), layout=layout)
    assert data.largest == 1
    np.testing.assert_array_equal(read_volume(path).data[:, 7, 9], np.arange(130))


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"x")
    with pytest.raises(FormatError, match="holds other things than a volume"):
        write_volume(VOLUME, folder, layout="slices", overwrite=True)
    assert (folder / "photo.jpg").exists()


def test_names_and_layouts_that_do_not_fit_are_told(tmp_path):
    with pytest.raises(FormatError, match=r"no layout 'png'.*nxprocess"):
        write_volume(VOLUME, tmp_path / "rec.h5", layout="png")
    with pytest.raises(FormatError, match=r"not written to rec\.h5; its name has \.mrc"):
        write_volume(VOLUME, tmp_path / "rec.h5", layout="mrc")


def test_companions_lie_beside_where_a_format_has_no_place_for_them(tmp_path):
    volume = Volume(DATA, VOXEL, MADE, "object", layers={"phase": DATA / 3})
    _, second = write_volume(volume, tmp_path / "rec.mrc")
    assert second.name == "rec_phase.mrc"
    np.testing.assert_array_equal(read_volume(second).data, DATA / 3)


def test_nxtomoproc_is_as_the_definition_says(tmp_path):
    (path,) = write_volume(VOLUME, tmp_path / "rec.nxs", layout="nxtomoproc")
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["definition"][()] == b"NXtomoproc"
        classes = {"instrument": "NXinstrument", "sample": "NXsample", "reconstruction": "NXprocess", "data": "NXdata"}
        assert {group: entry[group].attrs["NX_class"] for group in classes} == classes
        assert {"type", "name", "probe"} <= set(entry["instrument/source"])
        assert {"program", "version", "date", "parameters"} <= set(entry["reconstruction"])
        assert entry["reconstruction/parameters/raw_file"][()] == b"scan.h5"
        assert entry["data"].attrs["signal"] == "data"
        assert entry["data/data"].shape == DATA.shape
        np.testing.assert_allclose(np.diff(entry["data/x"][:]), VOXEL[2])


def test_data_exchange_is_as_tomopy_cli_has_it(tmp_path):
    (path,) = write_volume(VOLUME, tmp_path / "rec.h5", layout="exchange")
    with h5py.File(path) as file:
        stored = file["exchange/data"]
        assert (stored.attrs["axes"], stored.attrs["description"]) == ("z:y:x", "ReconData")
        assert file["implements"][()] == b"exchange:process"


def test_fiji_sees_a_hyperstack_with_its_voxel_size(tmp_path):
    (path,) = write_volume(VOLUME, tmp_path / "rec.tif")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.series[0].axes == "ZYX"
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.imagej_metadata["spacing"] == pytest.approx(0.025)
        np.testing.assert_array_equal(tif.asarray(), DATA)


def test_slices_are_images_that_every_program_opens(tmp_path):
    (path,) = write_volume(VOLUME, tmp_path / "rec", layout="slices")
    np.testing.assert_array_equal(tifffile.imread(path / "recon_00003.tiff"), DATA[3])
    np.testing.assert_array_equal(tifffile.imread(sorted(path.glob("*.tiff"))), DATA)


def test_ome_zarr_has_resolutions_that_lie_over_each_other(tmp_path):
    (path,) = write_volume(VOLUME, tmp_path / "rec.ome.zarr")
    root = zarr.open_group(str(path), mode="r")
    (scales,) = root.attrs["multiscales"]
    assert scales["version"] == "0.4"
    assert [(axis["name"], axis["type"], axis["unit"]) for axis in scales["axes"]] == [
        (axis, "space", "micrometer") for axis in "zyx"
    ]
    first, second = scales["datasets"]
    assert first["coordinateTransformations"][0]["scale"] == pytest.approx([0.025, 0.02, 0.01])
    assert second["coordinateTransformations"][0]["scale"] == pytest.approx([0.05, 0.04, 0.02])
    assert second["coordinateTransformations"][1]["translation"] == pytest.approx([0.0125, 0.01, 0.005])
    np.testing.assert_array_equal(root["0"][:], DATA)
    small = root["1"][:]
    assert small.shape == (3, 35, 45)
    np.testing.assert_allclose(small[1, 4, 7], DATA[2:4, 8:10, 14:16].mean(), rtol=1e-5)
    np.testing.assert_allclose(small[2, 4, 7], DATA[4:, 8:10, 14:16].mean(), rtol=1e-5)
    assert (path / "0" / "0" / "1").is_dir()  # blocks lie in folders, as 0.4 has them


def test_mrc_is_valid_by_its_own_checker(tmp_path, capsys):
    (path,) = write_volume(VOLUME, tmp_path / "rec.mrc")
    mrcfile.validate(path)
    remarks = [line for line in capsys.readouterr().out.split("\n")[1:] if line]
    assert remarks == ["Extended header type is undefined or unrecognised: exttyp = 'PFIT'"]  # where the history is
    with mrcfile.open(path) as mrc:
        np.testing.assert_array_equal(mrc.data, DATA)
        assert mrc.is_volume()
        assert float(mrc.voxel_size.x) == pytest.approx(100)
        assert float(mrc.voxel_size.z) == pytest.approx(250)
        assert float(mrc.header.dmean) == pytest.approx(DATA.mean(), abs=1e-6)
        assert float(mrc.header.rms) == pytest.approx(DATA.std(), rel=1e-5)


@pytest.mark.parametrize("damage", ["block", "metadata", "array"])
def test_a_damaged_zarr_folder_gives_a_sentence(tmp_path, damage):
    (path,) = write_volume(VOLUME, tmp_path / "rec.zarr")
    if damage == "block":
        next(file for file in (path / "0").rglob("*") if file.is_file() and file.name[0] != ".").write_bytes(b"\1\2\3")
    elif damage == "metadata":
        (path / ".zattrs").write_text('{"multiscales": [{"datasets": 3}]}', encoding="utf-8")
    else:
        (path / "0" / ".zarray").unlink()
    with pytest.raises(FormatError, match=r"rec\.zarr"):
        read_volume(path)
    assert inspect_file(path).lines()


def test_an_interrupted_write_leaves_nothing_behind(tmp_path):
    class Failing(Counting):
        def read(self, frames, rows, columns):
            if frames.start == 3:
                raise FormatError("the drive is gone")
            return super().read(frames, rows, columns)

    for layout in LAYOUTS:
        with pytest.raises(FormatError, match="the drive is gone"):
            write_volume(Volume(Failing((5, 6, 7))), tmp_path / name_of(layout), layout=layout)
    assert list(tmp_path.iterdir()) == []
