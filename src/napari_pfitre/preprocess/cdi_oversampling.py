"""How much finer than necessary a pattern is sampled, along each axis: the array's size over the object's.

The inverse Fourier transform of |F|² is the object's autocorrelation, twice as wide as the object. It is taken of the
intensity itself; of |F|⁴, as some programs have it, it would be that of the autocorrelation.
"""

from __future__ import annotations

import numpy as np
import scipy
from scipy import fft

__all__ = ["oversampling"]

_EDGE = 0.01  #: of the autocorrelation's maximum; see `oversampling`
_ALIASED = 0.03  #: of the same, at half a box from the middle: the autocorrelation does not fit into the box
#: a body's autocorrelation falls about as (1 − r/extent)^p; p is 1 of a cube's along its edge, near 2 of a ball's
_POWER = 1.7


def oversampling(intensity: np.ndarray) -> tuple[float, float, float]:
    """Array size over object size for (frame, row, column).

    The object's extent is half that of the connected part of the autocorrelation above 1 % of its maximum, or above
    what is left at the largest distances where that is more. Of a convex body that misses the outermost tips, and a
    pattern cut off at large angles blurs them: on simulated facetted crystals the estimate is right to about 10 %.
    Where the autocorrelation is wider than the box (oversampling below 2), what its two ends add up to at half a box
    from the middle tells the extent.
    """
    data = np.asarray(intensity, dtype=np.float32)
    correlation = np.abs(fft.fftshift(fft.ifftn(fft.ifftshift(data))))
    middle = tuple(n // 2 for n in data.shape)
    top = correlation[middle]
    if not top > 0:
        return 1.0, 1.0, 1.0
    # half a box from the middle along each axis
    ends = [float(correlation[tuple(0 if a == axis else m for a, m in enumerate(middle))] / top) for axis in range(3)]
    borders = [correlation.take(0, axis).max() / top for axis in range(3) if ends[axis] <= _ALIASED]
    labels, _ = scipy.ndimage.label(correlation > top * max([_EDGE, *(1.5 * border for border in borders)]))
    where = scipy.ndimage.find_objects((labels == labels[middle]).astype(np.int8))[0]
    extents = [(s.stop - s.start + 1) / 2 for s in where]
    for axis, n in enumerate(data.shape):
        if ends[axis] > _ALIASED:
            extents[axis] = n / 2 / (1 - min(0.5, ends[axis] / 2) ** (1 / _POWER))
    ratios = [max(1.0, n / extent) for n, extent in zip(data.shape, extents, strict=True)]
    return ratios[0], ratios[1], ratios[2]
