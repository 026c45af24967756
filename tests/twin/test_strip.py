"""The simulation's projector: exact mass, exact discs, and the geometry of a projector that others rely on."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.twin import Grid, project
from napari_pfitre.twin.layers import disc
from napari_pfitre.twin.phantoms import blocks

ANGLES = np.deg2rad([0, 30, 45, 61.3, 90, 120, 179, 200, -37])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_mass(factor):
    """The sum over the detector is the sum over the slice, at every angle and in every slice."""
    rng = np.random.default_rng(0)
    n = 24 * factor
    volume = rng.random((3, n, n)).astype(np.float32) * (disc(Grid.cubic(n, 1), 0.45) > 0)
    sums = project(volume, ANGLES, 24, factor=factor).sum(axis=2)
    np.testing.assert_allclose(sums, np.broadcast_to(volume.sum(axis=(1, 2)) / factor**2, sums.shape), rtol=1e-5)


def test_first_moment():
    """The centre of mass lands on s = x cosθ + y sinθ, with y up, whatever the centre and the displacement."""
    row, column = np.mgrid[:31, :31]  # a smooth blob: the mean over bins of a sharp one is not its own
    image = np.exp(-((column - 22) ** 2 + (row - 6) ** 2) / 4)[None]  # x = 22 − 15 = 7, y = 15 − 6 = 9
    shifts = np.linspace(-1.3, 2.1, len(ANGLES))
    sinogram = project(image, ANGLES, 40, centre=18.4, shifts=shifts)[:, 0]
    mean = sinogram @ np.arange(40) / sinogram.sum(axis=1, dtype=float)
    np.testing.assert_allclose(mean, 18.4 + 7 * np.cos(ANGLES) + 9 * np.sin(ANGLES) + shifts, atol=2e-3)


def test_one_pixel_at_45_degrees():
    """A pixel's shadow at 45° is a triangle of width √2; its share of the middle bin is the area in a strip."""
    image = np.ones((1, 1, 1), np.float32)
    shadow = project(image, np.deg2rad([45.0]), 3)[0, 0]
    outside = (np.sqrt(0.5) - 0.5) ** 2  # one corner of the pixel beyond the strip
    np.testing.assert_allclose(shadow, [outside, 1 - 2 * outside, outside], rtol=1e-5)


def test_disc_against_the_chord():
    """A disc's projection is 2 √(R² − s²), here averaged over each detector bin."""
    n, factor, radius, x0, y0 = 64, 4, 20.0, 5.0, -7.0
    grid = Grid.cubic(n * factor, 1)
    x, y = grid.centres(2)[None] * n, -grid.centres(1)[:, None] * n
    image = np.clip((radius - np.hypot(x - x0, y - y0)) * factor + 0.5, 0, 1)[None]
    sinogram = project(image, ANGLES, n, factor=factor)[:, 0]

    def chords_up_to(s):
        s = np.clip(s, -radius, radius)
        return s * np.sqrt(radius**2 - s**2) + radius**2 * np.arcsin(s / radius)

    s = np.arange(n)[None] - (n - 1) / 2 - (x0 * np.cos(ANGLES) + y0 * np.sin(ANGLES))[:, None]
    expected = chords_up_to(s + 0.5) - chords_up_to(s - 0.5)
    assert np.linalg.norm(sinogram - expected) / np.linalg.norm(expected) < 1e-3


def test_beside_the_detector_is_lost():
    """What misses the detector neither wraps round nor piles up in the outermost bins."""
    image = np.ones((1, 64, 64), np.float32)
    wide = project(image, ANGLES, 101)[:, :, 40:61]
    narrow = project(image, ANGLES, 21)
    np.testing.assert_allclose(narrow, wide, rtol=1e-5)


@pytest.mark.parametrize(("factor", "tolerance"), [(1, 1e-5), (2, 2e-2)])
def test_against_astra(factor, tolerance):
    """The strip projector of the ASTRA toolbox, an asymmetric object: same numbers, hence same sense and axes.

    Drawn twice as fine the object is another discretisation; what differs then is small, and not zero.
    """
    astra = pytest.importorskip("astra")
    n = 64
    coarse = blocks(1 / n).rasterise(Grid.cubic(n, 1))
    volume = astra.create_vol_geom(n, n)
    geometry = astra.create_proj_geom("parallel", 1.0, n, ANGLES)
    projector = astra.create_projector("strip", geometry, volume)
    number, theirs = astra.create_sino(coarse[0], projector)
    astra.data2d.delete(number)
    astra.projector.delete(projector)
    image = blocks(1 / n).rasterise(Grid.cubic(n, 1).finer(1, factor))
    ours = project(image, ANGLES, n, factor=factor)[:, 0]
    difference = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert difference < tolerance
    if factor > 1:
        assert difference > 1e-4
