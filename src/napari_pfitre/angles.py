"""Angles modulo half a turn: parallel projections at θ and θ + π hold the same data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["HalfTurn", "angular_weights", "half_turn"]


class HalfTurn(NamedTuple):
    """Distinct angles modulo π, ascending, and the gap from each to the next (round the corner for the last)."""

    angles: np.ndarray
    gaps: np.ndarray
    missing: np.ndarray  #: which gaps are missing wedges: over 3° and over three times the median step
    inverse: np.ndarray  #: for each angle given, its index in `angles`
    counts: np.ndarray  #: how often each was given


def half_turn(angles: np.ndarray) -> HalfTurn:
    """Fold angles (radians) into the half turn; a nanoradian apart is the same."""
    folded = np.round(np.asarray(angles, dtype=float) % np.pi, 9) % np.round(np.pi, 9)
    unique, inverse, counts = np.unique(folded, return_inverse=True, return_counts=True)
    gaps = np.diff(unique, append=unique[0] + np.pi)
    missing = gaps > max(np.deg2rad(3.0), 3 * float(np.median(gaps))) * (1 + 1e-6)
    return HalfTurn(unique, gaps, missing, inverse, counts)


def angular_weights(angles: np.ndarray) -> np.ndarray:
    """The share of the half turn, radians, that each angle stands for in a sum over angles.

    Half the way to each neighbour modulo π; angles measured twice share. A missing wedge is claimed by nobody: at its
    edges an angle reaches as far as on its other side.
    """
    turn = half_turn(angles)
    if len(turn.angles) == 1:
        return np.full(len(turn.inverse), np.pi / len(turn.inverse))
    after = np.where(turn.missing, np.roll(turn.gaps, 1), turn.gaps)
    before = np.where(np.roll(turn.missing, 1), turn.gaps, np.roll(turn.gaps, 1))
    alone = turn.missing & np.roll(turn.missing, 1)  # a single angle between two wedges
    usual = float(np.median(turn.gaps))
    share = np.where(alone, usual, (after + before) / 2) / turn.counts
    return share[turn.inverse]
