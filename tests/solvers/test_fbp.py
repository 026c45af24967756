"""Filtered back-projection against what it should give, and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.transform import iradon

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.solvers.fbp import WINDOWS, fbp, ramp


def disc(n_angles=180, n=129, radius=40.0, at=(11.0, -7.0), centre=None, span=np.pi):
    """Analytic sinogram of a disc of value 1, and the distance of each pixel from its middle."""
    angles = np.linspace(0, span, n_angles, endpoint=False)
    centre = (n - 1) / 2 if centre is None else centre
    s = np.arange(n) - centre - (at[0] * np.cos(angles) + at[1] * np.sin(angles))[:, None]
    y = 2 * np.sqrt(np.maximum(radius**2 - s**2, 0))
    x = np.arange(n) - (n - 1) / 2
    distance = np.hypot(x[None, :] - at[0], -x[:, None] - at[1])
    return angles, torch.from_numpy(y.astype(np.float32)), distance


@pytest.mark.parametrize("window", WINDOWS)
def test_disc(window):
    """One inside, zero outside, whatever the window, wherever the axis"""
    angles, y, distance = disc(centre=60.5)
    x = fbp(ParallelBeam(angles, 129, centre=60.5), y[None], window=window)[0].numpy()
    assert x[distance < 34].mean() == pytest.approx(1, abs=0.01)
    assert x[(distance > 46) & (np.hypot(*np.meshgrid(*[np.arange(129) - 64] * 2)) < 55)].mean() == pytest.approx(
        0, abs=0.01
    )


def test_angles_weigh_what_they_stand_for():
    """Uneven steps, and a full turn, give the same disc"""
    uneven = np.concatenate([np.arange(0, 90, 0.5), np.arange(90, 180, 1.5)])
    for angles in (np.deg2rad(uneven), np.deg2rad(np.arange(360))):
        s = np.arange(129) - 64.0
        y = torch.from_numpy(np.tile(2 * np.sqrt(np.maximum(900 - s**2, 0)), (len(angles), 1)).astype(np.float32))
        x = fbp(ParallelBeam(angles, 129), y[None])[0].numpy()
        assert x[50:79, 50:79].mean() == pytest.approx(1, abs=0.01)


def test_against_scikit_image():
    """The same object as iradon finds, up to its linear interpolation"""
    angles, y, distance = disc()
    ours = fbp(ParallelBeam(angles, 129), y[None], window="hann")[0].numpy()
    theirs = iradon(y.numpy().T, np.rad2deg(angles), filter_name="hann", circle=True)
    inside = distance < 36
    assert np.abs(ours - theirs)[inside].mean() < 0.01


def test_ramp():
    """|ν| up to the cut-off but for the mean, nothing beyond"""
    nu = np.abs(np.fft.fftfreq(512))
    np.testing.assert_allclose(ramp(512), nu, atol=1e-3)
    assert np.all(ramp(512, "hann", 0.5)[nu > 0.251] == 0)
    assert 0 < ramp(512)[0] < 1e-3
