"""From the angles of a diffractometer to where the voxels of a rocking scan lie in reciprocal space.

The laboratory frame is that of CXI and NeXus: x to the side, y up, z downstream; right-handed. A circle is named by its
axis and sense: ``"x-"`` turns right-handed about −x. Circles are listed from the base outwards, as each carries the
next. With the detector arm's rotation D, direct beam ẑ and k = 2π/λ,

    k_f = k n,   n ∝ D (L ẑ + Δ_row p_row r̂ + Δ_column p_column ĉ),   Q = k_f − k ẑ,

where Δ counts pixels from the direct beam, or is 0 when its place on the detector is not known. A pixel is a step of
k_f along D r̂ or D ĉ, with the part along n taken out (a sphere, not a plane). When a sample circle of axis â turns by
δ, a fixed pixel sees what was at Q − δ (â × Q): that is the step between frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import ScanError
from .scans import BraggGeometry, CdiScan

__all__ = ["DIFFRACTOMETERS", "Diffractometer", "bragg_geometry", "located", "wavelength"]

_HC = 1.23984198433e-9  #: m keV, exact since 2019
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True)
class Diffractometer:
    """Circles of sample and detector, and how the detector stands when all of them are at zero."""

    name: str
    sample: tuple[tuple[str, str], ...]  #: (motor, axis with sense), from the base outwards
    detector: tuple[tuple[str, str], ...]
    row: str  #: direction in which the row index grows
    column: str  #: direction in which the column index grows

    @property
    def motors(self) -> tuple[str, ...]:
        return tuple(name for name, _ in (*self.sample, *self.detector))

    def needed(self, scanned: str) -> tuple[str, ...]:
        """Motors whose angles a geometry takes: the detector's, and the circles that carry the scanned one."""
        circles = [name for name, _ in self.sample]
        carrying = circles[: circles.index(scanned)] if scanned in circles else circles
        return (*carrying, *(name for name, _ in self.detector))


#: As bcdi and cdiutils have them; where those two differ, or are not sure (NanoMAX, SIXS, CRISTAL), there is no
#: row. Columns of ID01 run along x+ in both, which were made there, and along x− in cohere.
DIFFRACTOMETERS: Mapping[str, Diffractometer] = {
    "34-ID-C": Diffractometer(
        "34-ID-C",
        (("theta", "y+"), ("chi", "z-"), ("phi", "y+")),
        (("delta", "y+"), ("gamma", "x-")),
        row="y-",
        column="x+",
    ),
    "ID01": Diffractometer(
        "ID01",
        (("mu", "y-"), ("eta", "x-"), ("phi", "y-")),
        (("nu", "y-"), ("delta", "x-")),
        row="y-",
        column="x+",
    ),
    "P10": Diffractometer(
        "P10",
        (("mu", "y+"), ("om", "x-"), ("chi", "z+"), ("phi", "y-")),
        (("gam", "y+"), ("del", "x-")),
        row="y-",
        column="x-",
    ),
}


def wavelength(energy_kev: float) -> float:
    """Of a photon, metres."""
    return _HC / energy_kev


def direction(axis: str) -> np.ndarray:
    """A unit vector from ``"x+"`` and its like."""
    if len(axis) != 2 or axis[0] not in _AXES or axis[1] not in "+-":
        raise ScanError(f"a direction is x, y or z with + or -, such as 'y-', not {axis!r}")
    return np.array(_AXES[axis[0]]) * (1.0 if axis[1] == "+" else -1.0)


def rotation(axis: str, angle: float) -> np.ndarray:
    """(3, 3): right-handed about an axis, by Rodrigues' formula; radians."""
    a = direction(axis)
    cross = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def _arm(circles: tuple[tuple[str, str], ...], angles: Mapping[str, float], before: str | None = None) -> np.ndarray:
    """What the circles do together; only those that carry the circle `before` when it is named."""
    total = np.eye(3)
    for name, axis in circles:
        if name == before:
            return total
        total = total @ rotation(axis, angles[name])
    return total


def bragg_geometry(
    diffractometer: Diffractometer,
    angles: Mapping[str, float],
    scanned: str,
    step: float,
    *,
    energy_kev: float,
    distance: float,
    pixel_size: tuple[float, float],
    from_beam: tuple[float, float] = (0.0, 0.0),
) -> BraggGeometry:
    """The geometry of a rocking scan, linearised at one pixel and one frame.

    Parameters
    ----------
    angles
        Motor → radians, at the frame to linearise at: those of `Diffractometer.needed`.
    scanned, step
        The sample circle that turns, and by how much from frame to frame, radians.
    distance, pixel_size
        Of the detector from the sample, and of its pixels (row, column), metres.
    from_beam
        (row, column), pixels: from where the direct beam would hit the detector with its arm at zero to the pixel.

    Raises
    ------
    ScanError
        When an angle is missing, `scanned` is no sample circle, or nothing turns.
    """
    axis = dict(diffractometer.sample).get(scanned)
    if axis is None:
        circles = ", ".join(name for name, _ in diffractometer.sample)
        raise ScanError(f"{scanned!r} is no sample circle of {diffractometer.name}; it has {circles}")
    if missing := [name for name in diffractometer.needed(scanned) if name not in angles]:
        raise ScanError(f"{diffractometer.name} needs the angles {', '.join(missing)} as well")
    if step == 0 or not np.isfinite(step):
        raise ScanError(f"the rocking step is {step}; frames at one angle make no three-dimensional pattern")
    k = 2 * np.pi / wavelength(energy_kev)
    arm = _arm(diffractometer.detector, angles)
    row, column = arm @ direction(diffractometer.row), arm @ direction(diffractometer.column)
    at = distance * arm @ _AXES["z"] + from_beam[0] * pixel_size[0] * row + from_beam[1] * pixel_size[1] * column
    length = np.linalg.norm(at)
    n = at / length
    q = k * (n - _AXES["z"])
    on_sphere = np.eye(3) - np.outer(n, n)
    turning = _arm(diffractometer.sample, angles, before=scanned) @ direction(axis)
    steps = np.stack([
        -step * np.cross(turning, q),
        k / length * pixel_size[0] * on_sphere @ row,
        k / length * pixel_size[1] * on_sphere @ column,
    ])  # fmt: skip
    return BraggGeometry(steps, q)


def located(scan: CdiScan, peak: tuple[float, float, float]) -> BraggGeometry | None:
    """The geometry at the peak, where ``metadata["diffractometer"]`` holds what readers know of the instrument.

    It names a row of `DIFFRACTOMETERS`, the angles at the first frame (radians), the circle scanned, and the pixel
    (row, column) that the direct beam hits with the detector's arm at zero, when that is known.
    """
    about = scan.metadata.get("diffractometer")
    if not about or scan.energy_kev is None or scan.distance is None or not scan.pixel_size or not scan.rocking_step:
        return scan.geometry
    angles = dict(about["angles"])
    angles[about["scanned"]] += peak[0] * scan.rocking_step
    beam = about.get("beam")
    return bragg_geometry(
        DIFFRACTOMETERS[about["name"]],
        angles,
        about["scanned"],
        scan.rocking_step,
        energy_kev=scan.energy_kev,
        distance=scan.distance,
        pixel_size=scan.pixel_size,
        from_beam=(0.0, 0.0) if beam is None else (peak[1] - beam[0], peak[2] - beam[1]),
    )
