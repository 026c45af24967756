"""The network for coherent diffraction, the frame it sees patterns in, and the best of its answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_pfitre.metrics import compare
from napari_pfitre.networks import CrystalNet
from napari_pfitre.networks.crystal_frame import OVERSAMPLING, filled, frame_of, oversampling_of
from napari_pfitre.networks.crystal_guess import VIEWS, _turned, _turned_back, best_guess, guesses
from napari_pfitre.networks.crystal_net import (
    BOX,
    INNER,
    as_object,
    fold,
    transform,
    transform_back,
    twin,
    unfold,
)
from napari_pfitre.twin.crystals import Crystals

SMALL = {"widths": (8, 8, 16), "correlation": (8, 8)}


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return CrystalNet(**SMALL).eval()


@pytest.fixture(scope="module")
def crystals():
    made = Crystals(8, size=48, oversampling=(2.0, 3.0), photons=(1e7, 1e7), spoil=0.0, off_centre=0.7)
    return [made[i] for i in range(3)]


def test_fold_and_back():
    x = torch.randn(2, 3, 4, 6, 8)
    folded = fold(x)
    assert folded.shape == (2, 24, 2, 3, 4)
    assert torch.equal(unfold(folded), x)
    assert set(folded[0, :, 0, 0, 0].tolist()) == set(x[0, :, :2, :2, :2].flatten().tolist())


def test_transform_has_its_zero_in_the_middle():
    x = torch.zeros(8, 8, 8, dtype=torch.complex64)
    x[4, 4, 4] = 1
    assert torch.allclose(transform(x), torch.full_like(x, 8**-1.5))
    y = torch.randn(2, 8, 8, 8, dtype=torch.complex64)
    assert torch.allclose(transform_back(transform(y)), y, atol=1e-5)
    assert torch.allclose(transform(y).abs().square().sum(), y.abs().square().sum(), rtol=1e-4)


def test_answers_have_their_shape_and_no_scale(net):
    amplitude, known = torch.rand(2, BOX, BOX, BOX), torch.ones(2, BOX, BOX, BOX)
    with torch.no_grad():
        answer, again = net(amplitude, known), net(1000 * amplitude, known)
    assert answer.shape == (2, 3, INNER, INNER, INNER)
    assert torch.allclose(answer, again, atol=1e-3)
    psi = as_object(answer)
    assert psi.dtype == torch.complex64
    assert (psi.abs() <= 1).all()
    assert torch.allclose(torch.angle(psi), torch.atan2(answer[:, 2], answer[:, 1]), atol=1e-5)


def test_what_is_not_known_is_told(net):
    """Zero because nothing was counted there is another thing than zero because nothing was measured"""
    amplitude, known = torch.rand(1, BOX, BOX, BOX), torch.ones(1, BOX, BOX, BOX)
    amplitude[:, :, 5:7] = 0
    gap = known.clone()
    gap[:, :, 5:7] = 0
    with torch.no_grad():
        assert not torch.allclose(net(amplitude, known), net(amplitude, gap), atol=1e-6)


def test_an_empty_pattern_gives_finite_numbers(net):
    with torch.no_grad():
        answer = net(torch.zeros(1, BOX, BOX, BOX), torch.ones(1, BOX, BOX, BOX))
    assert torch.isfinite(answer).all()


def seen_directly(psi, frame):
    """|Fourier sum| of an object at the frame's voxels."""
    field = psi
    for axis, (n, m, delta) in enumerate(zip(frame.shape, frame.window, frame.offset, strict=True)):
        k = (torch.arange(BOX) - BOX // 2) * (m / BOX) + delta
        x = (torch.arange(n) - n // 2) / n
        waves = torch.polar(torch.ones(BOX, n), -2 * np.pi * k[:, None] * x)
        field = torch.tensordot(waves, field.movedim(axis, 0), dims=1).movedim(0, axis)
    return field.abs()


def test_the_frame_samples_the_pattern_anew(crystals):
    """What the resampling makes of the intensity is what the object scatters there"""
    for crystal in crystals:
        frame = frame_of(torch.from_numpy(crystal.intensity), None, crystal.oversampling)
        assert frame.amplitude.shape == (BOX, BOX, BOX)
        direct = seen_directly(torch.from_numpy(crystal.object), frame)
        cosine = (direct * frame.amplitude).sum() / (direct.norm() * frame.amplitude.norm())
        assert 1 - float(cosine) ** 2 < 0.03
        assert np.allclose(frame.window, BOX * np.array(crystal.oversampling) / OVERSAMPLING)


def test_the_frame_is_centred_on_the_mass(crystals):
    frame = frame_of(torch.from_numpy(crystals[0].intensity), None, crystals[0].oversampling)
    at = torch.arange(BOX) - BOX // 2
    light = frame.amplitude.square()
    for axis in range(3):
        profile = light.sum(tuple({0, 1, 2} - {axis}))
        turn = torch.angle((profile * torch.exp(2j * np.pi * at / BOX)).sum())
        assert abs(float(turn)) * BOX / (2 * np.pi) < 0.1


def test_an_even_background_does_not_move_the_frame(crystals):
    """The centre of mass proper would be drawn to the middle of the array"""
    one = frame_of(torch.from_numpy(crystals[1].intensity), None, (2.04 * 48 / 32,) * 3)
    lit = frame_of(torch.from_numpy(crystals[1].intensity + 20), None, (2.04 * 48 / 32,) * 3)
    assert np.allclose(one.offset, lit.offset, atol=0.05)
    assert np.abs(one.offset).max() > 0.2


def test_there_and_back(crystals):
    """An object given in the frame comes back at the voxels of its pattern, with its ramp"""
    crystal = crystals[2]
    frame = frame_of(torch.from_numpy(crystal.intensity), None, crystal.oversampling)
    ones = frame.back(torch.ones(INNER, INNER, INNER, dtype=torch.complex64))
    assert ones.shape == crystal.object.shape
    middle = ones[24, 24, 24 - 6 : 24 + 7]
    slope = np.diff(np.unwrap(np.angle(middle.numpy()))).mean()
    assert np.isclose(slope, 2 * np.pi * frame.offset[2] / 48, atol=1e-4)
    ball = frame.back((torch.linspace(-1, 1, INNER) ** 2)[:, None, None].expand(INNER, INNER, INNER))
    n, m = frame.shape[0], frame.window[0]
    for i in (16, 24, 30):
        at = (i - n // 2) * m / n + INNER // 2
        assert np.isclose(float(ball[i, 24, 24]), (at * 2 / (INNER - 1) - 1) ** 2, atol=0.02)


def test_the_oversampling_is_read_off_the_shape():
    """To about 6 %, less where corners are round; what was given when there is no shape"""
    made = Crystals(8, size=BOX, oversampling=(1.6, 2.6), spoil=0.0, off_centre=0.0)
    edge = (BOX - INNER) // 2
    errors = []
    for i in range(15):
        frame = frame_of(torch.from_numpy(made[i].intensity), None, (OVERSAMPLING,) * 3)
        shape = torch.from_numpy(made[i].support)[edge:-edge, edge:-edge, edge:-edge]
        errors.append(np.log(np.array(oversampling_of(shape, frame)) / made[i].oversampling))
    assert abs(np.mean(errors)) < 0.05
    assert np.std(errors) < 0.1
    given = (1.8, 2.0, 2.3)
    frame = frame_of(torch.from_numpy(made[0].intensity), None, given)
    assert np.allclose(oversampling_of(torch.zeros(INNER, INNER, INNER), frame), given)


def test_masked_voxels_are_filled_from_their_neighbours_and_told():
    at = torch.arange(24) - 12
    smooth = torch.exp(-(at**2) / 60.0)
    pattern = 1e4 * smooth[:, None, None] * smooth[:, None] * smooth
    mask = torch.zeros(24, 24, 24, dtype=torch.bool)
    mask[:, 9:11] = True
    spoilt = torch.where(mask, torch.full_like(pattern, 1e9), pattern)
    repaired = filled(spoilt, mask)
    assert torch.equal(repaired[~mask], pattern[~mask])
    assert (repaired - pattern).abs().max() < 0.15 * pattern.max()
    frame = frame_of(spoilt, mask, (2.0, 2.0, 2.0))
    assert 0.02 < float(1 - frame.known.mean()) < 0.3
    assert not frame.amplitude[frame.known == 0].any()
    assert filled(spoilt, torch.ones_like(mask)).sum() == 0


def test_views_are_all_different_and_can_be_undone():
    x = torch.randn(BOX, BOX, BOX)
    x[:1] = x[:, :1] = x[:, :, :1] = 0  # index 0 has no mirror image about the middle
    turned = [_turned(x, *view) for view in VIEWS]
    assert len({t.numpy().tobytes() for t in turned}) == len(VIEWS) == 16
    for view, t in zip(VIEWS, turned, strict=True):
        assert torch.equal(_turned_back(t, *view), x)
        assert t[BOX // 2, BOX // 2, BOX // 2] == x[BOX // 2, BOX // 2, BOX // 2]


class Oracle(CrystalNet):
    """Knows the object of one frame, however it is turned over; the scale of its confidence differs by view."""

    def __init__(self, psi, support):
        super().__init__(**SMALL)
        self.psi, self.support, self.asked = psi, support, 0

    def forward(self, amplitude, known):
        answers = []
        for i in range(len(amplitude)):
            view = VIEWS[i]
            psi, support = _turned(self.psi, *view), _turned(self.support, *view)
            spoil = 0.0 if (i == 1 and self.asked == 0) else 2.0  # the second view of the first frame is the right one
            phase = torch.exp(1j * spoil * torch.linspace(-1, 1, INNER) ** 2 * torch.ones(INNER, INNER, 1))
            u = 30 * psi / psi.abs().clamp(min=1e-6) * phase
            answers.append(torch.stack([20 * (support - 0.5), u.real, u.imag]))
        self.asked += 1
        return torch.stack(answers)


def answered(kind, tries, keep):
    """A crystal, a network that knows it, and what `guesses` makes of that one's answers."""
    crystal = Crystals(8, size=32, oversampling=(1.9, 2.2), photons=(1e7, 1e7), spoil=0.0, off_centre=0.0)[3]
    edge = (BOX - INNER) // 2
    cut = (slice(edge, -edge),) * 3
    net = kind(torch.from_numpy(crystal.object)[cut], torch.from_numpy(crystal.support)[cut])
    return crystal, net, guesses(net, torch.from_numpy(crystal.intensity), None, (OVERSAMPLING,) * 3, tries, keep)


def test_the_answer_that_fits_best_counts_most():
    crystal, oracle, found = answered(Oracle, tries=4, keep=3)
    assert len(found) == 3
    assert found[0].misfit < 0.05
    assert found[0].misfit == pytest.approx(found[1].misfit, abs=1e-3)  # the others hardly count beside the right one
    assert found[1].misfit < found[2].misfit
    solid = torch.from_numpy(crystal.support) > 0.9
    product = (found[0].psi * torch.from_numpy(crystal.object).conj())[solid]
    assert float(torch.angle(product / product.mean()).abs().mean()) < 0.3
    assert oracle.asked == 2


class Unsure(Oracle):
    """Right but for a phase that differs by view, and every other time the twin."""

    def forward(self, amplitude, known):
        generator, answers = torch.Generator().manual_seed(self.asked), []
        for i in range(len(amplitude)):
            rough = torch.nn.functional.avg_pool3d(torch.randn(1, 1, *(INNER,) * 3, generator=generator), 5, 1, 2)[0, 0]
            own = self.psi * torch.exp(5j * rough + 1j * i), self.support
            psi, support = (twin(part) for part in own) if i % 2 else own
            psi, support = (_turned(part, *VIEWS[i]) for part in (psi, support))
            u = 30 * psi / psi.abs().clamp(min=1e-6)
            answers.append(torch.stack([20 * (support - 0.5), u.real, u.imag]))
        self.asked += 1
        return torch.stack(answers)


def test_what_answers_agree_on_is_nearer_than_any_of_them():
    crystal, _, found = answered(Unsure, tries=10, keep=9)
    errors = [
        compare(guess.psi.numpy(), crystal.object, true_support=crystal.support > 0.5).phase_rmse for guess in found
    ]
    assert errors[0] < 0.7 * min(errors[1:])


def test_one_try_is_one_question(net, crystals):
    guess = best_guess(net, torch.from_numpy(crystals[0].intensity), None, crystals[0].oversampling, tries=1)
    assert guess.psi.shape == guess.shape.shape == (48, 48, 48)
    assert 0 <= guess.misfit <= 1
    assert torch.isfinite(guess.psi.abs()).all()
