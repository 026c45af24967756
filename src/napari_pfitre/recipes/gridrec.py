"""Gridrec: projections laid onto a Cartesian grid in Fourier space, by TomoPy, block of rows by block of rows.

Dowd et al., SPIE 3772 (1999) 166; Marone & Stampanoni, J. Synchrotron Rad. 19 (2012) 1029. TomoPy grids; what its
volumes lack to agree with our back-projection is added here (docs/methods/gridrec.md): columns padded to twice the
width, the axis and every known displacement put in place to a fraction of a pixel, angles weighted by what they stand
for, the gridding's gain divided out, and the mean, which gridrec leaves out, restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import scipy.fft

from ..angles import angular_weights
from ..device import resolve_device
from ..errors import OptionError, ReconstructionError, ScanError
from ..options import check
from ..results import Run
from ..scans import TomoScan
from .direct import in_one_pass
from .geometry import line_integrals
from .journal import Journal
from .recipe import Recipe

if TYPE_CHECKING:
    import torch

__all__ = ["GRIDREC", "GridrecOptions", "gridrec"]


@dataclass(frozen=True)
class GridrecOptions:
    """TomoPy's gridrec: the slices of FBP by another way, with TomoPy's filters; a missing wedge smears it."""

    filter: Annotated[
        Literal["none", "shepp", "cosine", "hann", "hamming", "ramlak", "parzen", "butterworth"],
        {"label": "Filter", "tooltip": "TomoPy's names; ramlak is sharpest, parzen smoothest, none a mere smear."},
    ] = "hann"
    cutoff: Annotated[
        float, {"min": 0.05, "max": 1.0, "step": 0.05, "label": "Cut-off", "unit": "of Nyquist",
                "tooltip": "Frequencies above it are left out; butterworth halves there and goes on."},
    ] = 1.0  # fmt: skip

    def __post_init__(self):
        check(self)


def gridrec(scan: TomoScan, options: GridrecOptions, device: str = "auto") -> Run:
    """Gridrec of every row, on the CPU; slices are as wide as the detector."""
    if device not in ("auto", "cpu"):
        raise OptionError(f"gridrec computes on the CPU only, not on {device!r}; choose 'cpu' or 'auto', or use fbp")
    scan = line_integrals(scan)
    n = scan.shape[2]
    if n < 2:
        raise ScanError(f"{scan.name} is {n} column wide; gridrec needs at least 2, take more columns or use fbp")
    journal = Journal("gridrec", scan, options, resolve_device("cpu"))
    gain = _gain(n)

    def invert(y: torch.Tensor) -> np.ndarray:
        sinogram = y.numpy()
        slices = _tomopy(_placed(sinogram, scan, options), scan.angles, n, options)
        return slices / gain + _mean(sinogram, scan, options)

    return (yield from in_one_pass(scan, journal, invert, _bytes_per_row(scan, options)))


def _tomopy(y: np.ndarray, angles: np.ndarray, n: int, options: GridrecOptions, threads: int | None = None):
    """Slices (z, n, n) from padded sinograms with the axis in their middle; TomoPy takes all cores when not told."""
    try:
        import tomopy
    except ImportError as reason:
        raise ReconstructionError(
            f"TomoPy is installed but cannot be loaded ({reason}); install it from conda-forge, or use fbp"
        ) from reason
    # x in TomoPy's filters is 0 … ½: hann and hamming are cosines of 2π x/parameter, the others fall at the parameter
    parameter = options.cutoff / (1 if options.filter in ("hann", "hamming") else 2)
    return tomopy.recon(
        y, angles, center=y.shape[-1] / 2, sinogram_order=True, algorithm="gridrec", filter_name=options.filter,
        filter_par=[parameter, _BUTTERWORTH_ORDER], num_gridx=n, num_gridy=n, ncore=threads,
    )  # fmt: skip


_BUTTERWORTH_ORDER = 8.0  # TomoPy's default


def _padded(n: int) -> int:
    """Columns of a padded sinogram: gridrec's grid is a power of two, and under twice n neighbours spill into it."""
    return max(16, 1 << (2 * n - 1).bit_length())


def _origin(n: int) -> int:
    """The column of a slice that gridrec puts the axis on, counted from the left; also the row, from the bottom."""
    return _padded(n) // 2 - (_padded(n) - n) // 2


def _placed(y: np.ndarray, scan: TomoScan, options: GridrecOptions) -> np.ndarray:
    """Sinograms padded, weighted, and moved until gridrec's origin shows the middle of our slice."""
    n, n_padded = y.shape[-1], _padded(y.shape[-1])
    aside = (n - 1) / 2 - _origin(n)  # to the right and upwards, the pixels by which gridrec's slice is to move
    to = n_padded / 2 + aside * (np.cos(scan.angles) + np.sin(scan.angles))
    at = scan.middle + (0 if scan.shifts is None else scan.shifts[:, 1])
    frequencies = scipy.fft.rfftfreq(n_padded)
    weights = angular_weights(scan.angles) * len(scan.angles) / np.pi  # gridrec takes them for evenly spread
    transfer = weights[:, None] * np.exp(-2j * np.pi * frequencies * (to - at)[:, None])
    if options.filter != "butterworth":
        transfer[:, frequencies > options.cutoff / 2] = 0
    return scipy.fft.irfft(scipy.fft.rfft(y, n=n_padded) * transfer.astype(np.complex64), n=n_padded)


def _gain(n: int) -> np.ndarray:
    """What gridrec multiplies each pixel of a slice by, (n, n): about 1.11 at the axis, more towards the rim.

    Its kernel is wider than its correction allows for. The gain is a product of the same function of x and of y, so
    one plane wave that ought to come back unchanged tells all of it; four directions, a quarter of a grid cell apart,
    average out where on the grid the wave falls.
    """
    n_padded = _padded(n)
    wave_number, offsets = n_padded // 8, np.arange(4) / 4  # in cells of the grid
    wave = np.cos(2 * np.pi * wave_number * (np.arange(n_padded) / n_padded - 0.5)).astype(np.float32)
    directions = np.arcsin(offsets / wave_number)
    y = np.ascontiguousarray(np.broadcast_to(wave, (1, len(offsets), n_padded)))
    (image,) = _tomopy(y, directions, n, GridrecOptions("none"), threads=1)
    column = _origin(n)
    row = n - 1 - column
    expected = np.pi / 2 * np.cos(2 * np.pi * np.outer(np.arange(n) - row, offsets) / n_padded).mean(axis=1)
    profile = image[:, column] / expected
    return (np.outer(profile, profile[::-1]) / profile[row]).astype(np.float32)


def _mean(y: np.ndarray, scan: TomoScan, options: GridrecOptions) -> np.ndarray:
    """The constant (z, 1, 1) that a filter passes at frequency zero, where gridrec passes nothing."""
    from ..solvers.fbp import ramp

    n_padded = _padded(y.shape[-1])
    passed = 0.5 if options.filter == "none" else ramp(n_padded)[0]
    return (y.sum(axis=-1) @ angular_weights(scan.angles) * passed / n_padded)[:, None, None]


def _bytes_per_row(scan: TomoScan, options: GridrecOptions) -> int:
    """In float32: a sinogram as read and as sorted, the slice, and its preview; padding is for a few rows at a time."""
    n_angles, _, n = scan.shape
    return 4 * (3 * n_angles * n + 2 * n * n)


GRIDREC = Recipe(
    name="gridrec",
    title="gridrec",
    summary="TomoPy's Fourier gridding, on the CPU: agrees with FBP, streaks where angles are missing.",
    options_type=GridrecOptions,
    generator=gridrec,
    bytes_per_row=_bytes_per_row,
)
