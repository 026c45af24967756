"""From a crystal's phase to displacement and strain along the scattering vector Q.

With the Fourier transform of `operators.FarField`, a lattice displaced by u scatters as ψ = s exp(−i Q·u). So

    u_Q = −φ / |Q|,      ε = ∂u_Q / ∂x_Q = −(Q̂·∇φ) / |Q|,

positive ε is a lattice stretched along Q, against its mean: the mean strain is a slope of φ, a place of the peak, and
canonical objects have none. Slopes are angles of ψ(n + 1) ψ*(n), so phases need not be unwrapped for ε. The twin of an
object has its strain at −r with the same sign.
"""

from __future__ import annotations

import numpy as np

from ..scans import BraggGeometry

__all__ = ["displacement", "lab_frame", "strain"]


def strain(psi: np.ndarray, support: np.ndarray, voxels: np.ndarray, q: np.ndarray) -> np.ndarray:
    """ε inside of the support, float32, 0 outside.

    Central differences within, one-sided at the surface; a voxel without neighbours along an axis has no slope there.

    Parameters
    ----------
    psi
        (z, y, x), complex.
    voxels
        (3, 3), metres: row i is the step in the laboratory for one voxel along axis i.
    q
        (3,), 1/m, in the laboratory.
    """
    length = float(np.linalg.norm(q))
    along = np.linalg.inv(voxels).T @ (np.asarray(q) / length)  # Q̂·∇ = Σ along_i ∂/∂n_i
    total = np.zeros(psi.shape)
    for axis in range(3):
        pair = np.moveaxis(psi, axis, 0)
        both = np.moveaxis(support, axis, 0)
        both = both[1:] & both[:-1]
        step = np.where(both, np.angle(pair[1:] * np.conj(pair[:-1])), 0)
        sums, counts = np.zeros(pair.shape), np.zeros(pair.shape)
        sums[1:] += step
        sums[:-1] += step
        counts[1:] += both
        counts[:-1] += both
        total += along[axis] * np.moveaxis(sums / np.maximum(counts, 1), 0, axis)
    return np.where(support, -total / length, 0).astype(np.float32)


def displacement(psi: np.ndarray, support: np.ndarray, q: np.ndarray) -> np.ndarray:
    """u_Q inside of the support, metres, float32, 0 outside; without a mean.

    The phase is unwrapped within the support. About a dislocation that is not possible everywhere; there u_Q jumps by
    a lattice spacing, and the strain stays right.
    """
    from skimage.restoration import unwrap_phase

    out = np.zeros(psi.shape, np.float32)
    if support.any():
        box = tuple(slice(max(0, int(a.min()) - 1), int(a.max()) + 2) for a in np.nonzero(support))
        wrapped = np.ma.masked_array(np.angle(psi[box]), ~support[box])
        phase = np.ma.filled(unwrap_phase(wrapped, rng=0), 0)[support[box]]
        out[support] = -(phase - phase.mean()) / np.linalg.norm(q)
    return out


def lab_frame(psi: np.ndarray, geometry: BraggGeometry) -> tuple[np.ndarray, float]:
    """An object (centred at n // 2) on a cubic grid with the laboratory's axes (z, y, x), and its step in metres.

    Real and imaginary part are interpolated, never a phase. The step is the shortest of the voxel's edges; the grid
    holds what is brighter than 2 % of the maximum.
    """
    from scipy.ndimage import map_coordinates

    voxels = geometry.voxels(psi.shape)
    step = float(np.linalg.norm(voxels, axis=1).min())
    middle = np.array(psi.shape) // 2
    bright = np.argwhere(np.abs(psi) > 0.02 * np.abs(psi).max()) - middle
    reach = np.abs(bright @ voxels).max(axis=0)[::-1]  # (z, y, x)
    half = [int(np.ceil(r / step)) + 3 for r in reach]
    z, y, x = np.meshgrid(*[np.arange(-h, h) * step for h in half], indexing="ij")
    index = np.stack([x, y, z], axis=-1).reshape(-1, 3) @ np.linalg.inv(voxels) + middle
    parts = [map_coordinates(part, index.T, order=1).reshape(z.shape) for part in (psi.real, psi.imag)]
    return (parts[0] + 1j * parts[1]).astype(np.complex64), step
