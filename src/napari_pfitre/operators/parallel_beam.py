"""Parallel-beam projection with square pixels and square detector bins, evaluated in Fourier space.

For the exact area-weighted ("strip") model the spectrum of a projection is the image's on a line, times three sincs:

    P_θ(ν) = X(ν cos θ, ν sin θ) · sinc(ν cos θ) · sinc(ν sin θ) · sinc(ν),          |ν| ≤ ½ per bin

so that A is a non-uniform FFT, and AᵀA a convolution with K(d) = Σ_θ w_θ g(d·e_θ), g the inverse transform of the
squared sincs (Delaney & Bresler, IEEE Trans. Image Process. 5 (1996) 740): no ray is ever traced. Frequencies above
the detector's Nyquist are left out, which is where the model differs from sums over strips (0.14 % for a phantom).

Geometry (docs/conventions.md): a pixel (i, j) of an (n_y, n_x) image lies at x = j − (n_x − 1)/2, y = (n_y − 1)/2 − i;
its shadow falls on column  c = x cos θ + y sin θ + centre + shift_θ.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache

import numpy as np
import scipy.fft
import torch

from . import nufft

__all__ = ["ParallelBeam"]

WORTH_A_THREAD = 1 << 15  #: pixels below which starting threads costs more than they save
PAIRS = {"cpu": nufft.IMAGES_AT_ONCE}  #: pairs of slices on the way at a time; more only takes memory
PAIRS_ELSEWHERE = 32
SPARE = 8  #: columns of further displacement that the lines are long enough for


class ParallelBeam:
    """The projector A of a scan, one slice or many at a time.

    Parameters
    ----------
    angles
        (angle,), radians.
    n_columns
        Detector columns.
    image_shape
        (n_y, n_x); by default a square as wide as the detector.
    centre
        Column index of the rotation axis; by default the detector's middle.
    shifts
        (angle,), columns by which each projection was displaced towards higher indices.
    weights
        Of the data in the least-squares sense: None, (angle,), or (angle, column). Only `normal` and `weigh` use them.
        Weights per bin break the convolution; `normal` then falls back on ``adjoint(weights · A(x))``.
    truncated
        True when the object reaches beyond the detector: A sees only what fell on it, and so does `normal`.
    tolerance
        Of the non-uniform FFT, relative.

    Notes
    -----
    Images are (..., n_y, n_x) and data (..., angle, column), float32. Two real slices travel as one complex image.
    One operator is not meant to be called from two threads at once.
    """

    def __init__(self, angles, n_columns: int, *, image_shape: tuple[int, int] | None = None,
                 centre: float | None = None, shifts=None, weights=None, truncated: bool = False,
                 device: torch.device | str = "cpu", tolerance: float = 1e-4):  # fmt: skip
        self.angles = np.atleast_1d(np.asarray(angles, dtype=float))
        self.n_columns = int(n_columns)
        self.device = torch.device(device)
        ny, nx = (n_columns, n_columns) if image_shape is None else image_shape
        self.domain_shape = (ny, nx)
        self.range_shape = (len(self.angles), self.n_columns)
        self.centre = (n_columns - 1) / 2 if centre is None else float(centre)
        self.shifts = np.zeros(len(self.angles)) if shifts is None else np.asarray(shifts, dtype=float)
        self.tolerance = tolerance
        self.weights = None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=self.device)
        self.truncated = truncated
        self.is_convolution = not truncated and (self.weights is None or self.weights.ndim == 1)
        self._measure_lines()
        self._norm: float | None = None

    def __repr__(self) -> str:
        ny, nx = self.domain_shape
        kind = "convolution" if self.is_convolution else "adjoint of forward"
        return f"ParallelBeam({len(self.angles)} angles, {self.n_columns} columns ← {ny}×{nx}, normal by {kind})"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """A x: line integrals in units of the pixel, (..., angle, column)."""
        return self._by_pairs(self._project, x, self.domain_shape, self.range_shape)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Aᵀ y, (..., n_y, n_x)."""
        return self._by_pairs(lambda c: self._back_project(c, self._footprint), y, self.range_shape, self.domain_shape)

    def smear(self, y: torch.Tensor) -> torch.Tensor:
        """Back-projection without the footprint, Σ_θ y_θ(x·e_θ) by sinc interpolation: what FBP needs."""
        return self._by_pairs(lambda c: self._back_project(c, self._phase), y, self.range_shape, self.domain_shape)

    def normal(self, x: torch.Tensor) -> torch.Tensor:
        """AᵀWA x, (..., n_y, n_x)."""
        if not self.is_convolution:
            return self.adjoint(self.weigh(self(x)))
        slices = x.reshape(-1, *self.domain_shape)
        if self.device.type == "cpu" and len(slices) >= torch.get_num_threads():
            return self._convolve_on_cores(slices).view(x.shape)
        return _in_batches(self._convolve, slices, len(slices)).view(x.shape)

    def precondition(self, x: torch.Tensor, rho: float) -> torch.Tensor:
        """About (AᵀWA + ρ)⁻¹ x: the inverse of T. Chan's circulant next to AᵀWA, whose eigenvalues below 0 count as 0.

        The circulant is the mean of the convolution's diagonals with those that wrap round (SIAM J. Sci. Stat. Comput.
        9 (1988) 766), so it is inverted by FFTs of the image's own size, a quarter of what `normal` costs.
        """
        inverse = 1 / (self._circulant_spectrum + rho)
        slices = x.reshape(-1, *self.domain_shape)
        if self.device.type == "cpu":
            factors = inverse.numpy()

            def invert(image: np.ndarray, result: np.ndarray) -> None:
                spectrum = scipy.fft.rfft2(image, overwrite_x=False)
                result[:] = scipy.fft.irfft2(spectrum * factors, s=image.shape, overwrite_x=True)

            return _on_cores(invert, slices).view(x.shape)
        return torch.fft.irfft2(torch.fft.rfft2(slices) * inverse, s=self.domain_shape).view(x.shape)

    def weigh(self, y: torch.Tensor) -> torch.Tensor:
        """W y."""
        if self.weights is None:
            return y
        return y * (self.weights[:, None] if self.weights.ndim == 1 else self.weights)

    def norm(self) -> float:
        """‖W^½ A‖, by power iteration to about a part in a thousand."""
        if self._norm is None:
            v = torch.ones(1, *self.domain_shape, device=self.device)
            value = 0.0
            for _ in range(60):
                v = self.normal(v / v.norm())
                value, before = v.norm().item(), value
                if abs(value - before) <= 1e-4 * value:
                    break
            self._norm = math.sqrt(value)
        return self._norm

    def displaced(self, shifts) -> ParallelBeam:
        """The same projector with other `shifts`, (angle,): AᵀA, its kernel and the plans stay as they are."""
        shifts = np.asarray(shifts, dtype=float)
        if np.abs(shifts).max() > np.abs(self.shifts).max() + SPARE:
            return ParallelBeam(
                self.angles, self.n_columns, image_shape=self.domain_shape, centre=self.centre, shifts=shifts,
                weights=self.weights, truncated=self.truncated, device=self.device, tolerance=self.tolerance,
            )  # fmt: skip
        other = copy.copy(self)
        turn = np.exp(-2j * np.pi * np.fft.fftfreq(self.n_line) * (shifts - self.shifts)[:, None])
        further = torch.as_tensor(turn, dtype=torch.complex64, device=self.device)
        other.shifts, other._phase, other._footprint = shifts, self._phase * further, self._footprint * further
        return other

    def diagonal(self) -> float:
        """The diagonal of AᵀWA (the same for every pixel unless weights are per bin: then its mean)."""
        weights = 1.0 if self.weights is None else self.weights.mean(-1).cpu().numpy() if self.weights.ndim == 2 \
            else self.weights.cpu().numpy()  # fmt: skip
        nu = np.arange(-512, 513) / 1024
        power = _sincs(self.angles, nu) ** 2
        of_angle = torch.trapezoid(torch.from_numpy(power), torch.from_numpy(nu)).numpy()
        return float((of_angle * weights).sum())

    def _measure_lines(self) -> None:
        """Frequencies, footprint and phases of the lines, (angle, line)."""
        ny, nx = self.domain_shape
        reach = math.hypot(ny, nx) / 2 + np.abs(self.shifts).max() + SPARE
        # Long enough that no periodic copy of the shadow falls on the detector.
        to_far_edge = max(self.centre, self.n_columns - 1 - self.centre)
        n_line = max(math.ceil(reach + to_far_edge), self.n_columns)
        self.n_line = 2 * scipy.fft.next_fast_len((n_line + 1) // 2)
        nu = np.fft.fftfreq(self.n_line)
        kx, ky = np.outer(np.cos(self.angles), nu), np.outer(np.sin(self.angles), nu)
        half_x, half_y = (
            nx // 2 - (nx - 1) / 2,
            ny // 2 - (ny - 1) / 2,
        )  # the transform counts pixels from n // 2
        turn = kx * half_x - ky * half_y + nu * (self.centre + self.shifts[:, None])
        band = nu != -0.5  # a real signal has no say at its Nyquist frequency
        phase = np.exp(-2j * np.pi * turn) * band
        self._phase = torch.as_tensor(phase, dtype=torch.complex64, device=self.device)
        self._footprint = self._phase * torch.as_tensor(
            _sincs(self.angles, nu), dtype=torch.float32, device=self.device
        )
        omega = 2 * np.pi * np.stack([-ky.ravel(), kx.ravel()], axis=1)
        self._nufft = nufft.plan(omega, self.domain_shape, self.device, self.tolerance)

    def _project(self, c: torch.Tensor) -> torch.Tensor:
        lines = self._nufft.forward(c).view(-1, len(self.angles), self.n_line)
        return torch.fft.ifft(lines * self._footprint)[..., : self.n_columns]

    def _back_project(self, c: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        lines = torch.fft.fft(c, n=self.n_line, norm="forward") * factor.conj()
        return self._nufft.adjoint(lines.flatten(1))

    def _by_pairs(self, transform: Callable, data: torch.Tensor, shape: tuple, shape_out: tuple) -> torch.Tensor:
        """Apply a complex-linear `transform` of real operators to real slices, two at a time."""
        if tuple(data.shape[-2:]) != shape:
            raise ValueError(f"expected (..., {shape[0]}, {shape[1]}), got {tuple(data.shape)}")
        slices = data.reshape(-1, *shape)
        out = torch.empty(len(slices), *shape_out, device=self.device)
        at_once = PAIRS.get(self.device.type, PAIRS_ELSEWHERE)
        for source, target in zip(slices.split(2 * at_once), out.split(2 * at_once), strict=True):
            part = source.to(self.device, torch.float32)
            odd = part.new_zeros(len(part) % 2, *shape)
            even, uneven = torch.cat([part, odd]).unflatten(0, (-1, 2)).unbind(1)
            pairs = _in_batches(transform, torch.complex(even, uneven), at_once)
            target.copy_(torch.view_as_real(pairs).movedim(-1, 1).flatten(0, 1)[: len(part)])
        return out.reshape(*data.shape[:-2], *shape_out)

    def _convolve(self, x: torch.Tensor) -> torch.Tensor:
        """K ∗ x by zero-padded FFTs; the rows of zeros are never transformed."""
        (ny, nx), (py, px) = self.domain_shape, self._padded_shape
        spectrum = torch.fft.fft(torch.fft.rfft(x, n=px), n=py, dim=-2)
        spectrum *= self._kernel_spectrum
        return torch.fft.irfft(torch.fft.ifft(spectrum, dim=-2)[..., :ny, :], n=px)[..., :nx]

    def _convolve_on_cores(self, x: torch.Tensor) -> torch.Tensor:
        """The same slice by slice, each on one core and in its cache; for no fewer slices than cores."""
        (ny, nx), (py, px) = self.domain_shape, self._padded_shape
        kernel = self._kernel_spectrum.numpy()

        def convolve(image: np.ndarray, result: np.ndarray) -> None:
            spectrum = scipy.fft.fft(scipy.fft.rfft(image, n=px), n=py, axis=0, overwrite_x=True)
            spectrum *= kernel
            result[:] = scipy.fft.irfft(scipy.fft.ifft(spectrum, axis=0, overwrite_x=True)[:ny], n=px)[:, :nx]

        return _on_cores(convolve, x)

    @property
    def _padded_shape(self) -> tuple[int, int]:
        ny, nx = (scipy.fft.next_fast_len(2 * n - 1, real=True) for n in self.domain_shape)
        return ny, nx + nx % 2

    @cached_property
    def _kernel_spectrum(self) -> torch.Tensor:
        """The real FFT of K, (p_y, p_x/2 + 1), by one type-1 transform of the squared footprint."""
        import finufft

        py, px = self._padded_shape
        n_line = 2 * scipy.fft.next_fast_len(math.ceil(math.hypot(*self.domain_shape) / 2) + 16) + 1
        nu = np.arange(n_line // 2 + 1) / n_line
        weights = np.ones(len(self.angles)) if self.weights is None else self.weights.double().cpu().numpy()
        if weights.ndim == 2:  # only the preconditioner asks for K then, and is content with a mean
            weights = weights.mean(axis=1)
        power = _sincs(self.angles, nu) ** 2 * weights[:, None] / n_line
        power[:, 1:] *= 2  # for −ν, whose contribution is the complex conjugate
        rows, columns = (-2 * np.pi * np.outer(f(self.angles), nu).ravel() for f in (np.sin, np.cos))
        kernel = finufft.nufft2d1(
            rows, -columns, power.ravel().astype(complex), (py, px), eps=1e-7, isign=1, nthreads=1
        ).real
        y, x = (np.abs(np.arange(-(p // 2), p - p // 2)) for p in (py, px))
        kernel[y >= self.domain_shape[0]] = 0  # displacements that no two pixels have
        kernel[:, x >= self.domain_shape[1]] = 0
        spectrum = scipy.fft.rfft2(np.fft.ifftshift(kernel)).real
        return torch.as_tensor(spectrum, dtype=torch.float32, device=self.device)

    @cached_property
    def _circulant_spectrum(self) -> torch.Tensor:
        """The eigenvalues of the circulant next to AᵀWA, (n_y, n_x/2 + 1), none below 0."""
        kernel = scipy.fft.irfft2(self._kernel_spectrum.double().cpu().numpy(), s=self._padded_shape)
        for axis, n in enumerate(self.domain_shape):
            share = (np.arange(n) / n).reshape(-1, *[1] * (1 - axis))
            ahead = np.take(kernel, range(n), axis)
            behind = np.take(kernel, range(-n, 0), axis)
            kernel = (1 - share) * ahead + share * behind
        spectrum = scipy.fft.rfft2(kernel).real.clip(min=0)
        return torch.as_tensor(spectrum, dtype=torch.float32, device=self.device)


def _sincs(angles: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """The strip's footprint in Fourier space, (angle, frequency)."""
    return np.sinc(np.outer(np.cos(angles), nu)) * np.sinc(np.outer(np.sin(angles), nu)) * np.sinc(nu)


def _on_cores(function: Callable[[np.ndarray, np.ndarray], None], x: torch.Tensor) -> torch.Tensor:
    """function(image, result) for every slice of x, each slice on one core.

    Threads meet once a stack, not at every FFT: four times faster than torch's own threads on a busy machine, and no
    slower on a quiet one.
    """
    out = torch.empty_like(x)

    def some(source: torch.Tensor, target: torch.Tensor) -> None:
        for image, result in zip(source.numpy(), target.numpy(), strict=True):
            function(image, result)

    threads = min(torch.get_num_threads(), len(x)) if x.numel() >= WORTH_A_THREAD else 1
    if threads == 1:
        some(x, out)
    else:
        list(_pool(threads).map(some, x.tensor_split(threads), out.tensor_split(threads)))
    return out


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept: to start threads takes longer than to convolve a few small slices."""
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads, and would wait for them
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _in_batches(function: Callable, data: torch.Tensor, batch: int) -> torch.Tensor:
    """Apply to (slice, …) data in batches, halving them while the device's memory does not suffice."""
    while True:
        try:
            parts = [function(part) for part in data.split(batch)]
            return parts[0] if len(parts) == 1 else torch.cat(parts)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch = (batch + 1) // 2
            torch.cuda.empty_cache()
