"""FISTA against closed forms and against an independent solver."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.priors import NonNegative, TotalVariation
from napari_pfitre.solvers import fista


class Diagonal:
    """A x = d x, weights one: a problem that can be solved on paper."""

    device = torch.device("cpu")

    def __init__(self, d):
        self.d = d

    def __call__(self, x):
        return self.d * x

    adjoint = __call__

    def normal(self, x):
        return self.d**2 * x

    def weigh(self, y):
        return y

    def norm(self):
        return float(self.d.abs().max())


class L1:
    """μ Σ|x|, whose prox is the soft threshold."""

    def __call__(self, x):
        return 0.3 * float(x.abs().sum())

    def prox(self, v, step):
        return v.sign() * (v.abs() - 0.3 * step).clamp(min=0)


def last(iterates):
    *_, end = iterates
    return end


def test_soft_threshold():
    """A = diag(d), g = μ‖·‖₁:  x = S(d y, μ) / d²"""
    generator = torch.Generator().manual_seed(0)
    d = torch.rand(1, 4, 6, generator=generator) + 0.5
    y = torch.randn(1, 4, 6, generator=generator)
    expected = (d * y).sign() * ((d * y).abs() - 0.3).clamp(min=0) / d**2
    found = last(fista(Diagonal(d), y, L1(), iterations=400))
    torch.testing.assert_close(found.x, expected, atol=1e-4, rtol=1e-4)


def small_problem(seed=0):
    """16² pixels, 20 angles over 120°, 2 % noise; a detector wide enough that the convolution is exact."""
    rng = np.random.default_rng(seed)
    image = np.zeros((16, 16), np.float32)
    image[4:9, 3:12] = 1
    image[7:13, 9:12] += 0.5
    A = ParallelBeam(np.deg2rad(np.linspace(-60, 60, 20)), 64, image_shape=(16, 16), tolerance=1e-6)
    y = A(torch.from_numpy(image))
    return A, y + 0.02 * float(y.max()) * torch.from_numpy(rng.normal(size=tuple(y.shape)).astype(np.float32))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("weight", [0.05, 1.0])
def test_objective_of_an_independent_solver(weight, dimensions):
    """Within 0.1 % of L-BFGS-B on the dense matrix, float64, with TV smoothed by 1e-4 and x ≥ 0 as bounds"""
    A, first = small_problem()
    y = torch.stack([first, small_problem(1)[1]])
    dense = A(torch.eye(256).view(256, 16, 16)).flatten(1).T.double().numpy()
    data = y.flatten(1).double().numpy()
    gram, back, constant = dense.T @ dense, data @ dense, (data**2).sum() / 2
    tv = TotalVariation(weight, dimensions=dimensions, non_negative=True, inner=10)

    def cost(flat):
        x = torch.from_numpy(flat.reshape(2, 16, 16)).requires_grad_()
        value = weight * (tv._gradient(x).square().sum(0) + 1e-8).sqrt().sum()
        value.backward()
        image = flat.reshape(2, 256)
        gradient = image @ gram - back
        misfit = (image * (gradient - back)).sum() / 2 + constant
        return misfit + value.item(), gradient.ravel() + x.grad.numpy().ravel()

    theirs = scipy.optimize.minimize(
        cost, np.zeros(512), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 512,
        options={"maxiter": 4000, "maxfun": 8000, "ftol": 1e-12, "gtol": 1e-8, "maxcor": 50},
    )  # fmt: skip
    ours = last(fista(A, y, tv, iterations=1500)).x.double().numpy()
    gradient = [np.diff(ours, axis=axis, append=np.take(ours, [-1], axis)) for axis in (2, 1, 0)[:dimensions]]
    misfit = ours.reshape(2, 256) @ dense.T - data
    objective = (misfit**2).sum() / 2 + weight * np.sqrt(sum(g**2 for g in gradient)).sum()
    assert objective == pytest.approx(theirs.fun, rel=1e-3)


def test_what_is_reported_is_true():
    """Objective and residual of an iterate, computed from the data, not from AᵀA"""
    A, y = small_problem()
    tv = TotalVariation(0.5, non_negative=True)
    for iterate in fista(A, y[None], tv, iterations=30):
        misfit = A(iterate.x) - y
        assert iterate.residual == pytest.approx(float(misfit.norm() / y.norm()), rel=1e-2)
        assert iterate.objective == pytest.approx(float(misfit.square().sum() / 2) + tv(iterate.x), rel=1e-2)


def test_weights_leave_bad_bins_out():
    """A dead column with weight zero changes nothing, whatever stands in it"""
    A, y = small_problem()
    weights = np.ones((20, 64), np.float32)
    weights[:, 30] = 0
    spoilt = y.clone()
    spoilt[:, 30] = 50
    W = ParallelBeam(A.angles, 64, image_shape=(16, 16), weights=weights)
    a, b = (last(fista(W, data[None], NonNegative(), iterations=50)).x for data in (y, spoilt))
    torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-2)  # FINUFFT's threads add in any order


def test_start_and_step():
    """From its own solution it does not move; half the step reaches the same place"""
    A, y = small_problem()
    tv = TotalVariation(0.5, non_negative=True)
    there = last(fista(A, y[None], tv, iterations=1000))
    again = last(fista(A, y[None], tv, iterations=5, x0=there.x))
    assert again.objective == pytest.approx(there.objective, rel=1e-3)
    slower = last(fista(A, y[None], TotalVariation(0.5, non_negative=True), iterations=1500, step=0.5 / A.norm() ** 2))
    assert slower.objective == pytest.approx(there.objective, rel=1e-3)


def test_no_data_no_residual():
    """Data of zeros give zeros, and a residual of zero rather than nan"""
    A, y = small_problem()
    end = last(fista(A, 0 * y[None], NonNegative(), iterations=3))
    assert end.residual == 0
    assert not end.x.any()
