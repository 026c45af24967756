"""Proximal steps against definitions, closed forms and their own slow twins."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_pfitre.priors import NonNegative, TotalVariation


def stack(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("non_negative", [False, True])
def test_kernels_do_what_the_tensors_say(dimensions, non_negative):
    """The fused passes equal the plain tensor operations, call after call"""
    fused, plain = (TotalVariation(2.0, dimensions=dimensions, non_negative=non_negative, inner=4) for _ in range(2))
    plain._dual = torch.zeros(dimensions, 5, 18, 13)
    for seed in range(3):
        v = stack(5, 18, 13, seed=seed)
        torch.testing.assert_close(fused.prox(v, 0.15), plain.prox_by_torch(v, 0.3), atol=2e-6, rtol=1e-5)
    assert fused(v) == pytest.approx(2 * float(plain._gradient(v).square().sum(0).sqrt().sum()), rel=1e-5)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_gradient_and_its_adjoint(dimensions):
    """⟨∇x, p⟩ = ⟨x, ∇ᵀp⟩"""
    tv = TotalVariation(1.0, dimensions=dimensions)
    x, p = stack(4, 7, 9), stack(dimensions, 4, 7, 9, seed=1)
    assert (tv._gradient(x) * p).sum().item() == pytest.approx((x * tv._gradient_adjoint(p)).sum().item(), rel=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_prox_is_the_minimiser(dimensions):
    """Against a smooth descent on ½‖x − v‖² + τ Σ √(|∇x|² + ε²) in float64"""
    v = stack(3, 9, 8) + 2
    tv = TotalVariation(1.0, dimensions=dimensions, inner=2000)
    x = tv.prox(v, 0.4)
    slow = v.double().clone().requires_grad_()
    optimiser = torch.optim.LBFGS([slow], max_iter=2000, tolerance_grad=1e-9, tolerance_change=1e-14, history_size=50,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def cost():
        optimiser.zero_grad()
        value = (slow - v).square().sum() / 2 + 0.4 * (tv._gradient(slow).square().sum(0) + 1e-10).sqrt().sum()
        value.backward()
        return value

    optimiser.step(cost)
    assert (x - slow.detach()).abs().max() < 2e-2
    ours = (x - v).square().sum().item() / 2 + 0.4 * tv(x)
    assert ours == pytest.approx(cost().item(), rel=1e-3)


def test_two_levels_move_towards_each_other():
    """A stripe of width w and height h, TV in one direction: its edges give 2τ/w of the height to the surroundings"""
    v = torch.zeros(1, 64, 64)
    v[:, :, 24:40] = 1
    x = TotalVariation(1.0, inner=3000).prox(v, 0.5)
    assert x[0, 32, 32].item() == pytest.approx(1 - 2 * 0.5 / 16, abs=2e-3)
    assert x[0, 32, 4].item() == pytest.approx(0.5 / 24, abs=2e-3)


def test_slices_are_independent_in_2d_and_not_in_3d():
    v = stack(4, 16, 16)
    alone = TotalVariation(1.0, dimensions=2, inner=20).prox(v[1:2], 0.3)
    torch.testing.assert_close(TotalVariation(1.0, dimensions=2, inner=20).prox(v, 0.3)[1:2], alone)
    assert (TotalVariation(1.0, dimensions=3, inner=20).prox(v, 0.3)[1:2] - alone).abs().max() > 0.01


def test_constants_are_free_and_weight_zero_does_nothing():
    v = torch.full((2, 6, 6), 0.7)
    torch.testing.assert_close(TotalVariation(5.0, dimensions=3).prox(v, 1.0), v)
    noisy = stack(2, 6, 6)
    torch.testing.assert_close(TotalVariation(0.0).prox(noisy, 1.0), noisy)
    torch.testing.assert_close(TotalVariation(0.0, non_negative=True).prox(noisy, 1.0), noisy.clamp(min=0))


def test_non_negative():
    torch.testing.assert_close(NonNegative().prox(torch.tensor([-1.0, 2.0]), 3.0), torch.tensor([0.0, 2.0]))
    assert np.isfinite(NonNegative()(torch.tensor([1.0])))


def test_it_takes_as_many_threads_as_torch_and_leaves_them():
    """A cluster's OMP_NUM_THREADS, or a benchmark's count, holds for all of a run"""
    program = (
        "import numba, torch; torch.set_num_threads(1); from napari_pfitre.priors import TotalVariation;"
        "TotalVariation(0.1, dimensions=3).prox(torch.rand(4, 32, 32), 1.0);"
        "print(torch.get_num_threads(), numba.get_num_threads())"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["1", "1"]
