"""Angles: one arc or several, and what is lost of them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.twin.plan import kept_projections, planned_angles, planned_arcs


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("arcs", "missing", "centre"), [(2, 96, 90), (3, 60, 10), (5, 120, -70)])
def test_arcs(arcs, missing, centre, seed):
    """So many gaps, as wide together as what is missing, the widest about the wedge's middle; all angles used."""
    angles = planned_arcs(rng(seed), 90, missing, centre, arcs)
    assert len(angles) == 90
    assert (np.diff(angles) > 0).all()
    turn = np.sort(np.rad2deg(angles) % 180)
    gaps = np.diff(turn, append=turn[0] + 180)
    order = np.argsort(gaps)[::-1][:arcs]
    assert gaps[order].sum() == pytest.approx(missing)
    middle = turn[order[0]] + gaps[order[0]] / 2
    assert (middle - centre + 90) % 180 - 90 == pytest.approx(0, abs=1e-6)
    # within the arcs the step is about the same everywhere
    steps = np.delete(gaps, order)
    assert steps.max() < 1.6 * steps.min()


@pytest.mark.parametrize("missing", [0.0, 60.0])
def test_one_arc(missing):
    expected = planned_angles(31, missing, 20)
    np.testing.assert_array_equal(planned_arcs(rng(), 31, missing, 20, 1), expected)
    np.testing.assert_array_equal(planned_arcs(rng(), 31, 0.0, 20, 4), planned_angles(31, 0.0, 20))


def test_more_arcs_than_angles():
    assert len(planned_arcs(rng(), 3, 60, 0, 10)) == 3
    assert len(planned_arcs(rng(), 1, 60, 0, 10)) == 1


def test_lost():
    """The part that is asked for; with more lost, those that stay are among those that stayed."""
    few, many = kept_projections(rng(), 200, 0.1), kept_projections(rng(), 200, 0.6)
    assert (len(few), len(many)) == (180, 80)
    assert set(many) < set(few)
    assert (np.diff(few) > 0).all()
    assert len(kept_projections(rng(), 7, 0.99)) == 1
    np.testing.assert_array_equal(kept_projections(rng(), 7, 0.0), np.arange(7))
