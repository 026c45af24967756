"""The Fourier transform of small images at arbitrary frequencies, and its transpose.

    lines = plan.forward(c)      lines[b, m] = Σ_k c[b, k] exp(−i k·ω_m)          (type 2)
    c = plan.adjoint(lines)      c[b, k] = Σ_m lines[b, m] exp(+i k·ω_m)          (type 1)

On the CPU this is FINUFFT (Barnett, Magland & af Klinteberg, SIAM J. Sci. Comput. 41 (2019) C479). With its grid
oversampled 1.25 times instead of twice, and several images at a time, it is several times faster than as it comes
(benchmarks/nufft.py).
On other devices the same is done in torch: an oversampled FFT and a sparse interpolation matrix with FINUFFT's kernel,
exp(β(√(1 − z²) − 1)).
"""

from __future__ import annotations

import math
import warnings

import finufft
import numpy as np
import scipy.fft
import torch

__all__ = ["FinufftPlan", "GridPlan", "plan"]

FINEST_LEAN = 5e-5  #: float32 on the leaner grid goes no further
IMAGES_AT_ONCE = 4  #: pairs of slices transformed together; see benchmarks/nufft.py


def plan(omega: np.ndarray, shape: tuple[int, int], device: torch.device, tolerance: float) -> FinufftPlan | GridPlan:
    """A plan for frequencies `omega` (point, 2), radians per pixel for row and column, and images of `shape`."""
    kind = FinufftPlan if device.type == "cpu" else GridPlan
    return kind(omega, shape, device, tolerance)


class FinufftPlan:
    """FINUFFT on the CPU, with as many threads as torch uses."""

    def __init__(self, omega, shape, device, tolerance):
        self.omega = np.ascontiguousarray(omega.T, dtype=np.float32)
        self.shape, self.tolerance = shape, tolerance
        self._plans: dict[tuple[int, int, int], finufft.Plan] = {}

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """(image, row, column) complex64 → (image, point)"""
        return self._execute(2, c)

    def adjoint(self, lines: torch.Tensor) -> torch.Tensor:
        """(image, point) complex64 → (image, row, column)"""
        return self._execute(1, lines)

    def _execute(self, kind: int, data: torch.Tensor) -> torch.Tensor:
        parts = []
        for block in data.split(IMAGES_AT_ONCE):
            single = 0 if len(block) == 1 else slice(None)  # FINUFFT wants no axis for a single image
            out = self._plan(kind, len(block)).execute(np.ascontiguousarray(block.numpy()[single]))
            parts.append(torch.from_numpy(out).unflatten(0, (1, -1)) if len(block) == 1 else torch.from_numpy(out))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _plan(self, kind: int, n_images: int) -> finufft.Plan:
        key = kind, n_images, torch.get_num_threads()
        if key not in self._plans:
            lean = self.tolerance >= FINEST_LEAN
            made = finufft.Plan(
                kind, self.shape, n_trans=n_images, eps=self.tolerance, isign=-1 if kind == 2 else 1,
                dtype="complex64", nthreads=torch.get_num_threads(), upsampfac=1.25 if lean else 2.0,
            )  # fmt: skip
            made.setpts(*self.omega)
            self._plans[key] = made
        return self._plans[key]


class GridPlan:
    """The same on any torch device."""

    def __init__(self, omega, shape, device, tolerance):
        self.shape = shape
        self.grid = tuple(scipy.fft.next_fast_len(2 * n) for n in shape)
        width = math.ceil(-math.log10(tolerance)) + 2
        beta = 2.30 * width
        rows, row_taps = _taps(omega[:, 0], self.grid[0], width, beta)
        columns, column_taps = _taps(omega[:, 1], self.grid[1], width, beta)
        index = (rows[:, :, None] * self.grid[1] + columns[:, None, :]).reshape(len(omega), -1)
        value = (row_taps[:, :, None] * column_taps[:, None, :]).reshape(len(omega), -1)
        n_points, n_taps = index.shape
        size = (n_points, self.grid[0] * self.grid[1])
        point = np.repeat(np.arange(n_points), n_taps)
        order = np.argsort(index.ravel(), kind="stable")
        self._gather = _csr(point, index.ravel(), value.ravel(), size, device)
        self._spread = _csr(index.ravel()[order], point[order], value.ravel()[order], size[::-1], device)
        correction = np.outer(*(_correction(n, g, width, beta) for n, g in zip(shape, self.grid, strict=True)))
        self._correction = torch.as_tensor(correction, dtype=torch.float32, device=device)
        self._corner = tuple(torch.arange(-(n // 2), n - n // 2, device=device) % g for n, g in
                             zip(shape, self.grid, strict=True))  # fmt: skip

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """(image, row, column) complex64 → (image, point)"""
        padded = c.new_zeros(len(c), *self.grid)
        padded[:, self._corner[0][:, None], self._corner[1]] = c * self._correction
        spectrum = torch.fft.fft2(padded).flatten(1)
        return _apply(self._gather, spectrum)

    def adjoint(self, lines: torch.Tensor) -> torch.Tensor:
        """(image, point) complex64 → (image, row, column)"""
        spectrum = _apply(self._spread, lines).unflatten(1, self.grid)
        image = torch.fft.ifft2(spectrum, norm="forward")
        return image[:, self._corner[0][:, None], self._corner[1]] * self._correction


def _apply(matrix: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """A real sparse matrix on the last axis of (image, ·) complex data."""
    n_images = len(data)
    columns = torch.view_as_real(data).permute(1, 0, 2).reshape(data.shape[1], 2 * n_images)
    return torch.view_as_complex((matrix @ columns).view(-1, n_images, 2).permute(1, 0, 2).contiguous())


def _csr(row, column, value, size, device) -> torch.Tensor:
    pointers = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=size[0]))])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta")
        matrix = torch.sparse_csr_tensor(
            torch.as_tensor(pointers), torch.as_tensor(column), torch.as_tensor(value, dtype=torch.float32), size,
            check_invariants=False,
        )  # fmt: skip
    return matrix.to(device)


def _kernel(z: np.ndarray, beta: float) -> np.ndarray:
    return np.exp(beta * (np.sqrt(np.maximum(1 - z**2, 0)) - 1)) * (np.abs(z) <= 1)


def _taps(omega: np.ndarray, n_grid: int, width: int, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Grid indices (point, tap) around each frequency, and the kernel's values there."""
    at = omega / (2 * np.pi) * n_grid
    first = np.ceil(at - width / 2).astype(np.int64)
    near = first[:, None] + np.arange(width)
    return near % n_grid, _kernel((near - at[:, None]) / (width / 2), beta)


def _correction(n: int, n_grid: int, width: int, beta: float) -> np.ndarray:
    """One over the kernel's Fourier transform at the pixels, by Gauss–Legendre quadrature."""
    z, weight = np.polynomial.legendre.leggauss(4 * width + 20)
    pixel = np.arange(-(n // 2), n - n // 2)
    transform = np.cos(2 * np.pi * np.outer(pixel, z) * (width / 2) / n_grid) @ (weight * _kernel(z, beta))
    return 1 / (width / 2 * transform)
