"""What stands between a volume and its network: scale, slabs, the unmeasured part, batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from napari_pfitre.operators.coverage import unmeasured, unmeasured_part
from napari_pfitre.priors import NetworkPrior
from napari_pfitre.priors.network import condition, robust_scale, slabs

ANGLES = np.deg2rad(np.linspace(-50, 50, 41))


class Part(nn.Module):
    """A network that hands out one of its inputs."""

    slices = 3

    def __init__(self, which):
        super().__init__()
        self.which, self.batches, self.modes, self.told = which, [], [], None

    def forward(self, slab, hidden, told):
        self.batches.append(len(slab))
        self.modes.append((self.training, torch.is_grad_enabled()))
        self.told = told
        return self.which(slab, hidden)


def stack(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("offset", "expected"), [(-1, [0, 0, 1, 2]), (0, [0, 1, 2, 3]), (1, [1, 2, 3, 3])])
def test_a_slab_has_the_neighbours_and_repeats_the_ends(offset, expected):
    v = stack(4, 12, 13)
    prior = NetworkPrior(Part(lambda slab, hidden: slab[:, 1 + offset, None]), ANGLES, 0.01)
    torch.testing.assert_close(prior.prox(v, 1.0), v[expected], rtol=1e-6, atol=1e-7)


def test_the_network_sees_the_unmeasured_part():
    v = stack(3, 20, 24)
    prior = NetworkPrior(Part(lambda slab, hidden: hidden), ANGLES, 0.01, non_negative=False)
    mask = torch.from_numpy(unmeasured(ANGLES, (20, 24)))
    torch.testing.assert_close(prior.prox(v, 1.0), unmeasured_part(v, mask), rtol=1e-4, atol=1e-6)


def test_units_do_not_matter_and_every_slice_has_the_same():
    """A volume a thousand times brighter: the same image, brighter; a dim slice stays dim beside a bright one"""
    v = stack(4, 16, 16)
    v[2] *= 0.01
    net = Part(lambda slab, hidden: slab[:, 1:2].sqrt())
    a, b = NetworkPrior(net, ANGLES, 0.01).prox(v, 1.0), NetworkPrior(net, ANGLES, 0.01).prox(1000 * v, 1.0)
    torch.testing.assert_close(b, 1000 * a, rtol=1e-4, atol=1e-4)
    scale = robust_scale(v)
    torch.testing.assert_close(a, scale * (v / scale).sqrt())


def test_the_scale_stays_for_the_run():
    prior = NetworkPrior(Part(lambda slab, hidden: slab[:, 1:2]), ANGLES, 0.01)
    v = stack(2, 8, 8)
    prior.prox(v, 1.0)
    scale = prior.scale
    prior.prox(3 * v, 1.0)
    assert prior.scale == scale
    assert NetworkPrior(Part(None), ANGLES, 0.01, scale=2.5).scale == 2.5


def test_nothing_negative_unless_wished():
    net = Part(lambda slab, hidden: slab[:, 1:2] - 0.5)
    v = stack(2, 8, 8)
    assert NetworkPrior(net, ANGLES, 0.01).prox(v, 1.0).min() == 0
    assert NetworkPrior(net, ANGLES, 0.01, non_negative=False).prox(v, 1.0).min() < 0


def test_it_runs_without_gradients_and_in_batches():
    net = Part(lambda slab, hidden: slab[:, 1:2]).train()
    NetworkPrior(net, ANGLES, 0.01).prox(stack(9, 128, 128), 1.0)
    assert net.batches == [4, 4, 1]
    assert set(net.modes) == {(False, False)}


def test_out_of_memory_shrinks_the_batch():
    v = stack(5, 128, 128)

    def small_memory(slab, hidden):
        if len(slab) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return slab[:, 1:2]

    torch.testing.assert_close(NetworkPrior(Part(small_memory), ANGLES, 0.01).prox(v, 1.0), v)


def test_it_has_no_value():
    assert math.isnan(NetworkPrior(Part(None), ANGLES, 0.01)(stack(1, 4, 4)))


def test_what_the_network_is_told():
    told = condition(ANGLES, 64, 0.01)
    assert told.shape == (38,)
    assert told[0] == 1
    assert told[18] == 0  # 90° to 95°
    assert told[-1] == pytest.approx(0)
    assert condition(ANGLES, 64, 0.1)[-1] == pytest.approx(1)
    assert condition(ANGLES, 512, 0.01)[-2] < told[-2]


def test_the_scale_is_robust():
    """Of a block of ones: about one, with an empty margin, with noise, with a hot pixel a thousand times brighter"""
    v = torch.zeros(4, 64, 64)
    v[:, 20:44, 20:44] = 1
    noisy = v + 0.05 * torch.randn(v.shape, generator=torch.Generator().manual_seed(0))
    hot = v.clone()
    hot[0, 3, 3] = 200
    for each in (v, noisy, hot):
        assert robust_scale(each) == pytest.approx(1, rel=0.1)
    assert robust_scale(5 * v) == 5
    assert robust_scale(0 * v) == 1


def test_slabs():
    v = torch.arange(5.0)[:, None, None].expand(5, 2, 2)
    assert slabs(v, torch.tensor([0, 4]), 5)[:, :, 0, 0].tolist() == [[0, 0, 0, 1, 2], [2, 3, 4, 4, 4]]
