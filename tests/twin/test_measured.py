"""A user's own volume as an object of the twin."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.errors import OptionError
from napari_pfitre.twin.grid import Grid
from napari_pfitre.twin.measured import as_object
from napari_pfitre.twin.scenes import Scenes


@pytest.fixture(scope="module")
def volume():
    z, y, x = np.mgrid[:20, :40, :40]
    inside = (y - 20) ** 2 + (x - 17) ** 2 < 100
    return (inside * (1 + 0.5 * (z > 9)) * 3e-3).astype(np.float32)


def test_it_is_drawn_as_it_is_on_its_own_grid(volume):
    drawn = as_object(volume).rasterise(Grid.cubic(40, 20))
    np.testing.assert_allclose(drawn, volume / 4.5e-3, atol=1e-5)


def test_a_coarser_grid_has_the_averages(volume):
    drawn = as_object(volume).rasterise(Grid.cubic(20, 10))
    np.testing.assert_allclose(drawn, volume.reshape(10, 2, 20, 2, 20, 2).mean((1, 3, 5)) / 4.5e-3, atol=1e-5)


def test_beyond_its_ends_the_last_slices_go_on(volume):
    drawn = as_object(volume).rasterise(Grid.cubic(40, 40))
    np.testing.assert_allclose(drawn[0], drawn[10], atol=1e-6)
    np.testing.assert_allclose(drawn[-1], drawn[29], atol=1e-6)


def test_scenes_of_it(volume):
    scenes = Scenes(1, size=32, slices=3, mixture=(("own", 1.0),), own=(as_object(volume),), spoil=0.0)
    kinds = {scenes[i].kind for i in range(4)}
    assert kinds == {"own"}
    assert all(0.3 < scenes[i].truth.max() < 1.2 for i in range(4))
    np.testing.assert_array_equal(scenes[2].sinograms, scenes[2].sinograms)
    assert not np.array_equal(scenes[0].truth, scenes[1].truth)


@pytest.mark.parametrize("wrong", [np.zeros((4, 20, 20)), np.ones((4, 3, 20)), np.ones((20, 20))])
def test_what_cannot_be_learnt_from_is_told(wrong):
    with pytest.raises(OptionError, match="to learn from"):
        as_object(wrong)


def test_own_objects_need_to_be_given():
    with pytest.raises(OptionError, match="no volume is given"):
        Scenes(1, mixture=(("own", 1.0),))
