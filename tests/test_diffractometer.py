"""Angles → reciprocal space: worked by hand, against the measured case of scan 54, and against xrayutilities."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.diffractometer import DIFFRACTOMETERS, bragg_geometry, rotation, wavelength
from napari_pfitre.errors import ScanError

#: scan 54 of the shared data, from its SPEC file
SCAN_54 = {"theta": 0.2200042, "chi": 90.0, "phi": -5.0, "delta": 32.174, "gamma": 12.6346}
SETUP = {"energy_kev": 9.0, "distance": 0.5, "pixel_size": (55e-6, 55e-6)}
ID01 = {"mu": 0.0, "eta": 17.4, "phi": 30.0, "nu": 4.0, "delta": 35.2}
P10 = {"mu": 0.0, "om": 16.2, "chi": 90.0, "phi": 3.5, "gam": 2.1, "del": 33.1}


def radians(degrees: dict[str, float]) -> dict[str, float]:
    return {name: float(np.deg2rad(value)) for name, value in degrees.items()}


STEP = float(np.deg2rad(0.005))


def geometry(name="34-ID-C", angles=SCAN_54, scanned="theta", step=STEP, **setup):
    return bragg_geometry(DIFFRACTOMETERS[name], radians(angles), scanned, step, **(SETUP | setup))


def test_scan_54():
    """Worked out once with a formula of its own, to all digits that were written down."""
    made = geometry()
    np.testing.assert_allclose(made.q * 1e-9, (23.699, 9.976, -7.939), atol=6e-4)
    assert wavelength(9.0) == pytest.approx(0.137760e-9, rel=1e-5)
    assert made.spacing == pytest.approx(2.3348e-10, rel=1e-4)  # gold 111 is 2.3555 Å, 0.9 % off
    frame, row, column = made.steps * 1e-9
    np.testing.assert_allclose(column, (4.2466e-3, 0, -2.6715e-3), atol=5e-7)
    np.testing.assert_allclose(row, (5.8435e-4, -4.8956e-3, 9.2887e-4), atol=5e-7)
    np.testing.assert_allclose(frame, (6.928e-4, 0, 2.0681e-3), atol=5e-7)
    voxels = np.linalg.norm(made.voxels((201, 256, 256)), axis=1) * 1e9
    np.testing.assert_allclose(voxels * (201, 256, 256), (3038.1, 1283.4, 1290.6), atol=0.1)


def test_turning_the_sample_turns_what_a_pixel_sees_the_other_way():
    """The point of the sample's reciprocal lattice that a pixel sees after a step is where `steps` says it is."""
    for scanned in ("theta", "chi", "phi"):
        step = 1e-5
        made = geometry(scanned=scanned, step=step)
        circles = DIFFRACTOMETERS["34-ID-C"].sample
        before, after = np.eye(3), np.eye(3)
        for name, axis in circles:
            angle = np.deg2rad(SCAN_54[name])
            before = before @ rotation(axis, angle)
            after = after @ rotation(axis, angle + (step if name == scanned else 0))
        seen = before @ after.T @ made.q  # in the sample at the first angle, turned into the laboratory
        np.testing.assert_allclose(seen - made.q, made.steps[0], rtol=1e-4, atol=1e-8 * step * np.linalg.norm(made.q))


def test_pixels_beside_the_direct_beam_are_other_angles():
    """A pixel above the one at the arm's angle is what the arm would see if it were turned a little further."""
    pixels = 100
    further = np.arctan(pixels * 55e-6 / 0.5)
    turned = geometry(angles=SCAN_54 | {"gamma": SCAN_54["gamma"] + np.rad2deg(further)})
    np.testing.assert_allclose(geometry(from_beam=(-pixels, 0)).q, turned.q, rtol=1e-12, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "angles", "scanned"),
    [
        ("34-ID-C", SCAN_54, "theta"), ("34-ID-C", SCAN_54, "phi"), ("ID01", ID01, "eta"), ("P10", P10, "om"),
        ("P10", P10, "phi"),
    ],
)  # fmt: skip
def test_xrayutilities_agrees(name, angles, scanned):
    xu = pytest.importorskip("xrayutilities")
    about = DIFFRACTOMETERS[name]
    # xrayutilities' own frame is another one, but any right-handed frame gives the same vectors back
    convert = xu.QConversion([axis for _, axis in about.sample], [axis for _, axis in about.detector], (0, 0, 1),
                             en=9000.0)  # fmt: skip
    convert.init_area(about.row, about.column, cch1=0, cch2=0, Nch1=3, Nch2=3, distance=0.5, pwidth1=55e-6,
                      pwidth2=55e-6)  # fmt: skip
    step = 0.005

    def seen(offset: float) -> np.ndarray:
        """(3, row, column): Q in the sample, nm → 1/m."""
        values = [angles[motor] + (offset if motor == scanned else 0) for motor in about.motors]
        return np.array(convert.area(*values)) * 1e10

    now, then = seen(0.0), seen(step)
    sample = np.eye(3)
    for motor, axis in about.sample:
        sample = sample @ rotation(axis, np.deg2rad(angles[motor]))
    made = geometry(name, angles, scanned, np.deg2rad(step))
    np.testing.assert_allclose(sample @ now[:, 0, 0], made.q, rtol=1e-6, atol=1e3)
    size = np.linalg.norm(made.steps, axis=1)
    for axis, difference in enumerate((then - now, now[:, 1:] - now[:, :-1], now[:, :, 1:] - now[:, :, :-1])):
        np.testing.assert_allclose(sample @ difference[:, 0, 0], made.steps[axis], atol=2e-3 * size[axis])


def test_circles_that_the_scanned_one_carries_do_not_count():
    carried = {name: angle for name, angle in P10.items() if name not in ("chi", "phi")}
    alone, all_told = (geometry("P10", angles, "om") for angles in (carried, P10))
    np.testing.assert_array_equal(alone.steps, all_told.steps)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scanned": "delta"}, "no sample circle of 34-ID-C; it has theta, chi, phi"),
        ({"step": 0.0}, "frames at one angle"),
        ({"angles": {"theta": 1.0}}, "needs the angles delta, gamma"),
        ({"angles": {"delta": 1.0, "gamma": 1.0}, "scanned": "phi"}, "needs the angles theta, chi as well"),
    ],
)
def test_what_cannot_be(changes, said):
    with pytest.raises(ScanError, match=said):
        geometry(**changes)
