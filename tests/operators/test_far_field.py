"""The far field: unitary, its sign, and its corner."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.operators import FarField
from napari_pfitre.operators.far_field import centred, corner

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
SHAPES = [(8, 12, 10), (7, 9, 5), (16, 16, 16)]


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


@pytest.fixture(params=DEVICES)
def A(request, shape):
    return FarField(shape, request.param)


def _random(A, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(A.domain_shape, dtype=torch.complex64, generator=generator).to(A.device)


def test_adjoint_and_unitary(A):
    """⟨A u, v⟩ = ⟨u, A* v⟩, A* A u = u and ‖A u‖ = ‖u‖"""
    u, v = _random(A, 1), _random(A, 2)
    left, right = torch.vdot(A(u).flatten(), v.flatten()), torch.vdot(u.flatten(), A.adjoint(v).flatten())
    assert abs(left - right) <= 1e-5 * u.norm() * v.norm()
    torch.testing.assert_close(A.adjoint(A(u)), u, rtol=1e-5, atol=1e-5)
    assert A(u).norm().item() == pytest.approx(A.norm() * u.norm().item(), rel=1e-5)
    torch.testing.assert_close(A.normal(u), u)


def test_sign_and_zero():
    """A point at r gives exp(−2πi q·r) / √N; a point at the corner a constant"""
    A = FarField((6, 8, 10))
    psi = torch.zeros(A.domain_shape, dtype=torch.complex64)
    psi[1, 2, 3] = 1
    q = np.meshgrid(*[np.fft.fftfreq(n) for n in A.domain_shape], indexing="ij")
    expected = np.exp(-2j * np.pi * (q[0] + 2 * q[1] + 3 * q[2])) / np.sqrt(psi.numel())
    np.testing.assert_allclose(A(psi).numpy(), expected, atol=1e-6)


def test_into_its_own_argument(A):
    """`out` may be the argument itself"""
    u = _random(A, 3)
    expected = A(u)
    v = u.clone()
    torch.testing.assert_close(A(v, out=v), expected)
    torch.testing.assert_close(v, expected)


def test_corner_and_centred_are_inverses(shape):
    """The zero goes from n // 2 to 0 and back, for odd lengths too"""
    array = np.zeros(shape)
    array[tuple(n // 2 for n in shape)] = 1
    assert corner(array)[0, 0, 0] == 1
    np.testing.assert_array_equal(centred(corner(array)), array)


def test_wrong_shape_is_refused(A):
    with pytest.raises(ValueError, match="expected"):
        A(torch.zeros(3, 3, 3))
    with pytest.raises(ValueError, match="three dimensions"):
        FarField((4, 4))
