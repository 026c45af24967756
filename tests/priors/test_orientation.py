"""Slices and angular coverage turned together, to where the network knows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.networks import SlabNet
from napari_pfitre.operators.coverage import angular_coverage, unmeasured, unmeasured_part
from napari_pfitre.priors import NetworkPrior
from napari_pfitre.priors.orientation import Orientation, orientation


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_angles_turn_with_the_image(turns, flip):
    """A quarter turn to the left adds 90° to every angle; a flip of the columns takes it from 180°"""
    angles = np.deg2rad(np.arange(10, 75, 1.0))
    moved = angles + turns * np.pi / 2
    moved = np.pi - moved if flip else moved
    turned = Orientation(turns, flip)
    bins = turned.coverage(torch.from_numpy(angular_coverage(angles)))
    np.testing.assert_allclose(bins, angular_coverage(moved), atol=1e-5)
    image = torch.rand(31, 31, generator=torch.Generator().manual_seed(0))
    hidden, hidden_after = (torch.from_numpy(unmeasured(a, (31, 31))) for a in (angles, moved))
    torch.testing.assert_close(
        turned.of(unmeasured_part(image, hidden)), unmeasured_part(turned.of(image), hidden_after)
    )


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_back_is_back(turns, flip):
    image = torch.rand(2, 5, 7)
    turned = Orientation(turns, flip)
    assert torch.equal(turned.back(turned.of(image)), image)


@pytest.mark.parametrize("middle", np.arange(2.5, 180, 5))
def test_what_was_measured_comes_to_the_first_eighth(middle):
    angles = np.deg2rad(middle + np.arange(-30, 31))
    bins = orientation(angles).coverage(torch.from_numpy(angular_coverage(angles))).numpy()
    directions = (np.arange(len(bins)) + 0.5) * np.pi / len(bins)
    at = np.rad2deg(np.angle(np.sum(bins * np.exp(2j * directions)))) / 2
    assert -0.1 < at < 45.1


@pytest.mark.parametrize("turned", [Orientation(1, False), Orientation(2, True), Orientation(0, True)])
def test_a_turned_scan_is_mended_as_before(turned):
    """The prior of turned angles on a turned stack: the same image, turned, up to half a turn more"""
    torch.manual_seed(0)
    net = SlabNet(width=8, growth=8, blocks=1)
    torch.nn.init.normal_(net.leave.weight, std=0.01)
    angles = np.deg2rad(np.arange(3, 80, 1.0))
    moved = angles + turned.turns * np.pi / 2
    moved = np.pi - moved if turned.flip else moved
    stack = torch.rand(3, 32, 32)
    before = NetworkPrior(net, angles, 0.01, scale=1.0).prox(stack, 1.0)
    after = NetworkPrior(net, moved, 0.01, scale=1.0).prox(turned.of(stack), 1.0)
    again = NetworkPrior(net, moved, 0.01, scale=1.0).prox(torch.rot90(turned.of(stack), 2, (-2, -1)), 1.0)
    errors = [float((turned.of(before) - other).abs().max()) for other in (after, torch.rot90(again, 2, (-2, -1)))]
    assert min(errors) < 0.02
