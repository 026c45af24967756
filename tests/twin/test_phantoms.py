"""Objects are described once and drawn on any grid."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.twin import PROCESSES, Grid, circuit
from napari_pfitre.twin.layers import Drawing, Layer, Layers
from napari_pfitre.twin.patterns import pattern
from napari_pfitre.twin.phantoms import blocks, ellipsoids, foam, grains, shepp_logan
from napari_pfitre.twin.pictures import pictures
from napari_pfitre.twin.placing import Placed
from napari_pfitre.twin.texture import micrograph

GRID = Grid.cubic(64, 8)


def rng(seed=0):
    return np.random.default_rng(seed)


def halved(volume):
    z, y, x = volume.shape
    return volume.reshape(z // 2, 2, y // 2, 2, x // 2, 2).mean(axis=(1, 3, 5))


@pytest.mark.parametrize(
    ("phantom", "tolerance"),
    [
        (blocks(GRID.height), 1e-6),
        (circuit(rng(), GRID.height, cut="lamella"), 1e-6),
        (circuit(rng(), GRID.height, cut="pillar"), 0.005),
        (ellipsoids(rng(), GRID.height), 0.02),
        (foam(rng(), GRID.height), 0.03),
        (grains(rng(), GRID.height), 0.02),
        (shepp_logan(), 0.02),
        (circuit(rng(), GRID.height, cut="cuboid"), 1e-6),
        (micrograph(rng(), GRID.height, process="coarse"), 0.05),
        (pictures(rng(1), GRID.height), 0.02),
        (pattern(rng(4), GRID.height), 0.03),
        (pattern(rng(1), GRID.height), 0.05),
        (pattern(rng(0), GRID.height), 0.02),
        (Placed(circuit(rng(), GRID.height, cut="cuboid"), 0.4, 1.2), 0.03),
    ],
    ids=[
        "blocks",
        "lamella",
        "pillar",
        "ellipsoids",
        "foam",
        "grains",
        "shepp-logan",
        "cuboid",
        "micrograph",
        "pictures",
        "labyrinth",
        "gratings",
        "shards",
        "turned",
    ],
)
def test_finer_grid_is_the_same_object(phantom, tolerance):
    """The mean of a raster twice as fine is the raster: exactly for rectangles, nearly for what is round."""
    coarse, fine = phantom.rasterise(GRID), phantom.rasterise(GRID.finer(2, 2))
    assert coarse.shape == GRID.shape
    assert coarse.dtype == np.float32
    assert np.sqrt(((halved(fine) - coarse) ** 2).mean()) < tolerance * coarse.max()
    assert fine.mean() == pytest.approx(coarse.mean(), rel=0.02)


def test_margin_is_more_of_the_same():
    """Slices added above and below leave the others as they are."""
    phantom = circuit(rng(), GRID.height)
    np.testing.assert_allclose(phantom.rasterise(GRID.slab(-3, 11))[3:-3], phantom.rasterise(GRID), atol=1e-6)


def test_overlapping_rectangles_are_a_union():
    """Areas to rounding, though the edges fall between pixels and one rectangle covers part of the other."""
    boxes = np.array([(-0.31, 0.1, -0.2, 0.22), (-0.1, 0.33, -0.05, 0.07)])
    layer = Layer(-1, 1, Drawing(boxes, np.array([1.0, 2.0])))
    image = Layers((layer,)).rasterise(Grid.cubic(10, 1))
    overlap, second = 0.2 * 0.12, 0.43 * 0.12
    assert image.sum() / 100 == pytest.approx(0.41 * 0.42 - overlap + 2 * second, rel=1e-6)


def test_sphere_has_its_volume():
    from napari_pfitre.twin.phantoms import _balls

    sphere = _balls(np.array([[0.02, -0.1, 0.07]]), np.array([0.23]), np.array([1.0]))
    volume = sphere.rasterise(Grid.cubic(64, 64)).sum() / 64**3
    assert volume == pytest.approx(4 / 3 * np.pi * 0.23**3, rel=2e-3)


def test_blocks_have_no_symmetry():
    """No turn, flip or reversal of the stack gives the blocks back, so a test with them sees any of these."""
    volume = blocks(GRID.height).rasterise(GRID)
    for turn in range(4):
        for flip in (False, True):
            for reverse in (False, True):
                other = np.rot90(volume, turn, axes=(1, 2))
                other = other[:, :, ::-1] if flip else other
                other = other[::-1] if reverse else other
                same = turn == 0 and not flip and not reverse
                assert np.array_equal(other, volume) == same
    assert volume[0, :32].sum() > volume[0, 32:].sum()  # the F's arms are at the top: row 0


def test_shepp_logan_upright():
    """Skull 1, brain 0.2, ventricles 0, the wider one to the left, the small tumours below."""
    image = shepp_logan().rasterise(Grid.cubic(128, 1))[0]

    def at(x, y):  # in half fields of view, y up
        return image[round((1 - y) * 63.5), round((1 + x) * 63.5)]

    assert at(0, 0.9) == pytest.approx(1)
    assert at(0.22, 0) == pytest.approx(0, abs=1e-6)
    assert at(-0.22, 0) == pytest.approx(0, abs=1e-6)
    assert at(0, -0.35) == pytest.approx(0.2)
    assert at(0, -0.606) == pytest.approx(0.3, abs=0.02)
    assert (image[:, :64] < 0.01)[40:80, 30:].sum() > (image[:, 64:] < 0.01)[40:80, :34].sum()


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("cut", ["pillar", "lamella", "cuboid"])
def test_circuit(process, cut):
    """Copper in a lighter dielectric, nothing outside, nothing negative; it stays in view at every angle."""
    grid = Grid.cubic(96, 24)
    volume = circuit(rng(3), grid.height, process=process, cut=cut).rasterise(grid)
    y, x = grid.centres(1)[:, None], grid.centres(2)
    assert volume.min() >= 0
    assert volume.max() == pytest.approx(1, abs=0.3)
    assert not volume[:, np.hypot(y, x) > 0.5].any()
    metal = (volume > 0.9).sum() / (volume > 0.05).sum()
    assert 0.05 < metal < 0.6


def test_layers_run_across_each_other():
    """In a tall pillar wires of successive metal layers are at right angles."""
    grid = Grid.cubic(128, 64)
    volume = circuit(rng(1), grid.height).rasterise(grid)
    middle = volume[:, 40:88, 40:88]
    along_x = np.abs(np.diff(middle, axis=1)).sum(axis=(1, 2)) / (1 + np.abs(np.diff(middle, axis=2)).sum(axis=(1, 2)))
    busy = (middle > 0.9).mean(axis=(1, 2)) > 0.25
    senses = np.sign(np.log(along_x[busy]))
    assert (np.diff(senses) != 0).sum() >= 3


def test_seed_decides():
    drawings = [circuit(rng(seed), 0.1).rasterise(Grid.cubic(64, 4)) for seed in (5, 5, 6)]
    assert np.array_equal(drawings[0], drawings[1])
    assert not np.array_equal(drawings[0], drawings[2])


def test_bubbles_do_not_overlap():
    from napari_pfitre.twin.phantoms import _packed

    centres, radii = _packed(rng(), 0.3, rng(1).uniform(0.02, 0.08, 150), 0.45, 0.004)
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert len(radii) > 50
    assert (distance > radii[:, None] + radii[None]).all()
    assert (np.hypot(centres[:, 1], centres[:, 2]) + radii < 0.45).all()
    assert foam(rng(), 0.1).rasterise(Grid.cubic(64, 6)).min() > -1e-6
    assert grains(rng(), 0.1).rasterise(Grid.cubic(64, 6)).min() > -1e-6


def test_grains_pack_closely_when_crowded():
    grid = Grid.cubic(48, 8)
    loose, close = (
        np.mean([(grains(rng(seed), grid.height, crowd=crowd).rasterise(grid) > 0.4).mean() for seed in range(4)])
        for crowd in (450, 1500)
    )
    assert close > 1.15 * loose
