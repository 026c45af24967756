"""Angles modulo half a turn."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.angles import angular_weights, half_turn


def test_angular_weights():
    """Shares of the half turn: equal steps share equally, doubles share, wedges claim nothing"""
    full = np.deg2rad(np.arange(0, 180, 2.0))
    np.testing.assert_allclose(angular_weights(full), np.deg2rad(2))
    np.testing.assert_allclose(angular_weights(np.append(full, np.pi))[[0, -1]], np.deg2rad(1))
    wedge = np.deg2rad(np.arange(-60, 61, 2.0))
    np.testing.assert_allclose(angular_weights(wedge), np.deg2rad(2))
    uneven = np.deg2rad(np.concatenate([np.arange(0, 90, 1.0), np.arange(90, 180, 2.0)]))
    assert angular_weights(uneven).sum() == pytest.approx(np.pi)


def test_wedges():
    """Gaps are found modulo 180°, and sparse but even angles have none"""
    folded_together = np.deg2rad(np.concatenate([np.arange(-72, -1, 2.0), np.arange(94, 109, 1.0)]))
    turn = half_turn(folded_together)
    assert np.rad2deg(turn.gaps[turn.missing]) == pytest.approx([96])
    assert np.rad2deg(turn.angles[turn.missing]) == pytest.approx([178])
    assert not half_turn(np.deg2rad(np.arange(0, 180, 6.0))).missing.any()
    assert not half_turn(np.deg2rad(np.arange(0, 360, 1.0))).missing.any()
    assert half_turn(np.deg2rad(np.arange(0, 361, 1.0))).counts.max() == 3
    assert half_turn([0.1]).gaps == pytest.approx([np.pi])
