"""How well a real volume agrees with another one, or with the data.

`psnr` and `ssim` are scikit-image's, with the data range always said aloud; `fsc` and `fsc_resolution` are
Fourier ring and shell correlation with the thresholds in use; `residual_norm` is the misfit to the data.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

__all__ = ["ShellCorrelation", "disc_mask", "fsc", "fsc_resolution", "psnr", "residual_norm", "ssim",
           "threshold_curve"]  # fmt: skip


def disc_mask(size: int, radius: float = 0.45) -> np.ndarray:
    """The middle of a slice, (size, size) bool; `radius` as a fraction of the width."""
    at = np.arange(size) - (size - 1) / 2
    return np.hypot(at[:, None], at[None, :]) < radius * size


def _checked(truth, image, mask) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    truth, image = np.asarray(truth, np.float64), np.asarray(image, np.float64)
    if truth.shape != image.shape:
        raise ValueError(f"images to compare should have one shape; they have {truth.shape} and {image.shape}")
    return truth, image, None if mask is None else np.broadcast_to(mask, truth.shape)


def psnr(truth: np.ndarray, image: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio, 20 log₁₀(range / rms error), dB; infinite for equal images.

    Parameters
    ----------
    truth, image
        Of one shape.
    data_range
        The peak: for a volume the range of the whole truth, not that of each slice.
    mask
        Where to look, broadcast to the images (`disc_mask` for the slices of a volume).
    """
    truth, image, mask = _checked(truth, image, mask)
    error = (truth - image) ** 2
    mse = float(error.mean() if mask is None else error[mask].mean())
    return float("inf") if mse == 0 else 10 * float(np.log10(data_range**2 / mse))


def ssim(truth: np.ndarray, image: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Mean structural similarity, slice by slice for a volume (z, y, x), over 7 × 7 windows; see `psnr`."""
    from skimage.metrics import structural_similarity

    truth, image, mask = _checked(truth, image, mask)
    shape = truth.shape
    maps = [
        structural_similarity(a, b, data_range=data_range, full=True)[1]
        for a, b in zip(truth.reshape(-1, *shape[-2:]), image.reshape(-1, *shape[-2:]), strict=True)
    ]
    similarity = np.stack(maps).reshape(shape)
    if mask is not None:
        return float(similarity[mask].mean())
    inner = similarity[..., 3:-3, 3:-3]  # whole windows only
    return float(inner.mean())


def residual_norm(projected: np.ndarray, data: np.ndarray) -> float:
    """‖A x − y‖ / ‖y‖"""
    projected, data = np.asarray(projected, np.float64), np.asarray(data, np.float64)
    return float(np.linalg.norm((projected - data).ravel()) / np.linalg.norm(data.ravel()))


class ShellCorrelation(NamedTuple):
    """Correlation of two images' spectra, ring by ring or shell by shell, without the zero frequency."""

    frequency: np.ndarray  #: (ring,), cycles per pixel, ascending up to at most 0.5
    correlation: np.ndarray  #: (ring,), −1 to 1
    samples: np.ndarray  #: (ring,), independent Fourier coefficients (a coefficient and its conjugate count as one)


def fsc(
    first: np.ndarray, second: np.ndarray, *, kind: Literal["rings", "shells"] = "rings", taper: float = 0.0
) -> ShellCorrelation:
    """Fourier ring or shell correlation.

      FSC(k) = Re Σ F₁ F₂* / √(Σ|F₁|² Σ|F₂|²),   sums over |frequency| in ring k

    Parameters
    ----------
    first, second
        Images (y, x) or volumes (z, y, x) of one shape: two halves of the data, or a result and the truth.
    kind
        "rings": of each slice, summed over the slices of a volume. "shells": of the volume in three
        dimensions.
    taper
        Part of each transformed axis over which the images fall to zero (cosine), half of it at either end;
        for objects that reach the border.
    """
    first, second, _ = _checked(first, second, None)
    dims = 2 if kind == "rings" else 3
    if first.ndim < dims:
        raise ValueError(f"{kind} need at least {dims} axes; the images have {first.ndim}")
    axes = tuple(range(first.ndim - dims, first.ndim))
    if taper:
        for axis in axes:
            window = _taper(first.shape[axis], taper).reshape([-1 if k == axis else 1 for k in range(first.ndim)])
            first, second = first * window, second * window
    a, b = np.fft.rfftn(first, axes=axes), np.fft.rfftn(second, axes=axes)
    shape = [first.shape[axis] for axis in axes]
    # Half the spectrum is stored: where its mirror image is not, a coefficient stands for two.
    last = np.arange(a.shape[-1])
    twice = np.where((last == 0) | (2 * last == shape[-1]), 1.0, 2.0)
    frequencies = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij")))
    width = 1 / min(shape)
    ring = np.rint(radius / width).astype(int)
    count = min(shape) // 2 + 1
    inside = (ring > 0) & (ring < count)

    def summed(values: np.ndarray) -> np.ndarray:
        values = (values * twice).reshape(-1, *ring.shape).sum(axis=0)
        return np.bincount(ring[inside], values[inside], minlength=count)[1:]

    power = np.sqrt(summed(np.abs(a) ** 2) * summed(np.abs(b) ** 2))
    cross = summed((a * b.conj()).real)
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    return ShellCorrelation(np.arange(1, count) * width, correlation, summed(np.ones(a.shape)) / 2)


def _taper(n: int, part: float) -> np.ndarray:
    """One in the middle, a cosine's fall to zero over `part` / 2 of the length at either end."""
    depth = (np.arange(n) + 0.5) / n
    depth = np.minimum(depth, 1 - depth)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(2 * depth / part, 0, 1))


def threshold_curve(threshold: str | float, samples: np.ndarray) -> np.ndarray:
    """The correlation that counts as resolved: "half-bit" (van Heel and Schatz 2005) or a number."""
    if threshold == "half-bit":
        root = np.sqrt(np.maximum(samples, 1))
        return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    return np.full(len(samples), float(threshold))


def fsc_resolution(curve: ShellCorrelation, threshold: Literal["half-bit"] | float = "half-bit") -> float:
    """Where the correlation first falls below a threshold, as a length in pixels (1 / frequency).

    "half-bit" and 1/7 are meant for two halves of the data, 1/2 for a result against the truth. A curve that
    never falls below gives the smallest length it can speak of, 2 pixels; one that starts below gives
    infinity.
    """
    level = threshold_curve(threshold, curve.samples)
    above = curve.correlation - level
    if not (below := np.flatnonzero(above < 0)).size:
        return float(1 / curve.frequency[-1])
    k = int(below[0])
    if k == 0:
        return float("inf")
    part = above[k - 1] / (above[k - 1] - above[k])
    return float(1 / (curve.frequency[k - 1] + part * (curve.frequency[k] - curve.frequency[k - 1])))
