"""Networks: sizes, the count of the paper's parameters, and what reaches where."""

from __future__ import annotations

import pytest
import torch

from napari_pfitre.networks import PaperNet, SlabNet, load_network
from napari_pfitre.networks.slab_net import asinh


def inputs(n_y, n_x, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, 5, n_y, n_x), (batch, 1, n_y, n_x), (batch, 38)
    return [torch.rand(shape, generator=generator) for shape in shapes]


def stirred(net, seed=0):
    """With a last layer that is not zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in net.named_parameters():
        if name.startswith("leave") or "modulate" in name:
            p.data = 0.2 * torch.randn(p.shape, generator=generator)
    return net.eval()


def reach_of_the_lowest_level(net, *given):
    """How much of what the network adds is other when the lowest level says nothing"""
    with torch.no_grad():
        added = net(*given) - given[0][:, 2:3]
        silent = net.descent[-1].register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
        without = net(*given) - given[0][:, 2:3]
        silent.remove()
    return float((added - without).norm() / added.norm())


def test_the_paper_s_network_has_the_paper_s_parameters():
    assert sum(p.numel() for p in PaperNet().parameters()) == 23_200_323


def test_ours_has_between_one_and_two_million():
    assert 1e6 < sum(p.numel() for p in SlabNet().parameters()) < 2e6


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (33, 20), (5, 7)])
def test_any_size(size):
    net = stirred(SlabNet(width=4, growth=4, blocks=1))
    with torch.no_grad():
        assert net(*inputs(*size)).shape == (2, 1, *size)


def test_the_paper_s_network_takes_any_size_and_any_unit():
    """The slice is standardised: a brighter volume gives a brighter image"""
    net = PaperNet().eval()
    slab, hidden, told = inputs(10, 13, batch=1)
    with torch.no_grad():
        a, b = net(slab, hidden, told), net(100 * slab + 7, hidden, told)
    assert a.shape == (1, 1, 10, 13)
    torch.testing.assert_close(b, 100 * a + 7, rtol=1e-3, atol=1e-3)


def test_untrained_it_changes_nothing():
    slab, hidden, told = inputs(16, 20)
    torch.testing.assert_close(SlabNet()(slab, hidden, told), slab[:, 2:3])


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_input_matters(which):
    """Neighbouring slices, the unmeasured part and the condition all change the image"""
    net = stirred(SlabNet(width=8, growth=8, blocks=2))
    given = inputs(16, 16)
    changed = [part.clone() for part in given]
    changed[which][:, 0] += 0.5
    with torch.no_grad():
        assert (net(*given) - net(*changed)).abs().max() > 1e-5


def test_slices_of_a_batch_are_independent():
    net = stirred(SlabNet(width=8, growth=8, blocks=1))
    given = inputs(12, 12, batch=3)
    with torch.no_grad():
        together = net(*given)
        alone = net(*(part[1:2] for part in given))
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)


def test_it_sees_all_of_a_slice():
    """A pixel 120 pixels away matters: streaks of a wedge cross the slice"""
    net = stirred(SlabNet(width=8, growth=8))
    slab, hidden, told = inputs(256, 256, batch=1)
    slab.requires_grad_()
    net(slab, hidden, told)[0, 0, 128, 128].backward()
    assert slab.grad[0, :, 128, 8].abs().max() > 0


def test_inputs_are_compressed_as_torch_does_it():
    x = torch.cat([torch.linspace(-50, 50, 1001), torch.logspace(-12, 10, 101), torch.tensor([-0.0])])
    torch.testing.assert_close(asinh(x), torch.asinh(x.double()).float(), rtol=3e-7, atol=0)


@pytest.mark.parametrize("strength", [1, 30])
def test_what_the_lowest_level_finds_reaches_the_image(strength):
    """However strongly the condition scales features: a training once shut all but the full resolution out"""
    net = stirred(SlabNet(width=8, growth=8))
    for name, p in net.named_parameters():
        if "modulate" in name:
            p.data *= strength
    assert reach_of_the_lowest_level(net, *inputs(64, 64)) > 1e-3


def test_in_the_weights_that_come_with_the_package_every_level_counts():
    """Streaks over all of a slice are the lowest level's work"""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 96)] * 2, indexing="ij")
    smeared = (torch.sin(9 * y).abs() > 0.6).float() * (x.abs() < 0.7) * (1 - 0.4 * x.square())
    given = smeared.expand(1, 5, 96, 96), 0.3 * smeared[None, None], torch.full((1, 38), 0.5)
    assert reach_of_the_lowest_level(load_network("pfitre")[0], *given) > 0.02
