"""What must hold for every operator. A new one earns these tests by a row in CASES."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.operators import ParallelBeam

ANGLES = np.deg2rad(np.linspace(-57, 61, 23))
CASES = {
    "square": lambda d: ParallelBeam(ANGLES, 48, device=d),
    "odd": lambda d: ParallelBeam(ANGLES, 33, device=d),
    "rectangle": lambda d: ParallelBeam(ANGLES, 50, image_shape=(21, 40), device=d),
    "off-centre": lambda d: ParallelBeam(ANGLES, 48, centre=19.3, device=d),
    "far off-centre": lambda d: ParallelBeam(ANGLES, 48, centre=2.0, image_shape=(90, 90), truncated=True, device=d),
    "shifted": lambda d: ParallelBeam(ANGLES, 48, shifts=np.linspace(-3, 2.5, 23), device=d),
    "weights per angle": lambda d: ParallelBeam(ANGLES, 48, weights=np.linspace(0.5, 2, 23), device=d),
    "weights per bin": lambda d: ParallelBeam(ANGLES, 48, weights=_bin_weights(), device=d),
    "truncated": lambda d: ParallelBeam(ANGLES, 31, image_shape=(48, 48), truncated=True, device=d),
    "one angle": lambda d: ParallelBeam([0.3], 48, device=d),
}
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def _bin_weights():
    weights = np.random.default_rng(3).uniform(0, 2, (23, 48))
    weights[:, 7] = 0  # a dead column
    return weights


@pytest.fixture(params=CASES)
def name(request):
    return request.param


@pytest.fixture(params=DEVICES)
def A(request, name):
    return CASES[name](request.param)


def _random(A, shape, seed):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed)).to(A.device)


def test_adjoint(A):
    """⟨A u, v⟩ = ⟨u, Aᵀ v⟩ to 1e-5 in float32"""
    u, v = _random(A, A.domain_shape, 0), _random(A, A.range_shape, 1)
    Au, Atv = A(u), A.adjoint(v)
    assert Au.shape == v.shape
    assert Atv.shape == u.shape
    left, right = (Au.double() * v).sum(), (u.double() * Atv).sum()
    assert abs(left - right) <= 1e-5 * Au.norm() * v.norm()


def test_linear(A):
    """A(a u + b v) = a A u + b A v, and likewise for the adjoint and the normal operator"""
    for f, shape in ((A, A.domain_shape), (A.adjoint, A.range_shape), (A.normal, A.domain_shape)):
        u, v = _random(A, shape, 2), _random(A, shape, 3)
        together, apart = f(2 * u - 3 * v), 2 * f(u) - 3 * f(v)
        assert (together - apart).norm() <= 1e-5 * apart.norm()


def test_normal_is_symmetric_and_positive(A):
    """⟨AᵀWA u, v⟩ = ⟨u, AᵀWA v⟩ and ⟨AᵀWA u, u⟩ ≥ 0"""
    u, v = _random(A, A.domain_shape, 4), _random(A, A.domain_shape, 5)
    Nu, Nv = A.normal(u), A.normal(v)
    assert abs((Nu.double() * v).sum() - (u.double() * Nv).sum()) <= 1e-5 * Nu.norm() * v.norm()
    assert (Nu.double() * u).sum() >= 0


def test_normal_is_the_norm_of_the_data(A):
    """⟨AᵀWA u, u⟩ = ‖W^½ A u‖² for a smooth object inside the field of view"""
    ny, nx = A.domain_shape
    y, x = torch.meshgrid(torch.linspace(-1, 1, ny), torch.linspace(-1, 1, nx), indexing="ij")
    half = min(A.centre, A.n_columns - 1 - A.centre) / max(ny, nx)
    radius = 0.5 if not A.is_convolution else min(0.5, half)
    u = torch.exp(-(x**2 + y**2) / (2 * (radius / 2.5) ** 2))[None].to(A.device)
    expected = (A(u) * A.weigh(A(u))).sum()
    assert (A.normal(u) * u).sum() == pytest.approx(float(expected), rel=2e-3)


def test_norm_bounds_and_is_reached(A):
    """‖AᵀWA u‖ ≤ ‖A‖² ‖u‖, with near equality for a flat image"""
    u = _random(A, A.domain_shape, 6)[:1]
    assert A.normal(u).norm() <= A.norm() ** 2 * u.norm()
    v = torch.ones_like(u)
    for _ in range(200):
        v = A.normal(v)
        v = v / v.norm()
    assert A.normal(v).norm().item() == pytest.approx(A.norm() ** 2, rel=5e-3)


def test_dtype_and_device(A):
    """float32 on the operator's device comes out, whatever came in"""
    for dtype in (torch.float64, torch.int16):
        out = A(torch.ones(A.domain_shape, dtype=dtype))
        assert out.dtype == torch.float32
        assert out.device.type == A.device.type


def test_batches_are_independent(A):
    """Slices travel in pairs and in batches, and do not feel each other"""
    u = _random(A, A.domain_shape, 7)
    for f, shape in ((A, A.domain_shape), (A.adjoint, A.range_shape), (A.normal, A.domain_shape)):
        many = _random(A, shape, 8).repeat(7, 1, 1)[:19]
        out = f(many)
        for i in (0, 1, 17, 18):
            assert (out[i] - f(many[i])).norm() <= 1e-5 * out[i].norm()
    assert A(u.view(1, 3, 1, *A.domain_shape)).shape == (1, 3, 1, *A.range_shape)
    assert A(u[0]).shape == A.range_shape


def test_wrong_shape_is_refused(A):
    with pytest.raises(ValueError, match="expected"):
        A(torch.zeros(5, 7))


def test_preconditioner_is_symmetric_and_positive(A):
    """⟨P u, v⟩ = ⟨u, P v⟩ and ⟨P u, u⟩ > 0, which conjugate gradients need"""
    rho = 0.1 * A.diagonal()
    u, v = _random(A, A.domain_shape, 9), _random(A, A.domain_shape, 10)
    Pu, Pv = A.precondition(u, rho), A.precondition(v, rho)
    assert abs((Pu.double() * v).sum() - (u.double() * Pv).sum()) <= 1e-5 * Pu.norm() * v.norm()
    assert (Pu * u).sum() > 0
