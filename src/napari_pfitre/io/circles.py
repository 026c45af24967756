"""Where the circles of a diffractometer stood, of beamlines whose circles are not placed here.

`diffractometer.DIFFRACTOMETERS` has the instruments whose axes, senses and pixel directions are known for certain. Of
others the angles are kept and shown, and the step between frames; they give no voxels: a sense taken wrongly would turn
a crystal into its mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .patterns import Pattern

__all__ = ["add_circles"]


def add_circles(pattern: Pattern, beamline: str, circles: Mapping[str, np.ndarray], source: str) -> None:
    """Keep angles in degrees, one number or one a frame each, and the step of the one that moved.

    What follows for the user, and what does not, is told in a notice.
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
    words.append(f"how the circles of {beamline} turn is not known for certain here, so the voxel size is unknown")
    pattern.notices.append("; ".join(words))
