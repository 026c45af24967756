"""Circuits as an electron microscope shows them: rounded, rough, grainy, shaded, and bright along their edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .circuits import COPPER, DIELECTRIC, Cut, circuit
from .grid import Grid, Phantom
from .noise import Noise
from .placing import Placed, Roughness

__all__ = ["Cells", "Micrograph", "micrograph"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Voronoi cells in the plane, upright through all slices, each with values of its own."""

    points: np.ndarray  #: (n, 2): y, x
    values: np.ndarray  #: (n, …)

    @classmethod
    def draw(cls, rng: np.random.Generator, width: float, *more: int) -> Cells:
        """Cells about `width` across the field, with standard normal values."""
        count = int(1.2 / width**2)
        return cls(rng.uniform(-0.55, 0.55, (count, 2)), rng.normal(size=(count, *more)))

    def rasterise(self, grid: Grid) -> np.ndarray:
        """The values at the pixels' centres, (y, x, …)."""
        from scipy.spatial import cKDTree

        y, x = np.meshgrid(grid.centres(1), grid.centres(2), indexing="ij")
        # Where two cells meet, the one that is 2 % farther is as good, and found sooner.
        _, nearest = cKDTree(self.points).query(np.stack([y, x], axis=-1), eps=0.02)
        return self.values[nearest]


_FINEST = 0.008  # coarser voxels would miss the textures, and are averages of finer ones


@dataclass(frozen=True, eq=False)
class Micrograph:
    """A circuit with the textures of its materials."""

    circuit: Phantom
    grains: Cells  #: of the metal's crystals
    speckle: Noise
    shading: Noise
    voids: Noise
    strengths: tuple[float, float, float, float]  #: of grains, speckle, shading and bright edges
    rounding: float = 0.004  #: radius of the corners

    def rasterise(self, grid: Grid) -> np.ndarray:
        fold = int(np.ceil(max(grid.steps[1:]) / _FINEST))
        if fold == 1:
            return self._drawn(grid)
        n_z, n_y, n_x = grid.shape
        return self._drawn(grid.finer(1, fold)).reshape(n_z, n_y, fold, n_x, fold).mean(axis=(2, 4))

    def _drawn(self, grid: Grid) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        grain, speckle, shading, rim = self.strengths
        plain = self.circuit.rasterise(grid)
        inside = np.clip(plain / DIELECTRIC, 0, 1)
        metal = np.clip((plain - DIELECTRIC) / (COPPER - DIELECTRIC), 0, 1)
        soft = gaussian_filter(metal, (0, self.rounding / grid.steps[1], self.rounding / grid.steps[2]))
        metal = soft * np.clip(3 * (2.6 - self.voids.rasterise(grid)), 0.3, 1)  # a few holes
        fine = speckle * self.speckle.rasterise(grid)
        slow = 1 + shading * self.shading.rasterise(grid)
        bright = 1 + grain * self.grains.rasterise(grid).astype(np.float32) + fine
        ground = DIELECTRIC * (1 + 2 * fine)
        edges = 4 * rim * soft * (1 - soft)
        volume = inside * slow * (ground + metal * (COPPER - DIELECTRIC) * bright + edges)
        return np.maximum(volume, 0).astype(np.float32)


def micrograph(
    rng: np.random.Generator,
    height: float,
    *,
    process: str = "logic",
    cut: Cut = "pillar",
    extent: float = 1.0,
    turn: float = 0.0,
    zoom: float = 1.0,
) -> Micrograph:
    """A circuit with rough lines, grains in the metal and shading, each of a random strength.

    `height` is that of the field of view over its width, `turn` and `zoom` are the circuit's, as in `Placed`; its
    textures are as fine as ever.
    """
    plain = circuit(rng, height / zoom, process=process, cut=cut, extent=extent)
    ragged = rng.uniform(0.0008, 0.003)
    scale = rng.uniform(0.01, 0.025)
    rough = Roughness(ragged / zoom, Noise.draw(rng, scale, height), Noise.draw(rng, scale, height))
    strengths = rng.uniform((0.04, 0.02, 0.03, 0.05), (0.2, 0.12, 0.12, 0.3))
    return Micrograph(
        Placed(plain, turn, zoom, rough, 0.5 * extent),
        Cells.draw(rng, rng.uniform(0.015, 0.04)),
        Noise.draw(rng, rng.uniform(0.006, 0.012), height),
        Noise.draw(rng, 0.25, height),
        Noise.draw(rng, 0.012, height),
        tuple(strengths),
        rng.uniform(0.002, 0.006),
    )
