"""The projector against ASTRA's exact strip model, and against what can be known without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.operators.nufft import FinufftPlan, GridPlan


def phantom(n: int) -> np.ndarray:
    """Ellipses and a bar, without any symmetry, inside the field of view."""
    rng = np.random.default_rng(5)
    x, y = np.arange(n) - (n - 1) / 2, (n - 1) / 2 - np.arange(n)[:, None]
    image = np.zeros((n, n), np.float32)
    for _ in range(12):
        cx, cy = rng.uniform(-0.28, 0.28, 2) * n
        a, b = rng.uniform(0.02, 0.12, 2) * n
        turn = rng.uniform(0, np.pi)
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        image[(u / a) ** 2 + (v / b) ** 2 < 1] += rng.uniform(0.2, 1)
    image[n // 5 : n // 4, n * 3 // 5 : n * 4 // 5] += 1
    return image


def relative(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours.numpy() - theirs) / np.linalg.norm(theirs))


def strip_model(angles, n_columns, image_shape, centre=None):
    astra = pytest.importorskip("astra", reason="astra-toolbox is not installed; it is the reference here")
    detector = astra.create_proj_geom("parallel", 1.0, n_columns, angles)
    if centre is not None:
        detector = astra.geom_postalignment(detector, (n_columns - 1) / 2 - centre)
    return astra.OpTomo(astra.create_projector("strip", detector, astra.create_vol_geom(*image_shape)))


def test_against_astra():
    """The asymmetric phantom at 512², 121 angles: forward ≤ 2e-3, adjoint ≤ 5e-4, normal ≤ 5e-4"""
    n, angles = 512, np.deg2rad(np.linspace(-60, 60, 121))
    W, A, x = strip_model(angles, n, (n, n)), ParallelBeam(angles, n), phantom(n)
    y = W.FP(x)
    back = W.BP(y)
    assert relative(A(torch.from_numpy(x)), y) <= 2e-3
    assert relative(A.adjoint(torch.from_numpy(y)), back) <= 5e-4
    assert relative(A.normal(torch.from_numpy(x)), back) <= 5e-4


@pytest.mark.parametrize(
    ("shape", "n_columns", "centre"), [((90, 141), 171, 77.3), ((128, 128), 128, 61.0), ((127, 127), 131, 70.25)]
)
def test_geometry_against_astra(shape, n_columns, centre):
    """Rectangles, odd sizes and axes off the middle: the sense of rotation, the y axis, half pixels"""
    angles = np.deg2rad(np.linspace(-80, 95, 30))
    x = phantom(max(shape))[: shape[0], : shape[1]]
    A = ParallelBeam(angles, n_columns, image_shape=shape, centre=centre)
    assert relative(A(torch.from_numpy(x)), strip_model(angles, n_columns, shape, centre).FP(x)) <= 1.2e-2


def test_a_blob_moves_as_drawn():
    """column = x cos θ + y sin θ + centre + shift, y upwards"""
    n, i, j = 65, 20, 50  # x = 18, y = 12
    angles, shifts = np.deg2rad([0.0, 90.0, 30.0, -45.0]), np.array([0.0, 1.0, -2.0, 0.5])
    rows, columns = np.mgrid[:n, :n]
    image = torch.from_numpy(np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / 8).astype(np.float32))
    y = ParallelBeam(angles, 80, image_shape=(n, n), centre=41.0, shifts=shifts)(image).numpy()
    found = (y * np.arange(80)).sum(1) / y.sum(1)
    np.testing.assert_allclose(found, 18 * np.cos(angles) + 12 * np.sin(angles) + 41.0 + shifts, atol=0.02)


def test_mass_is_kept():
    """Every projection holds the mass of the image"""
    x = torch.from_numpy(phantom(96))
    y = ParallelBeam(np.linspace(0, np.pi, 11), 140, image_shape=(96, 96))(x)
    torch.testing.assert_close(y.sum(1), x.sum().expand(11), rtol=1e-4, atol=0)


def test_normal_does_not_see_shifts():
    """K keeps its shape when projections are displaced"""
    x, angles = torch.from_numpy(phantom(64)), np.linspace(-1, 1, 15)
    still = ParallelBeam(angles, 64).normal(x)
    moved = ParallelBeam(angles, 64, shifts=np.linspace(-4, 4, 15), centre=29.0).normal(x)
    torch.testing.assert_close(still, moved)


def test_diagonal():
    """The diagonal of AᵀA is what a single pixel gets back"""
    A = ParallelBeam(np.linspace(-1, 1, 15), 31, weights=np.linspace(1, 2, 15))
    pixel = torch.zeros(31, 31)
    pixel[15, 15] = 1
    assert A.normal(pixel)[15, 15].item() == pytest.approx(A.diagonal(), rel=1e-4)


def test_the_two_transforms_agree():
    """The torch plan for other devices gives what FINUFFT gives, at the tolerance asked for"""
    rng = np.random.default_rng(0)
    omega, shape = rng.uniform(-np.pi, np.pi, (500, 2)), (31, 40)
    image = torch.randn(3, *shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    line = torch.randn(3, 500, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    k = np.stack(np.meshgrid(np.arange(-15, 16), np.arange(-20, 20), indexing="ij")).reshape(2, -1)
    exact = torch.from_numpy(np.exp(-1j * omega @ k)).to(torch.complex64)
    for kind in (FinufftPlan, GridPlan):
        plan = kind(omega, shape, torch.device("cpu"), 1e-4)
        forward, adjoint = plan.forward(image), plan.adjoint(line)
        expected = image.flatten(1) @ exact.T
        assert (forward - expected).norm() <= 3e-4 * expected.norm(), kind
        expected = (line @ exact.conj()).unflatten(1, shape)
        assert (adjoint - expected).norm() <= 3e-4 * expected.norm(), kind


def test_out_of_memory_shrinks_the_batch(monkeypatch):
    """A device that holds two pairs at a time still finishes nine slices"""
    A = ParallelBeam(np.linspace(-1, 1, 9), 32)
    x = torch.randn(9, 32, 32, generator=torch.Generator().manual_seed(0))
    expected, project, sizes = A(x), A._project, []

    def small_memory(c):
        sizes.append(len(c))
        if len(c) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return project(c)

    monkeypatch.setattr(A, "_project", small_memory)
    torch.testing.assert_close(A(x), expected)
    assert max(sizes) > 2
