"""Phase retrieval: projections against their equations, on a strained crystal without symmetry."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_pfitre.errors import OptionError
from napari_pfitre.metrics import compare
from napari_pfitre.operators import FarField
from napari_pfitre.operators.far_field import centred, corner
from napari_pfitre.solvers import (
    Likelihood,
    ShrinkWrap,
    box_support,
    parse_schedule,
    phasing,
    random_start,
    refine,
    soft_support,
)
from napari_pfitre.solvers.phasing import coefficients, half_of, replace_modulus, support_step
from napari_pfitre.solvers.shrink_wrap import blurred


def crystal(n: int = 32, strain: float = 1.0, photons: float | None = 1e6, seed: int = 3):
    """(A, amplitude, ψ): no symmetry in shape or phase."""
    z, y, x = np.meshgrid(*[np.arange(n) - n // 2] * 3, indexing="ij")
    inside = (np.abs(z) < 5) & (y > -6) & (y + 0.6 * x < 5) & (x > -5) & (x + 0.5 * z < 6)
    phase = strain * (np.sin(0.35 * x + 0.2) + 0.03 * z * y)
    psi = corner(inside * np.exp(1j * phase)).astype(np.complex64)
    A = FarField(psi.shape)
    field = A(torch.from_numpy(psi)).abs()
    if photons is None:
        return A, field, torch.from_numpy(psi)
    counts = np.random.default_rng(seed).poisson(field.square().numpy() * photons / float(field.square().sum()))
    return A, torch.from_numpy(np.sqrt(counts).astype(np.float32)), torch.from_numpy(psi)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """At 32³ a second thread of a busy machine costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def problem():
    return crystal()


def run(A, amplitude, x0, support, schedule, **options):
    misfits = []
    for now in phasing(A, amplitude, x0, support, parse_schedule(schedule), **options):
        misfits.append(now.misfit)
    return now, misfits


def agreement(now, psi):
    return compare(centred((now.x * now.support).numpy()), centred(psi.numpy()))


def test_modulus_is_replaced_where_it_was_measured():
    """F ← D F/|F| where D ≥ 0; elsewhere F stays, and it does not count"""
    generator = torch.Generator().manual_seed(0)
    field = torch.randn((4, 5, 6), dtype=torch.complex64, generator=generator)
    amplitude = torch.rand((4, 5, 6), generator=generator)
    amplitude[0] = -1
    before = field.clone()
    misfit = replace_modulus(field, amplitude)
    torch.testing.assert_close(field[0], before[0])
    torch.testing.assert_close(field[1:].abs(), amplitude[1:], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(field[1:].angle(), before[1:].angle(), rtol=1e-4, atol=1e-4)
    assert misfit == pytest.approx(float((before.abs() - amplitude)[1:].square().sum()), rel=1e-5)


@pytest.mark.parametrize("name", ["ER", "HIO", "RAAR"])
def test_steps_are_the_textbook_ones(name):
    """RAAR as 2β S p − β S x + β x + (1 − 2β) p, less what that leaves inside of S: p; HIO as x − β p outside"""
    beta = 0.8
    generator = torch.Generator().manual_seed(1)
    x, p = (torch.randn((3, 4, 5), dtype=torch.complex64, generator=generator) for _ in range(2))
    S = torch.rand((3, 4, 5), generator=generator) > 0.5
    expected = {
        "ER": S * p,
        "HIO": torch.where(S, p, x - beta * p),
        "RAAR": 2 * beta * S * p - beta * S * x + beta * x + (1 - 2 * beta) * p,
    }[name]
    support_step(x, p, S, *coefficients(name, beta))
    torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-6)


def test_error_reduction_never_errs_more(problem):
    """Fienup's theorem: with a fixed support the misfit of ER's iterates does not grow"""
    A, amplitude, psi = problem
    support = blurred((psi.abs() > 0).float(), 1.0) > 0.2
    _, misfits = run(A, amplitude, random_start(amplitude, support, 0), support, "60 ER")
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(misfits[1:]))
    assert misfits[-1] < 0.5 * misfits[1]


def test_hio_beats_er(problem):
    """From the same starts, HIO finds the crystal where ER stays in a wrong minimum"""
    A, amplitude, psi = problem
    support = box_support(amplitude.shape, 0.5)
    errors = {"150 ER": [], "10 ER + 110 HIO + 30 ER": []}
    for seed in range(3):
        for schedule, found in errors.items():
            now, _ = run(
                A, amplitude, random_start(amplitude, support, seed), support, schedule, shrink=ShrinkWrap(5, 0.15)
            )
            found.append(agreement(now, psi).error)
    er, hio = errors.values()
    assert max(hio) < 0.7 * min(er)


def test_raar_finds_the_crystal(problem):
    A, amplitude, psi = problem
    support = box_support(amplitude.shape, 0.5)
    found = []
    for seed in range(3):
        start = random_start(amplitude, support, seed)
        now, _ = run(A, amplitude, start, support, "120 RAAR + 30 ER", shrink=ShrinkWrap(5, 0.25))
        found.append(agreement(now, psi))
    best = min(found, key=lambda one: one.error)
    assert best.iou > 0.9
    assert best.phase_rmse < 0.15


def test_masked_voxels_are_free(problem):
    """Behind a beamstop and a gap nothing is asked of the field, and the crystal is found from the rest"""
    A, amplitude, psi = problem
    hidden = amplitude.clone()
    hidden[:, 7:9] = -1
    hidden[0, 0, 0] = -1
    support = blurred((psi.abs() > 0).float(), 1.0) > 0.4
    start = random_start(hidden, support, 2)
    now, misfits = run(A, hidden, start, support, "100 HIO + 40 ER")
    assert misfits[-1] < 0.02
    field = A(now.x).abs()
    assert agreement(now, psi).phase_rmse < 0.3
    assert float(field[0, 0, 0]) == pytest.approx(float(amplitude[0, 0, 0]), rel=0.1)
    as_zero, _ = run(A, hidden.clamp(min=0), start, support, "100 HIO + 40 ER")
    assert agreement(as_zero, psi).error > agreement(now, psi).error


def test_the_last_iterate_is_inside_and_may_be_a_mean(problem):
    A, amplitude, psi = problem
    support = psi.abs() > 0
    start = random_start(amplitude, support, 0)
    now, _ = run(A, amplitude, start, support, "20 HIO")
    assert float(now.x[~support].abs().max()) == 0
    kept = [n.x.clone() for n in phasing(A, amplitude, start, support, ("ER",) * 8)]
    now, _ = run(A, amplitude, start, support, "8 ER", average=3)
    torch.testing.assert_close(now.x, sum(kept[-3:]) / 3, rtol=1e-4, atol=1e-4 * float(now.x.abs().max()))


def test_a_quarter_of_the_support_has_no_twin(problem):
    """Under inversion through its middle, no voxel of the quarter falls on the quarter"""
    support = box_support((8, 9, 12), 0.6)
    quarter = half_of(support)
    inverted = torch.roll(quarter.flip((0, 1, 2)), (1, 1, 1), (0, 1, 2))
    assert 0 < quarter.sum() < support.sum() / 2
    assert (quarter & inverted)[:, 1:, 1:].sum() <= 0.25 * quarter.sum()
    A, amplitude, psi = problem
    now, _ = run(A, amplitude, psi, psi.abs() > 0, "3 TWIN")
    assert int((now.x.abs() > 0).sum()) < 0.5 * int((psi.abs() > 0).sum())


def test_an_even_object_stays_as_it_is(problem):
    A, _, psi = problem
    even = torch.polar((psi.abs() > 0).float() * 3, torch.angle(psi))
    now, _ = run(A, A(even).abs(), even, even.abs() > 0, "5 EVEN")
    torch.testing.assert_close(now.x, even, rtol=1e-3, atol=1e-2)


def test_even_steps_keep_the_modulus_near_the_objects_own(problem):
    A, amplitude, psi = problem
    support = psi.abs() > 0
    start = random_start(amplitude, support, 0)
    for algorithm in ("RAAR", "EVEN"):
        now, _ = run(A, amplitude, start, support, f"6 {algorithm}")
        sizes = now.x[support].abs()
        assert bool(sizes.max() < 1.001 * 1.1 / 0.9 * sizes.min()) == (algorithm == "EVEN")
        assert float(now.x[~support].abs().max()) == 0


def test_starts_belong_to_their_seeds(problem):
    _, amplitude, _ = problem
    support = box_support(amplitude.shape, (0.3, 0.4, 0.5))
    first, again, other = (random_start(amplitude, support, seed) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first[~support].abs().max()) == 0
    assert float(first.abs().square().sum()) == pytest.approx(float(amplitude.square().sum()), rel=1e-4)


def test_shrink_wrap_finds_the_outline(problem):
    """Of the true object the support is the crystal, within its rim; σ falls geometrically, and updates end in time"""
    _, _, psi = problem
    true = psi.abs() > 0
    support = ShrinkWrap(threshold=0.5)(psi, 0.7)
    assert int((support & true).sum()) / int((support | true).sum()) > 0.9
    shrink = ShrinkWrap(every=5, sigma=(4.0, 1.0), until=0.5)
    assert [shrink.sigma_at(k, 100) for k in (0, 25, 50, 100)] == pytest.approx([4, 2, 1, 1])
    assert [k for k in range(1, 101) if shrink.due(k, 100)] == list(range(5, 51, 5))
    assert not ShrinkWrap(every=0).due(10, 100)


@pytest.mark.parametrize("kind", ["amplitude", "poisson"])
def test_slope_of_the_likelihood(problem, kind):
    """The slope along a direction is the derivative of the value, and agrees with the gradient"""
    A, amplitude, psi = problem
    amplitude = amplitude.clone()
    amplitude[3] = -1
    scale = float(amplitude.clamp(min=0).norm() / psi.abs().norm())
    field, direction = A(psi * scale), A(random_start(amplitude, psi.abs() > 0, 1))
    likelihood = Likelihood(kind)
    h = 1e-2
    slope = likelihood.along(field, direction, amplitude, 0.1)[1]
    ahead, behind = (likelihood.along(field, direction, amplitude, 0.1 + step)[0] for step in (h, -h))
    assert slope == pytest.approx((ahead - behind) / (2 * h), rel=2e-2)
    pull = likelihood.pull(field + 0.1 * direction, amplitude, torch.empty_like(field))
    assert slope == pytest.approx(2 * float((pull * direction.conj()).real.sum(dtype=torch.float64)), rel=1e-3)
    assert float(pull[3].abs().max()) == 0


@pytest.mark.parametrize("kind", ["amplitude", "poisson"])
def test_refinement_goes_down_to_the_crystal(problem, kind):
    """From the true outline with flat phase: the objective falls at every step, and the phase is found"""
    A, amplitude, psi = problem
    support = psi.abs() > 0
    start = psi * torch.polar(
        torch.ones(psi.shape), 0.3 * torch.randn(psi.shape, generator=torch.Generator().manual_seed(0))
    )
    before = compare(centred(start.numpy()), centred(psi.numpy()))
    objectives = []
    for now in refine(A, amplitude, start, soft_support(support, 0.7), iterations=100, likelihood=Likelihood(kind)):
        objectives.append(now.objective)
    assert all(after <= before for before, after in pairwise(objectives))
    after = compare(centred(now.x.numpy()), centred(psi.numpy()))
    assert after.phase_rmse < 0.25 * before.phase_rmse


def test_soft_support_is_one_inside_and_hard_support_is_never_left(problem):
    A, amplitude, psi = problem
    support = psi.abs() > 0
    w = soft_support(support, 1.0)
    assert float(w[support].min()) == 1
    assert 0 < float(w[~support].max()) < 1
    torch.testing.assert_close(soft_support(support, 0.0), support.float())
    *_, last = refine(A, amplitude, psi, support, iterations=3)
    assert float(last.x[~support].abs().max()) == 0


def test_the_plain_tensor_way_gives_the_same(problem, monkeypatch):
    """What other devices compute, and the fused kernels"""
    A, amplitude, psi = problem
    amplitude = amplitude.clone()
    amplitude[2] = -1
    field = A(psi + 0.1 * random_start(amplitude, psi.abs() > 0, 3))
    fast, field_fast = replace_modulus(copy := field.clone(), amplitude), copy
    likelihoods = [Likelihood("amplitude"), Likelihood("poisson")]
    fast_along = [one.along(field, field_fast, amplitude, 0.2) for one in likelihoods]
    fast_pull = [one.pull(field, amplitude, torch.empty_like(field)) for one in likelihoods]

    class Elsewhere(torch.Tensor):
        """A tensor that does not say it is on the CPU."""

        @property
        def device(self):
            return torch.device("meta")

    there = field.clone().as_subclass(Elsewhere)
    slow = replace_modulus(there, amplitude)
    assert slow == pytest.approx(fast, rel=1e-5)
    torch.testing.assert_close(there.as_subclass(torch.Tensor), field_fast, rtol=1e-4, atol=1e-4)
    original = field.clone().as_subclass(Elsewhere)
    for one, (value, slope), pull in zip(likelihoods, fast_along, fast_pull, strict=True):
        assert one.along(original, field_fast, amplitude, 0.2) == pytest.approx((value, slope), rel=1e-3)
        slow_pull = one.pull(original, amplitude, torch.empty_like(field))
        torch.testing.assert_close(slow_pull.as_subclass(torch.Tensor), pull, rtol=1e-3, atol=1e-3)


def test_schedules():
    """As people write them"""
    assert parse_schedule("2 ER + 2×(1 HIO + 1 raar), 1 twin") == ("ER", "ER", "HIO", "RAAR", "HIO", "RAAR", "TWIN")
    assert parse_schedule("2x(3 ER)") == parse_schedule("2 * ( 3er )") == ("ER",) * 6
    assert len(parse_schedule("3×(20 ER + 180 HIO) + 20 ER")) == 620


@pytest.mark.parametrize(
    "text", ["", "ER", "20", "20 ABC", "2×(20 ER", "20 ER)", "20 ER +", "0 ER", "20 ER; 3 HIO", "1000×(1000000 ER)"]
)
def test_what_is_no_schedule_is_refused_with_an_example(text):
    with pytest.raises(OptionError, match=r"schedule .* write it like"):
        parse_schedule(text)
