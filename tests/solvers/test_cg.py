"""Conjugate gradients against direct solutions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.solvers import conjugate_gradients

ANGLES = np.deg2rad(np.linspace(-60, 60, 31))


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def counted(apply):
    calls = []

    def counting(x):
        calls.append(len(x))
        return apply(x)

    return counting, calls


@pytest.mark.parametrize("preconditioned", [False, True])
def test_against_a_direct_solution(preconditioned):
    """(AᵀA + ρ) x = b by the dense matrix in float64"""
    A, rho = ParallelBeam(ANGLES, 24), 5.0
    dense = A.normal(torch.eye(576).view(576, 24, 24)).flatten(1).double() + rho * torch.eye(576)
    b = random(3, 24, 24)
    expected = torch.linalg.solve(dense, b.flatten(1).double().T).T.view_as(b)
    found = conjugate_gradients(
        lambda x: A.normal(x) + rho * x, b, tolerance=1e-6, iterations=300,
        precondition=(lambda r: A.precondition(r, rho)) if preconditioned else None,
    )  # fmt: skip
    assert (found.x - expected).norm() <= 1e-4 * expected.norm()
    assert (found.remainder - (b - A.normal(found.x) - rho * found.x)).norm() <= 1e-5 * b.norm()


def test_as_many_steps_as_eigenvalues():
    """Three distinct eigenvalues: done after three steps"""
    d = torch.tensor([1.0, 3.0, 10.0]).repeat(12).view(1, 6, 6)
    b = random(1, 6, 6)
    found = conjugate_gradients(lambda x: d * x, b, tolerance=1e-4)
    assert found.iterations == 3
    torch.testing.assert_close(found.x, b / d, rtol=1e-3, atol=1e-4)


def test_slices_do_not_feel_each_other():
    """An easy, an impossible (zero) and a hard slice: each as if alone, whatever their sizes"""
    A, rho = ParallelBeam(ANGLES, 32), 0.5
    b = random(3, 32, 32)
    b[0], b[1], b[2] = A.normal(torch.ones(1, 32, 32))[0], 0, 1e6 * b[2]

    def solve(part):
        return conjugate_gradients(lambda x: A.normal(x) + rho * x, part, tolerance=1e-4, iterations=400)

    together = solve(b)
    assert not together.x[1].any()
    for i in (0, 2):
        alone = solve(b[i : i + 1]).x
        assert (together.x[i] - alone[0]).norm() <= 1e-3 * alone.norm()
        assert solve(b[i : i + 1]).remainder.norm() <= 1e-4 * b[i].norm()


def test_a_good_start_saves_steps_and_the_answer_takes_none():
    A, rho = ParallelBeam(ANGLES, 32), 2.0
    apply, calls = counted(lambda x: A.normal(x) + rho * x)
    truth = random(2, 32, 32)
    b = apply(truth)
    calls.clear()
    again = conjugate_gradients(apply, b, x0=truth)
    assert again.iterations == 0
    assert len(calls) == 1
    cold = conjugate_gradients(apply, b, tolerance=1e-4).iterations
    warm = conjugate_gradients(apply, b, x0=truth + 0.01 * random(2, 32, 32, seed=1), tolerance=1e-4).iterations
    assert warm < cold


def test_the_preconditioner_from_a_likely_start():
    """From an image that is right where no data decide, three preconditioned steps beat eight plain ones"""
    A = ParallelBeam(np.deg2rad(np.linspace(-60, 60, 121)), 96)
    rho = A.diagonal()
    truth = torch.zeros(1, 96, 96)
    truth[:, 30:60, 20:70] = 1
    b = A.adjoint(A(truth) + 0.5 * random(1, 121, 96)) + rho * truth

    def error(steps, precondition=None):
        found = conjugate_gradients(
            lambda x: A.normal(x) + rho * x, b, x0=truth, precondition=precondition, tolerance=0, iterations=steps
        )
        return float((found.x - exact).norm())

    exact = conjugate_gradients(lambda x: A.normal(x) + rho * x, b, x0=truth, tolerance=1e-7, iterations=500).x
    assert error(3, lambda r: A.precondition(r, rho)) < error(8)
