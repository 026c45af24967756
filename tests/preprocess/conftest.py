"""A parent that remembers what was read from it, and a phantom whose projections are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.frames import LazyFrames
from napari_pfitre.scans import TomoScan

#: x, y from the axis, radius, all in shares of the detector's width, and density: asymmetric, well inside the view
DISCS = ((0.02, 0.01, 0.30, 0.5), (0.15, 0.1, 0.07, 1.0), (-0.12, 0.14, 0.04, -0.4), (0.05, -0.2, 0.05, 1.5))


class Recorder(LazyFrames):
    """An array that notes every region read."""

    def __init__(self, data: np.ndarray):
        self.data = data
        self.shape, self.dtype = data.shape, data.dtype
        self.regions: list[tuple[slice, slice, slice]] = []

    def read(self, frames, rows, columns):
        self.regions.append((frames, rows, columns))
        return self.data[frames, rows, columns].copy()


@pytest.fixture(scope="session")
def recorder():
    return Recorder


@pytest.fixture(scope="session")
def discs():
    """A function: angles and detector → line integrals (angle, row, column) of discs, averaged over each column."""

    def project(angles, width=128, height=3, centre=None, peak=1.5, fine=4):
        centre = (width - 1) / 2 if centre is None else centre
        at = np.arange(width * fine) / fine + (1 / fine - 1) / 2
        sinogram = np.zeros((len(angles), width * fine))
        for x, y, radius, density in DISCS:
            middle = centre + width * (x * np.cos(angles) + y * np.sin(angles))
            chord = np.maximum((width * radius) ** 2 - (at - middle[:, None]) ** 2, 0)
            sinogram += density * 2 * np.sqrt(chord)
        sinogram = sinogram.reshape(len(angles), width, fine).mean(axis=2)
        sinogram *= peak / sinogram.max()
        return np.repeat(sinogram[:, None], height, axis=1).astype(np.float32)

    return project


@pytest.fixture
def counts(discs):
    """A scan in uint16 counts with flats, darks, a beam profile and no noise, and its line integrals."""
    angles = np.deg2rad(np.arange(0, 180, 3.0))
    p = discs(angles, width=96, height=5)
    rng = np.random.default_rng(2)
    dark = rng.integers(90, 110, p.shape[1:])
    beam = rng.integers(40000, 50000, p.shape[1:])
    data = np.round(dark + beam * np.exp(-p)).astype(np.uint16)
    flats = np.repeat((dark + beam)[None], 5, axis=0).astype(np.uint16)
    darks = np.repeat(dark[None], 5, axis=0).astype(np.uint16)
    return TomoScan(data, angles, flats=flats, darks=darks, centre=47.5, name="discs"), p
