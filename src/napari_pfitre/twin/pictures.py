"""Natural images as volumes: the pictures that come with scikit-image, pulled out or stacked along the axis.

Only those inside the installed package are used; nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..errors import OptionError
from .grid import Grid
from .layers import disc

__all__ = ["PICTURES", "Pictures", "Sheet", "picture", "pictures"]

PICTURES = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
    "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
RADIUS = 0.46
_LARGEST = 512  # pixels along the shorter side; larger pictures are binned


@lru_cache(maxsize=len(PICTURES))
def picture(name: str) -> np.ndarray:
    """One of `PICTURES` in grey, (y, x), float32 from 0 to 1; read-only.

    Raises
    ------
    OptionError
        When the installed scikit-image comes without it.
    """
    from importlib.resources import as_file, files

    from skimage.io import imread

    place = files("skimage") / "data" / name
    if not place.is_file():
        raise OptionError(
            f"scikit-image should contain data/{name}; the installed one does not, choose another phantom"
        )
    with as_file(place) as path:
        image = np.asarray(imread(path), np.float32)
    if image.ndim == 3:
        image = image[..., :3].mean(axis=-1)
    fold = max(1, min(image.shape) // _LARGEST)
    rows, columns = (n // fold * fold for n in image.shape)
    image = image[:rows, :columns].reshape(rows // fold, fold, columns // fold, fold).mean(axis=(1, 3))
    low, high = np.percentile(image, (1, 99))
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    image.setflags(write=False)
    return image


@dataclass(frozen=True, eq=False)
class Sheet:
    """One picture between two heights."""

    start: float
    stop: float
    image: np.ndarray  #: (y, x)
    pixel: float  #: width of its pixels, a part of the field's
    centre: tuple[float, float]  #: (y, x), the picture's pixel on the axis at z = 0
    slope: tuple[float, float]  #: (y, x), how far the picture moves along with z; 0 is straight up

    def plan(self, grid: Grid, z: float) -> np.ndarray:
        """The picture at one height, averages over the pixels, (y, x)."""
        down, across = (
            grid.overlap(axis, (np.arange(n + 1) - 0.5 - centre) * self.pixel + slope * z).astype(np.float32)
            for axis, n, centre, slope in zip((1, 2), self.image.shape, self.centre, self.slope, strict=True)
        )
        return down @ self.image @ across.T


@dataclass(frozen=True, eq=False)
class Pictures:
    """Sheets on one another, cut to a pillar."""

    sheets: tuple[Sheet, ...]
    lightest: float  #: value of black within the pillar

    def rasterise(self, grid: Grid) -> np.ndarray:
        volume = np.zeros(grid.shape, np.float32)
        centres = grid.centres(0)
        for sheet in self.sheets:
            cover = grid.overlap(0, np.array([sheet.start, sheet.stop]))[:, 0]
            moves = any(sheet.slope)
            plan = None
            for k in np.flatnonzero(cover):
                plan = sheet.plan(grid, centres[k]) if moves or plan is None else plan
                volume[k] += np.float32(cover[k]) * plan
        volume *= 1 - self.lightest
        volume += self.lightest
        volume *= disc(grid, RADIUS)
        return volume


def pictures(rng: np.random.Generator, height: float) -> Pictures:
    """One picture pulled out along the axis, straight or slanted, or two or three on one another."""
    count = int(rng.choice([1, 1, 2, 3]))
    tall = height + 0.2
    cuts = [-tall, *np.sort(rng.uniform(-height / 2, height / 2, count - 1)), tall]
    sheets = []
    for start, stop in pairwise(cuts):
        image = picture(str(rng.choice(PICTURES)))
        shorter = min(image.shape)
        across = rng.uniform(0.5, 1) * shorter  # so many pixels over the field
        room = [max(n - 2 * RADIUS * across, 0) / 2 for n in image.shape]
        centre = [(n - 1) / 2 + rng.uniform(-r, r) for n, r in zip(image.shape, room, strict=True)]
        slope = rng.uniform(-0.6, 0.6, 2) * (rng.random() < 0.6)
        if rng.random() < 0.4:
            image = 1 - image
        if rng.random() < 0.5:
            image = image.swapaxes(0, 1)
            centre.reverse()
        sheets.append(Sheet(start, stop, image, 1 / across, tuple(centre), tuple(slope)))
    return Pictures(tuple(sheets), float(rng.choice([0.0, 0.1, 0.3])))
