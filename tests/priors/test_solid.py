"""What a crystal is like: its value, its gradient, and what it does to an object."""

from __future__ import annotations

import pytest
import torch

from napari_pfitre.operators.far_field import FarField
from napari_pfitre.priors import Solid
from napari_pfitre.solvers import Likelihood, refine, soft_support

SHAPE = (20, 24, 22)
LEVEL = 12.0
WEIGHTS = {"edges": (2.0, 0.0, 0.0), "bends": (0.0, 1.5, 0.0), "even": (0.0, 0.0, 3.0), "all": (2.0, 1.5, 3.0)}


@pytest.fixture
def block():
    """A block about index 0, over the edges of the array as phasing has it"""
    inside = torch.zeros(SHAPE, dtype=torch.bool)
    for a in (slice(0, 4), slice(-4, None)):
        for b in (slice(0, 5), slice(-4, None)):
            for c in (slice(0, 4), slice(-5, None)):
                inside[a, b, c] = True
    return inside


def solid(support, weights):
    return Solid.about(support, support, LEVEL, *weights)


def anything(support, seed):
    torch.manual_seed(seed)
    return torch.where(support, torch.randn(SHAPE, dtype=torch.complex64), 0)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_the_gradient_is_that_of_the_value(block, weights):
    prior, x, direction = solid(block, weights), LEVEL * block + anything(block, 0), anything(block, 1)
    gradient, aside, h = torch.empty_like(x), torch.empty_like(x), 1e-2
    prior(x, gradient)
    slope = (prior(x + h * direction, aside) - prior(x - h * direction, aside)) / (2 * h)
    assert slope == pytest.approx(float((gradient * direction.conj()).real.sum()), rel=1e-2)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_fused_kernel_and_tensor_operations_agree(block, weights):
    prior, x = solid(block, weights), LEVEL * block + anything(block, 2)
    fused, plain = torch.empty_like(x), torch.empty_like(x)
    assert prior(x, fused) == pytest.approx(prior.by_torch(x, plain), rel=1e-5)
    torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)


def test_a_solid_block_costs_least(block):
    """Ripples, an uneven modulus and a soft outline cost more than the block itself; a constant phase costs nothing"""

    def cost(x):
        return solid(block, WEIGHTS["all"])(x.to(torch.complex64), torch.empty(SHAPE, dtype=torch.complex64))

    whole = LEVEL * block.to(torch.complex64)
    assert cost(whole * torch.exp(torch.tensor(0.7j))) == pytest.approx(cost(whole), rel=1e-5)
    rippled = whole * torch.exp(0.3j * torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)))
    assert cost(rippled) > 1.1 * cost(whole)
    dips = torch.where(torch.rand(SHAPE, generator=torch.Generator().manual_seed(5)) < 0.1, 0.5, 1.0)
    assert cost(dips * whole) > 1.1 * cost(whole)


def test_a_rising_phase_costs_little_where_bends_count(block):
    """∇²ψ lets a phase rise from voxel to voxel, ∇ψ does not"""
    rise = torch.exp(0.3j * torch.fft.fftfreq(SHAPE[2], 1 / SHAPE[2]))
    whole = LEVEL * block.to(torch.complex64)
    more = {}
    for name in ("edges", "bends"):
        prior = solid(block, WEIGHTS[name])
        flat, rising = (prior(x.to(torch.complex64), torch.empty_like(whole)) for x in (whole, whole * rise))
        more[name] = rising / flat - 1
    assert more["bends"] < 0.4 * more["edges"]


def test_photons_and_solidity_find_the_fault():
    """A fault of 120°, few photons and a rough phase to start from: with the prior the error is a third smaller"""
    inside = torch.zeros(32, 32, 32, dtype=torch.bool)
    inside[10:22, 9:23, 11:21] = True
    true = torch.where(inside, 6.0, 0.0).to(torch.complex64)
    true[:, 17:] *= torch.exp(torch.tensor(2j * torch.pi / 3))
    A = FarField(inside.shape)
    torch.manual_seed(4)
    true, support = (torch.fft.ifftshift(x) for x in (true, inside))
    amplitude = torch.poisson(A(true).abs().square()).sqrt()
    start = true * torch.exp(0.5j * torch.randn(true.shape))
    missed = {}
    for name, prior in (("data alone", None), ("solid", Solid.about(support, support, 6.0, 0.5, 0.7, 2.0))):
        weights, photons = soft_support(support, 0.7), Likelihood("poisson")
        *_, last = refine(A, amplitude, start, weights, iterations=60, likelihood=photons, prior=prior)
        x = last.x[support]
        turn = (x * true[support].conj()).sum()
        apart = torch.angle(x * true[support].conj() * turn.conj())
        missed[name] = float(apart.square().mean().sqrt())
    assert missed["solid"] < 0.75 * missed["data alone"]
