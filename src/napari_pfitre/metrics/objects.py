"""Complex objects, modulo everything their diffraction pattern cannot tell.

    ψ(r)   and   e^{iα} ψ(r − a) e^{2πi b·r}   and   ψ*(−r) of these

have one pattern, up to a shift of it by b. `canonical` gives each such family one member, `align_to` gives the member
that is nearest to another object, and `compare` says how near that is. Arrays are (z, y, x), complex, in any place of
a box that counts as periodic; what comes back has its middle at index n // 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft

__all__ = ["Agreement", "align_to", "canonical", "compare", "remove_ramp", "twin"]

_FINE = 20  #: parts of a voxel that a displacement is found in
_WINDOW = 1.5  #: voxels about the whole-voxel displacement in which the finer one is looked for


class Agreement(NamedTuple):
    """How near an object is to the truth, after the ambiguities are taken out."""

    iou: float  #: voxels in both supports over voxels in either
    phase_rmse: float  #: radians, inside of the true support
    amplitude_error: float  #: ‖|a| − |b|‖ / ‖b‖ at the best scale
    error: float  #: ‖a − b‖ / ‖b‖ at the best scale
    twin: bool  #: the twin was nearer
    shift: tuple[float, float, float]  #: voxels by which the object (or its twin) was moved


def canonical(psi: np.ndarray, *, untwin: bool = True) -> np.ndarray:
    """The family's one member: no mean phase, no mean slope of phase, its middle at n // 2, one of the twins.

    The middle is that of |ψ|², to the nearest voxel, so that no value is interpolated. Of the twins (`untwin`) the one
    is taken in which |ψ|² reaches farther out towards low indices, by the third moment along the axis on which that
    shows most; for a crystal that is nearly its own mirror image this is a choice by chance.
    """
    psi = _middled(remove_ramp(_checked(psi)))
    if untwin:
        skew = _skewness(np.abs(psi) ** 2)
        if skew[np.argmax(np.abs(skew))] > 0:
            psi = _middled(twin(psi))
    return _without_mean_phase(psi)


def twin(psi: np.ndarray) -> np.ndarray:
    """ψ*(−r), inverted through index n // 2 (through the corner between voxels it would be half a voxel off)."""
    turned = np.conj(psi[::-1, ::-1, ::-1])
    return np.roll(turned, [1 - n % 2 for n in psi.shape], (0, 1, 2))


def remove_ramp(psi: np.ndarray) -> np.ndarray:
    """Without the mean slope of its phase, so that the pattern's middle is at zero.

    The slope is the phase of Σ ψ(r + 1) ψ*(r): no phase is unwrapped.
    """
    return _ramped(psi, [-s for s in _slopes(psi)])


def align_to(psi: np.ndarray, target: np.ndarray, *, untwin: bool = True) -> tuple[np.ndarray, bool, tuple]:
    """The member of ψ's family that is nearest to `target`, whether it is the twin's, and the displacement.

    Displacements are found to 1/20 of a voxel from the amplitudes, and made by Fourier transform; then slope and mean
    of the phase follow from ψ target*. The scale is left alone.
    """
    psi, target = _checked(psi), _checked(target)
    if psi.shape != target.shape:
        raise ValueError(f"objects to compare should have one shape; they have {psi.shape} and {target.shape}")
    flat = remove_ramp(psi)
    found: list[tuple[float, np.ndarray, bool, tuple]] = []
    for turned in (False, True) if untwin else (False,):
        one = twin(flat) if turned else flat
        shift = _displacement(np.abs(one), np.abs(target))
        moved = _fitted(_moved(one, shift), target)
        found.append((float(np.vdot(target, moved).real), moved, turned, shift))
    _, moved, turned, shift = max(found, key=lambda one: one[0])
    return moved, turned, shift


def compare(psi: np.ndarray, truth: np.ndarray, *, support: np.ndarray | None = None,
            true_support: np.ndarray | None = None, threshold: float = 0.3) -> Agreement:  # fmt: skip
    """How near ψ is to the truth.

    Parameters
    ----------
    psi, truth
        Complex, of one shape.
    support, true_support
        Where the objects are, bool; by default where the amplitude is above `threshold` of its 99th percentile inside
        the brighter half. The support of ψ moves with it.
    """
    moved, turned, shift = align_to(psi, truth)
    truth = _checked(truth)
    inside = _outline(np.abs(truth), threshold) if true_support is None else np.asarray(true_support, bool)
    if support is None:
        found = _outline(np.abs(moved), threshold)
    else:
        one = np.asarray(support, np.complex64)
        found = np.abs(_moved(twin(one) if turned else one, shift)) > 0.5
    either = int(np.count_nonzero(found | inside))
    phase = np.angle(moved[inside] * np.conj(truth[inside]))
    size = float(np.linalg.norm(truth)) or 1.0
    return Agreement(
        int(np.count_nonzero(found & inside)) / either if either else 1.0,
        float(np.sqrt(np.mean(phase**2))) if phase.size else 0.0,
        _distance(np.abs(moved), np.abs(truth)) / size,
        _distance(moved, truth) / size,
        turned,
        shift,
    )


def _checked(psi: np.ndarray) -> np.ndarray:
    psi = np.asarray(psi)
    if psi.ndim != 3:
        raise ValueError(f"an object is (z, y, x); this array has {psi.ndim} axes")
    if not np.isfinite(psi).all():
        raise ValueError("an object to compare should have finite values only")
    if not psi.any():
        raise ValueError("an object that is zero everywhere has neither place nor phase")
    return psi.astype(np.complex64 if psi.dtype.itemsize <= 8 else np.complex128, copy=False)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """min over c of ‖c a − b‖"""
    power = float(np.vdot(a, a).real)
    c = float(np.vdot(a, b).real) / power if power else 0.0
    return float(np.linalg.norm(c * a - b))


def _outline(amplitude: np.ndarray, threshold: float) -> np.ndarray:
    bright = amplitude[amplitude > 0.5 * amplitude.max()]
    return amplitude > threshold * np.percentile(bright, 99)


def _without_mean_phase(psi: np.ndarray) -> np.ndarray:
    total = np.sum(psi * np.abs(psi), dtype=np.complex128)
    return psi * np.asarray(np.exp(-1j * np.angle(total)), psi.dtype)


def _slopes(psi: np.ndarray) -> list[float]:
    """Radians per voxel along each axis."""
    return [
        float(np.angle(np.sum(np.roll(psi, -1, axis) * np.conj(psi), dtype=np.complex128))) for axis in range(psi.ndim)
    ]


def _ramped(psi: np.ndarray, slopes) -> np.ndarray:
    """ψ times e^{i s·r}, r counted from ψ's middle, so that the ramp breaks where ψ is zero and not across it."""
    weights = np.abs(psi) ** 2
    for axis, (n, slope) in enumerate(zip(psi.shape, slopes, strict=True)):
        at = (np.arange(n) - round(_middle(weights, axis)) + n // 2) % n - n // 2
        wave = np.exp(1j * slope * at).astype(psi.dtype)
        psi = psi * wave.reshape([-1 if a == axis else 1 for a in range(psi.ndim)])
    return psi


def _middle(weights: np.ndarray, axis: int) -> float:
    """Where a periodic distribution has its middle, as an index."""
    n = weights.shape[axis]
    line = weights.sum(axis=tuple(a for a in range(weights.ndim) if a != axis), dtype=np.float64)
    turn = np.sum(line * np.exp(2j * np.pi * np.arange(n) / n))
    return float(np.angle(turn) * n / (2 * np.pi)) % n


def _middled(psi: np.ndarray) -> np.ndarray:
    weights = np.abs(psi) ** 2
    shift = [n // 2 - int(np.floor(_middle(weights, a) + 0.5)) for a, n in enumerate(psi.shape)]
    return np.roll(psi, shift, (0, 1, 2))


def _skewness(weights: np.ndarray) -> np.ndarray:
    """Σ w d³ / (Σ w d²)^{3/2} along each axis, d from the centre of mass."""
    found = []
    for axis in range(3):
        line = weights.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
        line /= line.sum()
        at = np.arange(line.size)
        away = at - np.sum(line * at)
        found.append(np.sum(line * away**3) / max(np.sum(line * away**2), 1e-12) ** 1.5)
    return np.array(found)


def _displacement(amplitude: np.ndarray, target: np.ndarray) -> tuple[float, float, float]:
    """By how much to move one real array so that it lies best on the other.

    The cross-correlation's maximum; about it, the same sum on a grid of 1/20 voxel by three small matrix products
    (Guizar-Sicairos et al., Opt. Lett. 33 (2008) 156).
    """
    cross = np.conj(fft.fftn(amplitude)) * fft.fftn(target)
    correlation = fft.ifftn(cross).real
    peak = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    whole = [p - n if p > n // 2 else p for p, n in zip(peak, cross.shape, strict=True)]
    fine = np.arange(-_WINDOW, _WINDOW + 0.5 / _FINE, 1 / _FINE)
    field = cross
    for n, near in zip(cross.shape, whole, strict=True):
        waves = np.exp(2j * np.pi * np.outer(fft.fftfreq(n), near + fine)).astype(cross.dtype)
        field = np.tensordot(field, waves, axes=(0, 0))
    best = np.unravel_index(int(np.argmax(field.real)), field.shape)
    z, y, x = (float(near + fine[b]) for near, b in zip(whole, best, strict=True))
    return round(z, 6), round(y, 6), round(x, 6)


def _moved(psi: np.ndarray, shift) -> np.ndarray:
    """ψ(r − shift), periodic; whole voxels by rolling."""
    if all(abs(s - round(s)) < 0.25 / _FINE for s in shift):
        return np.roll(psi, [round(s) for s in shift], (0, 1, 2))
    field = fft.fftn(psi)
    for axis, (n, s) in enumerate(zip(psi.shape, shift, strict=True)):
        wave = np.exp(-2j * np.pi * fft.fftfreq(n) * s).astype(psi.dtype)
        field *= wave.reshape([-1 if a == axis else 1 for a in range(3)])
    return fft.ifftn(field)


def _fitted(psi: np.ndarray, target: np.ndarray) -> np.ndarray:
    """ψ with slope and mean of its phase changed to be nearest to the target."""
    for _ in range(3):  # the product's slope is a first guess; what is left of it shrinks fast
        psi = _ramped(psi, [-s for s in _slopes(psi * np.conj(target))])
    return psi * np.asarray(np.exp(1j * np.angle(np.vdot(psi, target))), psi.dtype)
