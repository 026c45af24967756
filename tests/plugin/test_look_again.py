"""Look again: layers show what their file has come to hold, and a file that is gone or changed stops nothing."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest

from napari_pfitre.io import read_scan, read_volume, write_volume
from napari_pfitre.plugin import _shown
from napari_pfitre.plugin._layers import scan_layer, scan_layers, scan_of
from napari_pfitre.plugin._patterns import painted
from napari_pfitre.results import Volume
from napari_pfitre.scans import Step


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch):
    monkeypatch.setattr(_shown, "_told", {})


def grown(path, count: int) -> None:
    """A scan of 2° steps of which some projections are written; each frame holds its number."""
    with h5py.File(path, "w") as file:
        file["exchange/data"] = (500 + np.arange(count))[:, None, None] * np.ones((1, 6, 16), np.uint16)
        file["exchange/data_white"] = np.full((2, 6, 16), 1000, np.uint16)
        file["exchange/data_dark"] = np.zeros((2, 6, 16), np.uint16)
        file["exchange/theta"] = 2.0 * np.arange(count)
        file["exchange/theta"].attrs["units"] = "degrees"


def test_looking_again_lets_open_layers_show_what_came(load, tmp_path, done, notes):
    from napari_pfitre.plugin._reconstruct import ReconstructWidget

    viewer, widget = load
    path = tmp_path / "growing.h5"
    grown(path, 8)
    widget.file.value = path
    done(widget)
    for rows, by in (("", 1), ("2:6", 2)):
        widget.rows.value, widget.binning.value = rows, by
        widget.open.native.click()
        done(widget)
    whole, binned = viewer.layers[0], viewer.layers[1]
    whole.name, whole.contrast_limits = "mine", (400, 600)
    data, about, _ = scan_layer(scan_of(whole).replace(step=Step("minus_log")))
    prepared = viewer.add_image(data, **about)
    reconstruct = ReconstructWidget(viewer)
    viewer.window.add_dock_widget(reconstruct, name="Reconstruct")
    reconstruct.scan.value = reconstruct.scan.choices[-1]
    assert "8 projections" in reconstruct.scan_note.value
    grown(path, 20)
    widget.again.native.click()
    done(widget)
    assert list(viewer.layers) == [whole, binned, prepared]
    assert scan_of(whole).shape == (20, 6, 16)
    assert scan_of(binned).shape == (20, 2, 8)
    assert prepared.data.shape[0] == 8, "what was made of the file is not the file"
    assert float(np.asarray(whole.data[19]).mean()) == 519
    assert float(np.asarray(binned.data[19]).mean()) == 519
    assert (whole.name, tuple(whole.contrast_limits)) == ("mine", (400, 600))
    assert whole.extent.world[1, 0] == pytest.approx(38)
    assert "mine: 20 projections now, 12 more than before" in widget.status.value
    assert any("mine: 20 projections now" in text for _, text in notes)
    assert "20 projections" in reconstruct.scan_note.value
    widget.again.native.click()
    done(widget)
    assert "20 projections now, as many as before" in widget.status.value


def test_a_layer_whose_file_is_no_scan_any_more_stays(load, tmp_path, done):
    viewer, widget = load
    path = tmp_path / "growing.h5"
    grown(path, 8)
    widget.file.value = path
    done(widget)
    widget.open.native.click()
    done(widget)
    with h5py.File(path, "r+") as file:
        del file["exchange/theta"]
    widget.again.native.click()
    done(widget)
    assert viewer.layers[0].data.shape[0] == 8
    assert "stays as it is" in widget.status.value
    assert "no angles" in widget.status.value


DETECTOR = """
import sys
import h5py, numpy as np

with h5py.File(sys.argv[1], "w", libver="latest") as file:
    data = file.create_dataset("exchange/data", (0, 6, 16), "u2", maxshape=(None, 6, 16), chunks=(1, 6, 16))
    theta = file.create_dataset("exchange/theta", (0,), "f8", maxshape=(None,), chunks=(64,))
    theta.attrs["units"] = "degrees"
    file["exchange/data_white"] = np.full((2, 6, 16), 1000, np.uint16)
    file["exchange/data_dark"] = np.zeros((2, 6, 16), np.uint16)
    file.swmr_mode = True
    for count in (8, 20):
        old = len(theta)
        data.resize(count, axis=0)
        theta.resize(count, axis=0)
        data[old:] = (500 + np.arange(old, count))[:, None, None]
        theta[old:] = 2.0 * np.arange(old, count)
        data.flush()
        theta.flush()
        print(count, flush=True)
        sys.stdin.readline()
"""


def test_a_scan_is_followed_while_another_program_writes_it(load, tmp_path, done):
    viewer, widget = load
    path = tmp_path / "swmr.h5"
    words = [sys.executable, "-c", DETECTOR, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline() == "8\n"
            widget.file.value = path
            done(widget)
            assert "written" in widget.holds.value
            widget.open.native.click()
            done(widget)
            (layer,) = viewer.layers
            assert scan_of(layer).shape == (8, 6, 16)
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "20\n"
            widget.again.native.click()
            done(widget)
            assert scan_of(layer).shape == (20, 6, 16)
            assert float(np.asarray(layer.data[19]).mean()) == 519
        finally:
            writer.kill()


def pattern(path, frames: int) -> None:
    """A rocking scan whose frames hold their number, as CXI has it, with a bad pixel in its mask."""
    counts = np.zeros((frames, 20, 24), np.uint16)
    counts[:] = np.arange(frames)[:, None, None]
    counts[frames // 2, 10, 12] = 60000
    mask = np.zeros((20, 24), np.uint8)
    mask[3, 4] = 1
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/instrument_1/detector_1/data"] = counts
        file["entry_1/instrument_1/detector_1/mask"] = mask


def test_a_pattern_is_renewed_with_its_mask_and_what_was_painted_stays(load, tmp_path, done):
    viewer, widget = load
    path = tmp_path / "scan.cxi"
    pattern(path, 9)
    widget.file.value = path
    done(widget)
    widget.open.native.click()
    done(widget)
    layers = list(viewer.layers)
    image, mask = layers[:2]
    image.name = "mine"
    mask.data[2, 5, 6] = 1  # painted
    mask.data[2, 3, 4] = 0  # rubbed out
    pattern(path, 14)
    widget.again.native.click()
    done(widget)
    assert list(viewer.layers) == layers
    assert scan_of(image).shape == image.data.shape == mask.data.shape == (14, 20, 24)
    assert float(np.asarray(image.data[13]).mean()) == 13
    assert mask.data[2, 5, 6] == 1
    assert mask.data[2, 3, 4] == 0
    assert mask.data[13, 3, 4] == 1
    assert int(mask.data.sum()) == 14
    assert "mine: 14 frames now, 5 more than before" in widget.status.value
    assert painted(image, viewer.layers, scan_of(image)).mask.sum() == 14, "the mask is still that of the pattern"


@pytest.mark.parametrize("name", ["crystal.h5", "crystal.cxi", "crystal.tif"])
def test_a_volume_is_renewed_with_its_companions(load, tmp_path, done, name):
    viewer, widget = load
    path = tmp_path / name
    z, y, x = np.indices((10, 12, 14)) - np.array([5, 6, 7])[:, None, None, None]
    ball = (z**2 + y**2 + x**2 < 16).astype(np.float32)

    def write(values, phase, voxel):
        layers = {"phase": phase * values, "support": ball[: len(values)]} if name != "crystal.tif" else {}
        write_volume(Volume(values, (voxel,) * 3, name="crystal", layers=layers), path, overwrite=True)

    write(ball, 0.5, 5e-9)
    widget.file.value = path
    done(widget)
    widget.open.native.click()
    done(widget)
    layers = list(viewer.layers)
    layers[0].name, layers[0].contrast_limits = "mine", (0.1, 0.7)
    write(2 * ball[:9], 1.5, 10e-9)
    widget.again.native.click()
    done(widget)
    assert list(viewer.layers) == layers
    np.testing.assert_allclose(np.asarray(layers[0].data), 2 * ball[:9], atol=1e-6)
    assert layers[0].scale[0] == 10
    assert (layers[0].name, tuple(layers[0].contrast_limits)) == ("mine", (0.1, 0.7))
    assert "mine: read again, 9 × 12 × 14 voxels now" in widget.status.value
    if name != "crystal.tif":
        phases = [layer for layer in layers if layer.name.endswith("phase (rad)")]
        assert np.nanmax(phases[0].data) == pytest.approx(2 * 1.5 if name.endswith("h5") else 3.0, rel=1e-4)
    path.unlink()
    widget.again.native.click()
    done(widget)
    assert layers[0].data.shape == (9, 12, 14)
    assert "mine stays as it is" in widget.status.value


def test_volumes_of_runs_and_of_other_files_are_left_alone(load, tmp_path, done):
    viewer, widget = load
    write_volume(Volume(np.ones((4, 6, 6), np.float32)), tmp_path / "one.h5")
    write_volume(Volume(np.ones((4, 6, 6), np.float32)), tmp_path / "two.h5")
    viewer.open(tmp_path / "one.h5", plugin="napari-pfitre")
    viewer.open(tmp_path / "two.h5", plugin="napari-pfitre")
    volume = read_volume(tmp_path / "one.h5")
    viewer.add_image(volume.data, name="made here")
    for name in ("one.h5", "two.h5"):
        write_volume(Volume(np.full((4, 6, 6), 3, np.float32)), tmp_path / name, overwrite=True)
    widget.file.value = tmp_path / "one.h5"
    done(widget)
    widget.again.native.click()
    done(widget)
    assert [float(layer.data.max()) for layer in viewer.layers] == [3, 1, 1]


def drawn(layer) -> np.ndarray:
    """What the canvas got of a layer; there is no public way to ask."""
    return np.asarray(getattr(layer, "__wrapped__", layer)._slice.image.raw)


def overwritten(path):
    grown(path, 20)


def moved(path):
    path.rename(path.with_name("elsewhere.h5"))


def cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(1000)


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (overwritten, "Press Look again in Load, frames are blank until then: growing.h5 has changed on disk"),
        (cut_off, "Press Look again in Load, frames are blank until then: growing.h5 has changed on disk"),
        (moved, "File gone, frames are blank: growing.h5 is gone from"),
    ],
)
def test_scrolling_a_file_that_is_not_what_it_was_says_so_once_and_goes_on(load, tmp_path, done, notes, happens, words):
    viewer, widget = load
    path = tmp_path / "growing.h5"
    grown(path, 8)
    viewer.open(path, plugin="napari-pfitre")
    below = viewer.layers[0]
    where = {name: getattr(below, name) for name in ("scale", "translate", "units", "axis_labels")}
    above = viewer.add_image(np.arange(8)[:, None, None, None] * np.ones((1, 1, 6, 16)), **where)
    happens(path)
    notes.clear()
    for step in (5, 6, 2):
        viewer.dims.set_current_step(0, step)
        assert not drawn(viewer.layers[0]).any()
        assert (drawn(above) == step).all(), "the layers above are drawn"
    assert len(notes) == 1
    severity, text = notes[0]
    assert severity == "warning"
    assert text.startswith(words)
    assert "Look again" in text
    assert "Traceback" not in text
    if happens is moved:
        path.with_name("elsewhere.h5").rename(path)
    grown(path, 20)
    widget.file.value = path
    done(widget)
    widget.again.native.click()
    done(widget)
    viewer.dims.set_current_step(0, 5)
    assert (drawn(viewer.layers[0]) == 505).all()


def test_a_damaged_frame_is_blank_and_told(load, tmp_path, notes):
    viewer, _ = load
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        frames = np.random.default_rng(0).integers(100, 900, (8, 6, 16)).astype(np.uint16)
        data = file.create_dataset("exchange/data", data=frames, chunks=(1, 6, 16), fletcher32=True)
        file["exchange/theta"] = 20.0 * np.arange(8)
        file["exchange/theta"].attrs["units"] = "deg"
        where = data.id.get_chunk_info(5).byte_offset
    with open(path, "r+b") as file:
        file.seek(where)
        file.write(bytes(20))
    viewer.open(path, plugin="napari-pfitre")
    notes.clear()
    for step in (4, 5, 6):
        viewer.dims.set_current_step(0, step)
        shown = drawn(viewer.layers[0])
        np.testing.assert_array_equal(shown, np.zeros((6, 16)) if step == 5 else frames[step])
    assert len(notes) == 1
    assert notes[0][1].startswith("Shown blank: frame 5 of")


def test_floats_that_cannot_be_read_are_no_numbers(tmp_path):
    path = tmp_path / "lines.npy"
    np.save(path, np.random.default_rng(0).poisson(3, (8, 20, 24)).astype(np.float32))
    data, _, _ = scan_layers(read_scan(path))[0]
    assert np.isfinite(np.asarray(data[4])).all()
    np.save(path, np.zeros((2, 2, 2), np.float32))  # shorter: a mapping of the old one would end the program
    assert np.isnan(np.asarray(data[5])).all()
