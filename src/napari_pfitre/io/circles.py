"""Where the circles of a diffractometer stood, from a log or a file's own columns.

`diffractometer.DIFFRACTOMETERS` has the instruments whose axes, senses and pixel directions are known for certain. Of
others the angles are kept and shown, and the step between frames; they give no voxels: a sense taken wrongly would turn
a crystal into its mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..diffractometer import DIFFRACTOMETERS
from .patterns import Pattern

__all__ = ["add_circles"]


def add_circles(
    pattern: Pattern, beamline: str, circles: Mapping[str, np.ndarray], source: str, instrument: str = ""
) -> None:
    """Keep angles in degrees, one number or one a frame each, and the step of the one that moved.

    With an `instrument` of `DIFFRACTOMETERS` the geometry follows once the peak is known, as far as energy, distance
    and pixels are. What follows for the user, and what does not, is told in a notice.
    """
    n = pattern.stored.shape[0]
    values = {name: np.ravel(np.asarray(v, dtype=float)) for name, v in circles.items()}
    values = {name: v for name, v in values.items() if v.size and np.isfinite(v).all()}
    pattern.metadata = {
        **pattern.metadata, "beamline": beamline,
        "angles_deg": {name: [float(v[0]), float(v[-1])] if np.ptp(v) else float(v[0]) for name, v in values.items()},
    }  # fmt: skip
    moved = {name: v for name, v in values.items() if v.size > 1 and np.ptp(v) > 1e-9}
    words = [f"angles are from {source}"] if values else [f"{source} names no angles"]
    if len(moved) == 1:
        ((name, v),) = moved.items()
        if v.size == n:
            pattern.rocking_step = float(np.deg2rad((v[-1] - v[0]) / (n - 1)))
        elif n % v.size == 0:
            words.append(f"it has {v.size} points of {name} for {n} frames, {n // v.size} a point: add those up first")
        else:
            words.append(f"it has {v.size} points of {name} for {n} frames, so the rocking step is unknown")
    elif values:
        which = ", ".join(moved) or "none"
        words.append(f"of the circles {which} moved, so the rocking step is unknown")
    words.append(_placed(pattern, beamline, values, list(moved), instrument))
    pattern.notices.append("; ".join(words))


def _placed(
    pattern: Pattern, beamline: str, values: Mapping[str, np.ndarray], moved: list[str], instrument: str
) -> str:
    """The instrument's circles told to `diffractometer.located`, or why they give no voxels."""
    if instrument not in DIFFRACTOMETERS:
        return f"how the circles of {beamline} turn is not known for certain here, so the voxel size is unknown"
    about = DIFFRACTOMETERS[instrument]
    if pattern.rocking_step is None or moved[0] not in dict(about.sample):
        return "the voxel size is unknown"
    lacking = [f"the angle {name}" for name in about.needed(moved[0]) if name not in values]
    for hint in ("energy_kev", "distance", "pixel_size"):
        lacking += [] if getattr(pattern, hint) else [f"{hint.removesuffix('_kev').replace('_', ' ')} (pass {hint}=)"]
    if lacking:
        return f"for the voxel size there lacks {', '.join(lacking)}"
    beam = pattern.metadata.get("beam_centre")
    at_first = {name: float(np.deg2rad(v[0])) for name, v in values.items()}
    told = {"name": instrument, "angles": at_first, "scanned": moved[0], "beam": beam}
    pattern.metadata = {**pattern.metadata, "diffractometer": told}
    counted = "from the detector's angles" if beam is None else "from where the file has the direct beam"
    return f"where the peak lies is counted {counted}"
