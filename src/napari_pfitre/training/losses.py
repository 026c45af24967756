"""What counts as good: values, edges, and leaving a true image as it is."""

from __future__ import annotations

import torch

__all__ = ["EDGES", "image_loss"]

EDGES = 0.5  #: weight of the gradients; they are what blur and streaks get wrong

_TINY = 1e-8  #: the root has no slope at 0


def image_loss(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean |e| + √(mean e²) + ½ mean |∇e| with e = image − truth, of (b, 1, y, x) in units of their volumes' scales.

    The mean of |e| alone would have the network guess the likeliest value where nothing was measured; the root mean
    square, taken image by image, asks for the expected one and lets no hard image outweigh the others.

    An image with a hot spot counts less, as much less as its peak exceeds two: errors there are large, and say little.
    That a true image stays as it is (the network as a projection, f(f(x)) = f(x)) is not a term here: some of a batch's
    inputs are true images.
    """
    error = image - truth
    pixels = (-3, -2, -1)
    edges = error.diff(dim=-1).abs().mean(pixels) + error.diff(dim=-2).abs().mean(pixels)
    peak = truth.amax(pixels).clamp(min=2) / 2
    values = error.abs().mean(pixels) + (error.square().mean(pixels) + _TINY).sqrt()
    return ((values + EDGES * edges) / peak).mean()
