"""Phases of strained crystals: smooth fields, waves, surfaces that relax, dislocations, faults.

The phase of a crystal in a Bragg reflection is Q·u(r), u the displacement of its lattice. Coordinates r are those of
`crystal_shapes.Shape`: the crystal lies between −½ and ½.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["FIELDS", "random_phase"]

#: How often each kind is in a crystal's field; several may be.
FIELDS: Mapping[str, float] = {"polynomial": 0.6, "waves": 0.55, "surface": 0.2, "dislocation": 0.12, "fault": 0.06}

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]


def random_phase(
    rng: np.random.Generator, axes: Axes, depth: np.ndarray, peak_to_peak: float, kinds: Mapping[str, float] = FIELDS
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """A phase in radians, what the amplitude is multiplied by (1 but at dislocation cores), and what the field is of.

    Parameters
    ----------
    axes
        Three (n,) coordinates of the raster, in bounding boxes.
    depth
        Below the surface, positive inside, in bounding boxes; the raster's shape.
    peak_to_peak
        Of the smooth part inside the crystal, radians; dislocations and faults come on top, for they have no scale.
    """
    z, y, x = (axis.astype(np.float32) for axis in axes)
    drawn = {name: rng.random() < often for name, often in kinds.items()}
    smooth = [name for name in ("polynomial", "waves", "surface") if drawn.get(name)]
    if peak_to_peak > 0 and not smooth:
        smooth = ["polynomial"]
    inside = depth > 0
    phase = np.zeros_like(depth)
    for name in smooth if peak_to_peak > 0 else ():
        if name == "surface":
            part = np.exp(-np.clip(depth, 0, 1) / np.float32(rng.uniform(0.05, 0.3)))
        else:
            part = (_polynomial if name == "polynomial" else _waves)(rng, z, y, x)
        part = _without_ramp(part, inside, (z, y, x))
        phase += part * np.float32(rng.uniform(0.3, 1) / max(_range(part, inside), 1e-6))
    if peak_to_peak > 0:
        phase *= np.float32(peak_to_peak / max(_range(phase, inside), 1e-6))
    amplitude = np.ones_like(depth)
    names = list(smooth) if peak_to_peak > 0 else []
    if drawn.get("dislocation"):
        for _ in range(1 + (rng.random() < 0.25)):
            winding, core = _dislocation(rng, z, y, x)
            phase += winding
            amplitude *= core
        names.append("dislocation")
    if drawn.get("fault"):
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        across = (normal[0] * z)[:, None, None] + (normal[1] * y)[:, None] + normal[2] * x - rng.uniform(-0.2, 0.2)
        jump = float(rng.choice([2 * np.pi / 3, -2 * np.pi / 3, np.pi]))  # of stacking faults in fcc, and of twins
        phase += np.float32(jump) * (across > 0)
        names.append("fault")
    return phase, amplitude, tuple(names)


def _range(field: np.ndarray, inside: np.ndarray) -> float:
    values = field[inside]
    return float(values.max() - values.min()) if values.size else 0.0


def _without_ramp(field: np.ndarray, inside: np.ndarray, axes: Axes) -> np.ndarray:
    """The field less its mean and linear part over the crystal: those only move the pattern."""
    i, j, k = np.nonzero(inside)
    if i.size < 8:
        return field
    z, y, x = axes
    plane = np.stack([np.ones(i.size, np.float32), z[i], y[j], x[k]], axis=1)
    a = np.linalg.solve(plane.T @ plane + 1e-6 * np.eye(4, dtype=np.float32), plane.T @ field[inside])
    return field - (a[0] + a[1] * z[:, None, None] + a[2] * y[:, None] + a[3] * x)


def _polynomial(rng: np.random.Generator, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Quadratic and cubic terms: bending, and a lattice that changes slowly."""
    factors = []
    for axis in (z, y, x):
        factors.append(np.stack([np.ones_like(axis), 2 * axis, 4 * axis**2, 8 * axis**3], axis=1))
    i, j, k = np.indices((4, 4, 4))
    order = i + j + k
    weights = np.where((order >= 2) & (order <= 3), rng.normal(size=(4, 4, 4)), 0).astype(np.float32)
    return _separable(weights, *factors)


def _waves(rng: np.random.Generator, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A few plane waves, up to a cycle and a half across the crystal: a single cosine, or a smooth random field."""
    count = 1 if rng.random() < 0.3 else int(rng.integers(3, 9))
    most = rng.uniform(0.5, 1.5)
    k = rng.normal(size=(count, 3))
    k *= (rng.uniform(0.3, most, count) / np.linalg.norm(k, axis=1))[:, None] * 2 * np.pi
    start = rng.normal(size=count) * np.exp(1j * rng.uniform(0, 2 * np.pi, count))
    a, b, c = (np.exp(1j * np.multiply.outer(axis, k[:, i])).astype(np.complex64) for i, axis in enumerate((z, y, x)))
    planes = (a[:, None] * b * start.astype(np.complex64)).reshape(-1, count)
    return np.ascontiguousarray((planes @ c.T).real).reshape(len(z), len(y), len(x))


def _separable(weights: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Σ w_ijk aᵢ(z) bⱼ(y) cₖ(x)."""
    return np.tensordot(a, np.tensordot(b, weights @ c.T, axes=(1, 1)), axes=(1, 1))


def _dislocation(
    rng: np.random.Generator, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A straight line about which the phase winds once; edge parts wind unevenly, the core diffracts nothing."""
    line, across = rng.normal(size=(2, 3))
    line /= np.linalg.norm(line)
    across -= (across @ line) * line
    across /= np.linalg.norm(across)
    third = np.cross(line, across)
    through = rng.uniform(-0.25, 0.25, 3)
    u, v = (
        (e[0] * (z - through[0]))[:, None, None] + (e[1] * (y - through[1]))[:, None] + e[2] * (x - through[2])
        for e in (across, third)
    )
    u, v = u.astype(np.float32), v.astype(np.float32)
    squared = u * u + v * v + np.float32(1e-9)
    edge = np.float32(rng.uniform(-0.5, 0.5))
    winding = np.float32(rng.choice([-1, 1])) * (np.arctan2(v, u) + edge * 2 * u * v / squared)
    core = np.float32(rng.uniform(0.02, 0.06))
    return winding, 1 - np.exp(-squared / core**2)
