"""What gives objects their look: random fields, turning and enlarging, pictures, micrographs, patterns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.twin import Grid, circuit, project
from napari_pfitre.twin.noise import Noise
from napari_pfitre.twin.patterns import Gratings, Labyrinth, Shards, pattern
from napari_pfitre.twin.phantoms import blocks
from napari_pfitre.twin.pictures import PICTURES, Pictures, Sheet, picture, pictures
from napari_pfitre.twin.placing import Placed
from napari_pfitre.twin.texture import micrograph

GRID = Grid.cubic(64, 8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_noise_is_normal_and_the_same_on_every_grid():
    field = Noise.draw(rng(), 0.05, GRID.height)
    coarse, fine = field.rasterise(GRID), field.rasterise(GRID.finer(2, 2))
    assert coarse.std() == pytest.approx(1, rel=0.15)
    assert abs(coarse.mean()) < 0.15
    halved = fine.reshape(8, 2, 64, 2, 64, 2).mean(axis=(1, 3, 5))
    assert np.abs(halved - coarse).max() < 0.1
    np.testing.assert_allclose(field.rasterise(GRID.slab(2, 5)), coarse[2:5], atol=1e-6)


def test_a_quarter_turn_is_to_the_left():
    plain = blocks(GRID.height)
    turned = Placed(plain, np.pi / 2).rasterise(GRID)
    expected = np.rot90(plain.rasterise(GRID), axes=(1, 2))
    assert np.sqrt(((turned - expected) ** 2).mean()) < 0.02


def test_turning_the_object_is_turning_the_beam_back():
    """Projected at θ, an object turned by φ is the object projected at θ − φ."""
    angles, turn = np.deg2rad([0, 20, 75, 160]), np.deg2rad(33)
    plain = circuit(rng(2), 1 / 64, process="coarse", cut="cuboid")
    fine = Grid.cubic(64, 1).finer(1, 4)
    turned = project(Placed(plain, turn).rasterise(fine), angles, 64, factor=4)
    still = project(plain.rasterise(fine), angles - turn, 64, factor=4)
    assert np.linalg.norm(turned - still) < 5e-3 * np.linalg.norm(still)


def test_enlarging_is_drawing_on_smaller_voxels():
    plain = circuit(rng(), 0.2)
    enlarged = Placed(plain, zoom=2).rasterise(GRID)
    inner = plain.rasterise(Grid.cubic(128, 8))[:, 32:96, 32:96]
    np.testing.assert_allclose(enlarged, inner, atol=1e-6)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_come_with_scikit_image(name):
    """Each is in the installed package, grey from black to white, and not so large that reading it hurts."""
    image = picture(name)
    assert image.ndim == 2
    assert 150 < min(image.shape) < 1024
    assert (image.min(), image.max()) == (0, 1)
    assert image.std() > 0.1


def test_a_picture_that_is_not_there():
    with pytest.raises(OptionError, match=r"data/nothing\.png; the installed one does not"):
        picture("nothing.png")


def test_nothing_is_fetched(monkeypatch, tmp_path):
    """Neither the network nor a cache is touched: a picture is read from where the package is."""
    import socket

    import skimage.io

    read = []
    monkeypatch.setattr(socket, "socket", lambda *a, **k: pytest.fail("the network was used"))
    monkeypatch.setattr(skimage.io, "imread", lambda path: read.append(Path(path)) or np.eye(300))
    picture.__wrapped__("camera.png")
    assert [path.parent for path in read] == [Path(skimage.__file__).parent / "data"]


def test_sheets():
    """A picture stands upright, row 0 at the top; on a slope it moves along with z."""
    image = np.zeros((100, 100), np.float32)
    image[20:30, 60:70] = 1  # above the middle, to the right
    sheet = Sheet(-1, 1, image, 0.01, (49.5, 49.5), (0.0, 0.5))
    grid = Grid.cubic(50, 20)
    volume = Pictures((sheet,), 0.0).rasterise(grid)
    columns = volume.sum(axis=1) @ np.arange(50) / volume.sum(axis=(1, 2))
    rows = volume.sum(axis=2) @ np.arange(50) / volume.sum(axis=(1, 2))
    np.testing.assert_allclose(rows, (24.5 + 0.5) / 2 - 0.5, atol=1e-4)
    np.testing.assert_allclose(columns, (64.5 + 0.5) / 2 - 0.5 + 0.5 * (np.arange(20) - 9.5), atol=1e-4)


def test_volumes_of_pictures_differ_from_slice_to_slice():
    """Some pictures stand straight, most change along the axis; all fill the pillar and nothing else."""
    grid = Grid.cubic(32, 8)
    outside = np.hypot(grid.centres(1)[:, None], grid.centres(2)) > 0.49
    changes = []
    for seed in range(8):
        volume = pictures(rng(seed), grid.height).rasterise(grid)
        assert not volume[:, outside].any()
        assert (volume.min(), volume.max()) >= (0, 0.3)
        changes.append(np.abs(np.diff(volume, axis=0)).max() > 0.05)
    assert 2 <= sum(changes) <= 7


def test_micrograph_has_texture_where_the_circuit_is_flat():
    """Within the same outline and along the same lines: grainy metal, bright edges, shaded ground."""
    grid = Grid.cubic(128, 4).finer(1, 2)
    plain = circuit(rng(1), grid.height, process="coarse").rasterise(grid)
    rough = micrograph(rng(1), grid.height, process="coarse").rasterise(grid)
    assert np.corrcoef(plain.ravel(), rough.ravel())[0, 1] > 0.85
    assert not rough[:, np.hypot(grid.centres(1)[:, None], grid.centres(2)) > 0.48].any()
    metal = plain == 1
    assert plain[metal].std() == 0
    assert 0.05 < rough[metal].std() < 0.5
    assert rough.min() >= 0


@pytest.mark.parametrize("kind", [Labyrinth, Gratings, Shards])
def test_patterns(kind):
    """Of every kind: in a pillar, contrasted, and different from slice to slice."""
    drawn = (pattern(rng(seed), GRID.height) for seed in range(60))
    volume = next(one for one in drawn if isinstance(one, kind)).rasterise(GRID)
    assert not volume[:, 0, 0].any()
    assert volume.min() >= 0
    assert 0.5 < volume.max() < 1.5
    assert volume.std() > 0.1
    assert np.abs(volume[0] - volume[-1]).max() > 0.2
