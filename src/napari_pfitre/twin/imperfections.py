"""What goes wrong between an object and the numbers on disk, each with a strength of its own; 0 is off.

In the order of the physics: the object moves (`displacements`, `slips`, `angle_errors`), more than the object is in the
beam (`background`), the optics blur (`blurred`), the beam changes (`beam_drift`), the detector's pixels differ
(`pixel_gains`), photons are counted (`expose`), pixels fail (`bad_pixels`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "Exposure",
    "Faults",
    "add_noise",
    "angle_errors",
    "background",
    "bad_pixels",
    "beam_drift",
    "blurred",
    "displacements",
    "expose",
    "pixel_gains",
    "slips",
]


def wander(rng: np.random.Generator, n: int, strength: float) -> np.ndarray:
    """A slow walk: a random one smoothed over a tenth of the scan, zero mean, root mean square `strength`."""
    if not strength:
        return np.zeros(n)
    width = max(n // 10, 1)
    path = np.cumsum(rng.normal(size=n + width - 1))
    path = np.convolve(path, np.ones(width) / width, mode="valid")
    path -= path.mean()
    return strength * path / max(float(np.sqrt((path**2).mean())), 1e-12)


def displacements(rng: np.random.Generator, n: int, jitter: float, drift: float) -> np.ndarray:
    """How far each projection is displaced, (angle, 2): rows, columns, in pixels.

    `jitter` is the standard deviation from one projection to the next, `drift` the root mean square of a slow
    motion.
    """
    slow = np.stack([wander(rng, n, drift), wander(rng, n, drift)], axis=1)
    return slow + jitter * rng.normal(size=(n, 2))


def slips(rng: np.random.Generator, n: int, strength: float) -> np.ndarray:
    """A few projections, one in twenty-five, far from where they should be, (angle, 2): by up to `strength` pixels."""
    moved = np.zeros((n, 2))
    if strength:
        chosen = rng.permutation(n)[: max(1, round(n / 25))]
        moved[chosen] = strength * rng.uniform(0.4, 1, (len(chosen), 2)) * rng.choice([-1, 1], (len(chosen), 2))
    return moved


def angle_errors(rng: np.random.Generator, n: int, strength: float) -> np.ndarray:
    """By how much the stage missed each angle: independent, normal, in the unit of `strength`."""
    return strength * rng.normal(size=n)


def background(rng: np.random.Generator, shape: tuple[int, int, int], strength: float) -> np.ndarray:
    """A weak, smooth offset that belongs to no voxel, (angle, row, column); mean about `strength`, nowhere negative.

    It leans and bends across the detector and changes slowly over the scan, as scatter, resin around the sample or
    a badly subtracted spectrum do.
    """
    n_angles, n_rows, n_columns = shape
    column, row = np.linspace(-1, 1, n_columns), np.linspace(-1, 1, n_rows)
    lean, bend, down = rng.uniform((-0.4, -0.4, -0.3), (0.4, 0.4, 0.3))
    over = np.exp(wander(rng, n_angles, 0.3))
    across = 1 + lean * column + bend * (column**2 - 1 / 3)
    field = strength * over[:, None, None] * ((1 + down * row)[:, None] * across)
    return field.astype(np.float32)


def blurred(values: np.ndarray, resolution: float, axes: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """A normal blur along `axes`, `resolution` its full width at half maximum in pixels.

    Of projections (angle, row, column), or of a volume along all three; what lies beyond the border is taken to be like
    it. A projection blurred along rows and columns is the projection of the volume blurred along all its axes.
    """
    from scipy.ndimage import correlate1d
    from scipy.special import ive

    variance = resolution**2 / (8 * np.log(2))
    reach = int(np.ceil(4 * np.sqrt(variance))) + 1
    # The normal distribution of whole numbers: its variance is right however narrow it is.
    kernel = ive(np.abs(np.arange(-reach, reach + 1)), variance)
    kernel /= kernel.sum()
    for axis in axes:
        if values.shape[axis] > 1:
            values = correlate1d(values, kernel, axis, mode="nearest")
    return values


def beam_drift(rng: np.random.Generator, n: int, strength: float) -> np.ndarray:
    """The beam's intensity at each projection relative to the flats, mean about 1; `strength` is relative."""
    return np.exp(wander(rng, n, strength))


def pixel_gains(rng: np.random.Generator, rows: int, columns: int, strength: float) -> np.ndarray:
    """Gains that the flats do not know, (row, column): what rings are made of.

    A tenth of the columns carries most of it, as scratches do; it varies along a column by a third of its
    strength.
    """
    marked = np.where(rng.random(columns) < 0.1, 2.5, 0.5)
    along = rng.normal(size=columns) + rng.normal(size=(rows, columns)) / 3
    return np.exp(strength * marked * along)


def bad_pixels(rng: np.random.Generator, rows: int, columns: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Dead and hot pixels, two masks (row, column); either kind is half of `fraction` of all."""
    draw = rng.random((rows, columns))
    return draw < fraction / 2, draw > 1 - fraction / 2


class Faults(NamedTuple):
    """What beam and detector do to every frame; None is nothing."""

    intensity: np.ndarray | None = None  #: (angle,), the beam relative to the flats
    gains: np.ndarray | None = None  #: (row, column), see `pixel_gains`; the flats are taken without them
    bad: tuple[np.ndarray, np.ndarray] | None = None  #: dead and hot pixels, so in every frame


PERFECT = Faults()


class Exposure(NamedTuple):
    """Detector counts."""

    projections: np.ndarray  #: (angle, row, column)
    flats: np.ndarray  #: (flat, row, column)
    darks: np.ndarray  #: (dark, row, column)


OFFSET, READ_NOISE = 100.0, 2.0  # counts a frame holds without beam, and their standard deviation


def expose(
    rng: np.random.Generator,
    line_integrals: np.ndarray,
    photons: float,
    faults: Faults = PERFECT,
    frames: int = 10,
) -> Exposure:
    """Count photons.

    Parameters
    ----------
    line_integrals
        (angle, row, column).
    photons
        Mean number in a pixel of the open beam's middle.
    frames
        Flats, and as many darks.

    Returns
    -------
    One count a photon over an offset, uint16 where the counts fit, otherwise uint32.
    """
    _, rows, columns = line_integrals.shape
    across, down = np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)[:, None]
    beam = photons * np.exp(-0.15 * across**2 - 0.1 * down**2)
    response = 1 + 0.03 * rng.normal(size=(rows, columns))  # known to the flats
    seen = np.exp(-line_integrals) * (beam * response)
    if faults.intensity is not None:
        seen *= faults.intensity[:, None, None]
    if faults.gains is not None:
        seen *= faults.gains
    stacks = []
    for expected in (
        seen,
        np.broadcast_to(beam * response, (frames, rows, columns)),
        np.zeros((frames, rows, columns)),
    ):
        counts = rng.poisson(expected) + rng.normal(OFFSET, READ_NOISE, expected.shape)
        stacks.append(np.maximum(np.rint(counts), 0))
    most = np.iinfo(np.uint16).max
    dtype = np.uint16 if max(stack.max() for stack in stacks) <= most else np.uint32
    if faults.bad is not None:
        dead, hot = faults.bad
        bright = min(OFFSET + 4 * photons, np.iinfo(dtype).max)
        for stack in stacks:
            stack[:, dead] = 0
            stack[:, hot] = bright
    return Exposure(*(stack.astype(dtype) for stack in stacks))


def add_noise(
    rng: np.random.Generator,
    line_integrals: np.ndarray,
    noise: float,
    faults: Faults = PERFECT,
    largest: float | None = None,
) -> np.ndarray:
    """The same imperfections on line integrals, with normal noise of `noise` times the largest.

    `largest` may be that of the object alone. A dead pixel reads twice the largest line integral, a hot one minus
    half of it.
    """
    largest = float(line_integrals.max()) if largest is None else largest
    data = line_integrals + noise * largest * rng.standard_normal(line_integrals.shape, dtype=np.float32)
    if faults.intensity is not None:
        data -= np.log(faults.intensity)[:, None, None]
    if faults.gains is not None:
        data -= np.log(faults.gains)
    if faults.bad is not None:
        dead, hot = faults.bad
        data[:, dead] = 2 * largest
        data[:, hot] = -largest / 2
    return data.astype(np.float32)
