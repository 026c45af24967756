"""The end of an iteration, without all that came before it."""

from __future__ import annotations

import weakref

import pytest
import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.priors import TotalVariation
from napari_pfitre.solvers import last, smooth_step


def test_the_last_comes_back():
    assert last(iter(range(5))) == 4


def test_without_any_there_is_no_last():
    with pytest.raises(IndexError):
        last([])


class Watched:
    """A prior that counts how many of its images are alive."""

    def __init__(self):
        self.prior = TotalVariation(0.1, dimensions=3, non_negative=True)
        self.alive: weakref.WeakSet = weakref.WeakSet()
        self.most = 0

    def prox(self, v, step):
        x = self.prior.prox(v, step)
        self.alive.add(x)
        self.most = max(self.most, len(self.alive))
        return x


def test_a_data_step_holds_few_images():
    """Those of FISTA's momentum, whatever the number of steps: volumes are too large to be kept."""
    A = ParallelBeam([0.0, 0.7, 1.5], 16)
    z = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0))
    watched = Watched()
    smooth_step(A, A.normal(z), z, 0.1 * A.diagonal(), watched)
    assert watched.most <= 3
