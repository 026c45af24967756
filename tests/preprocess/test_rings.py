"""Rings go where there are rings; where there are none every method costs something, so none is the default."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from napari_pfitre.errors import OptionError, ScanError
from napari_pfitre.options import describe
from napari_pfitre.preprocess import RING_METHODS, PrepareOptions, remove_rings
from napari_pfitre.scans import TomoScan

needs_tomopy = pytest.mark.skipif(
    importlib.util.find_spec("tomopy") is None,
    reason="TomoPy, which conda-forge has, is not installed: its ring removal is not tested",
)
ALGOTOM = [name for name in RING_METHODS if name != "none" and not name.startswith("tomopy")]
TOMOPY = [pytest.param(f"tomopy-{name}", marks=needs_tomopy) for name in ("fw", "ti", "sf")]
FULL, LIMITED = np.arange(0, 180, 1.0), np.arange(-60, 60, 1.0)


def ringed(discs, degrees, strength=0.02) -> tuple[TomoScan, np.ndarray]:
    """Line integrals with a wrong gain in every column, and without."""
    angles = np.deg2rad(degrees)
    p = discs(angles, width=160, height=2)
    rng = np.random.default_rng(4)
    gain = 1 + strength * rng.standard_normal((1, *p.shape[1:]))
    t = np.exp(-p) * gain * (1 + 0.002 * rng.standard_normal(p.shape))
    return TomoScan(-np.log(t).astype(np.float32), angles, quantity="line integrals"), p


def ring_energy(p, clean) -> float:
    """What of the error stays the same at all angles, once smooth in the column, as a root mean square."""
    profile = (p - clean).mean(axis=0)
    return float(np.sqrt((np.diff(profile, axis=-1) ** 2).mean()))


def error(p, clean) -> float:
    return float(np.linalg.norm(p - clean) / np.linalg.norm(clean))


@pytest.mark.parametrize("degrees", [FULL, LIMITED], ids=["180", "120"])
@pytest.mark.parametrize("method", ["filtering", "fitting", "sorting", "large"])
def test_rings_go_and_the_object_stays(discs, method, degrees):
    scan, clean = ringed(discs, degrees)
    result = remove_rings(scan, method).projections[:]
    assert ring_energy(result, clean) < 0.5 * ring_energy(scan.projections, clean)
    assert error(result, clean) < error(scan.projections, clean)


@pytest.mark.parametrize("method", ["filtering", "fitting", "sorting", "large", "all"])
def test_without_rings_no_method_helps(discs, method):
    """Measured again here: the reason for the default."""
    scan, clean = ringed(discs, LIMITED, strength=0)
    assert error(remove_rings(scan, method).projections[:], clean) > error(scan.projections, clean)
    (option,) = (option for option in describe(PrepareOptions) if option.name == "rings")
    assert option.default == "none"
    assert remove_rings(scan, "none") is scan


@pytest.mark.parametrize("method", [*ALGOTOM, *TOMOPY])
def test_values_stay_finite_on_empty_rows(method):
    """Air: nothing to correct, nothing to break."""
    angles = np.deg2rad(FULL)
    scan = TomoScan(np.zeros((180, 1, 64), np.float32), angles, quantity="line integrals")
    result = remove_rings(scan, method).projections[:]
    np.testing.assert_allclose(result, 0, atol=1e-5)


@pytest.mark.parametrize("method", [*ALGOTOM, *TOMOPY])
def test_a_beam_that_flickers_has_no_rings(method):
    """All columns alike at every angle, though not from angle to angle"""
    flicker = 1 + 0.05 * np.random.default_rng(3).random((180, 1, 1))
    scan = TomoScan(
        np.broadcast_to(flicker, (180, 1, 64)).astype(np.float32), np.deg2rad(FULL), quantity="transmission"
    )
    np.testing.assert_allclose(remove_rings(scan, method).projections[:], scan.projections, atol=0.03)


def test_transmission_and_line_integrals_agree(discs):
    """A gain multiplies counts: line integrals are corrected as the transmission they came from."""
    scan, _ = ringed(discs, FULL)
    t = scan.replace(projections=np.exp(-scan.projections), quantity="transmission")
    expected = -np.log(remove_rings(t, "fitting").projections[:])
    np.testing.assert_allclose(remove_rings(scan, "fitting").projections[:], expected, atol=1e-4)


def test_only_the_rows_asked_for_are_read(discs, recorder):
    scan, _ = ringed(discs, FULL)
    parent = recorder(np.repeat(scan.projections, 10, axis=1))
    layer = remove_rings(scan.replace(projections=parent)).projections
    part = layer[30:40, 4:7, 5:9]
    assert part.shape == (10, 3, 4)
    assert parent.regions == [(slice(0, 180), slice(4, 7), slice(0, 160))]
    np.testing.assert_array_equal(part, layer[:, 4:7][30:40, :, 5:9])


def test_what_it_refuses(discs):
    scan, _ = ringed(discs, FULL)
    with pytest.raises(OptionError, match="knows none, filtering"):
        remove_rings(scan, "magic")
    with pytest.raises(OptionError, match="at least 3"):
        remove_rings(scan, width=1)
    with pytest.raises(ScanError, match="no pixels with a gain"):
        remove_rings(scan.replace(quantity="emission"))


@pytest.mark.parametrize("degrees", [FULL, LIMITED], ids=["180", "120"])
@pytest.mark.parametrize("method", TOMOPY)
def test_tomopy_takes_rings_and_leaves_the_object(discs, method, degrees):
    scan, clean = ringed(discs, degrees)
    result = remove_rings(scan, method).projections[:]
    assert ring_energy(result, clean) < 0.5 * ring_energy(scan.projections, clean)
    assert error(result, clean) < 0.7 * error(scan.projections, clean)


@pytest.mark.parametrize("method", TOMOPY)
def test_tomopy_takes_each_row_for_itself(discs, method):
    scan, _ = ringed(discs, FULL)
    layer = remove_rings(scan, method).projections
    np.testing.assert_allclose(layer[:, 1:2], layer[:][:, 1:2], atol=1e-5)
