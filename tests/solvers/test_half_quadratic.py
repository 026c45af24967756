"""Half-quadratic splitting against closed forms, and with the priors there are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_pfitre.metrics import psnr
from napari_pfitre.operators import ParallelBeam
from napari_pfitre.priors import NonNegative, TotalVariation
from napari_pfitre.solvers import half_quadratic
from napari_pfitre.twin import SimulateOptions, simulate


class Diagonal:
    """A x = d x: a problem that can be solved on paper."""

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

    def diagonal(self):
        return float((self.d**2).mean())

    def norm(self):
        return float(self.d.abs().max())

    def precondition(self, x, rho):
        return x / (self.d**2 + rho)


class Quadratic:
    """μ/2 ‖x‖², whose prox is a shrinking by 1 + step · μ."""

    def __init__(self, mu):
        self.mu = mu

    def __call__(self, x):
        return self.mu / 2 * float(x.square().sum())

    def prox(self, v, step):
        return v / (1 + step * self.mu)


def last(iterates):
    *_, end = iterates
    return end


@pytest.mark.parametrize("rho", [0.3, 3.0])
def test_quadratic_prior_is_the_normal_equations(rho):
    """Minimised over z as well, μ acts as ρμ/(ρ + μ):  (d² + ρμ/(ρ + μ)) x = d y"""
    generator = torch.Generator().manual_seed(0)
    d = torch.rand(2, 5, 6, generator=generator) + 0.5
    y = torch.rand(2, 5, 6, generator=generator)
    A, mu = Diagonal(d), 0.7
    absolute = rho * A.diagonal()
    end = last(half_quadratic(A, y, Quadratic(mu), rounds=60, rho=rho, steps=60))
    torch.testing.assert_close(end.x, d * y / (d**2 + absolute * mu / (absolute + mu)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(end.z, end.x / (1 + mu / absolute), rtol=1e-5, atol=1e-6)
    assert end.moved < 1e-4


def test_a_prior_on_the_data_s_image_counts_as_well():
    """With ν/2 ‖x‖² beside the misfit:  (d² + ν + ρμ/(ρ + μ)) x = d y"""
    generator = torch.Generator().manual_seed(3)
    d = torch.rand(2, 5, 6, generator=generator) + 0.5
    y = torch.rand(2, 5, 6, generator=generator)
    A, mu, nu = Diagonal(d), 0.7, 0.4
    absolute = 0.5 * A.diagonal()
    end = last(half_quadratic(A, y, Quadratic(mu), rounds=60, rho=0.5, z0=torch.zeros_like(y), smooth=Quadratic(nu)))
    expected = d * y / (d**2 + nu + absolute * mu / (absolute + mu))
    torch.testing.assert_close(end.x, expected, rtol=1e-3, atol=1e-4)


def test_quadratic_prior_behind_a_projector():
    """The same with A a projector, against the dense matrix"""
    A = ParallelBeam(np.deg2rad(np.linspace(-60, 60, 20)), 40, image_shape=(16, 16), tolerance=1e-6)
    image = torch.zeros(1, 16, 16)
    image[:, 4:9, 3:12] = 1
    y, mu = A(image), 40.0
    rho = A.diagonal()
    dense = A.normal(torch.eye(256).view(256, 16, 16)).flatten(1).double()
    system = dense + rho * mu / (rho + mu) * torch.eye(256)
    expected = torch.linalg.solve(system, A.adjoint(y).flatten(1).double().T).T.view_as(image)
    found = last(half_quadratic(A, y, Quadratic(mu), rounds=80, steps=60))
    inside = expected > 0.05  # elsewhere the constraint x ≥ 0 bites
    assert (found.x - expected)[inside].abs().max() < 0.06
    brighter = y + 100 * A(torch.ones(1, 16, 16))  # so bright that it does not
    free = last(half_quadratic(A, brighter, Quadratic(mu), rounds=80, steps=60))
    expected = torch.linalg.solve(system, A.adjoint(brighter).flatten(1).double().T).T.view_as(image)
    assert (free.x - expected).norm() <= 2e-3 * expected.norm()


def test_no_value_is_negative_and_what_is_reported_is_true():
    A = ParallelBeam(np.deg2rad(np.linspace(-50, 50, 20)), 64, image_shape=(32, 32), tolerance=1e-6)
    generator = torch.Generator().manual_seed(1)
    image = torch.zeros(2, 32, 32)
    image[:, 8:20, 10:14] = 1
    y = A(image)
    y += 0.05 * y.max() * torch.randn(y.shape, generator=generator)
    tv = TotalVariation(2.0, dimensions=2, inner=20)
    before = torch.zeros_like(image)
    for i in half_quadratic(A, y, tv, rounds=6, rho=0.5):
        assert i.x.min() == 0
        misfit = A(i.x) - y
        assert i.residual == pytest.approx(float(misfit.norm() / y.norm()), rel=1e-2)
        assert i.apart == pytest.approx(float((i.x - i.z).norm() / i.x.norm()), rel=1e-4)
        assert i.moved == pytest.approx(float((i.z - before).norm() / i.z.norm()), rel=1e-4)
        rho = A.diagonal() * (0.3 if i.k == 1 else 0.5)
        value = float(misfit.square().sum() / 2 + rho / 2 * (i.x - i.z).square().sum()) + tv(i.z)
        assert i.objective == pytest.approx(value, rel=1e-2)
        before = i.z


def test_total_variation_lowers_the_objective_and_mends_the_image():
    """60° missing: never up from round to round, and 2 dB better than the Tikhonov image it starts from"""
    scan, truth = simulate(SimulateOptions(size=64, slices=4, angles=61, noise=0.01, phantom="ellipsoids"))
    A, y = ParallelBeam(scan.angles, 64, centre=scan.middle), torch.from_numpy(scan.sinograms(slice(0, 4)))
    weight = 0.01 * float(y.max()) * A.diagonal() ** 0.5
    rounds = list(half_quadratic(A, y, TotalVariation(weight, inner=10), rounds=25, rho=0.5, steps=20))
    objectives = [i.objective for i in rounds[1:]]
    assert all(b <= a * (1 + 1e-3) for a, b in pairwise(objectives))
    range_ = float(np.ptp(truth.data))
    first, end = (psnr(truth.data, x.numpy(), data_range=range_) for x in (rounds[0].x, rounds[-1].z))
    assert end > first + 2


def test_a_start_is_taken():
    """From the prior's own answer the first round hardly moves"""
    d = torch.full((1, 4, 4), 2.0)
    y = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(2))
    end = last(half_quadratic(Diagonal(d), y, Quadratic(0.5), rounds=60, steps=60))
    again = next(half_quadratic(Diagonal(d), y, Quadratic(0.5), rounds=1, steps=60, z0=end.z))
    assert again.moved < 1e-3


def test_no_data_no_image():
    """Zeros give zeros, and no division by their norm"""
    end = last(half_quadratic(Diagonal(torch.ones(1, 4, 4)), torch.zeros(1, 4, 4), NonNegative(), rounds=2))
    assert (end.residual, end.apart, end.moved) == (0, 0, 0)
    assert not end.x.any()
