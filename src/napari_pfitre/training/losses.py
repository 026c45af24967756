"""What counts as good: how much of the error is left, in values and in edges."""

from __future__ import annotations

import torch

__all__ = ["EDGES", "error_of", "image_loss"]

EDGES = 0.5  #: weight of the gradients; they are what blur and streaks get wrong
FLOOR = 0.015  #: of the volume's scale: added to the error that was given, which a true image has none of


def image_loss(image: torch.Tensor, truth: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """The mean over a batch of what is left of each image's error: `error_of` the image over that of what was given.

    By ratio a tenth less error is worth the same in an easy scan and in a hopeless one, which is what decibels count,
    and no hot spot outweighs a batch. That a true image stays as it is (the network as a projection, f(f(x)) = f(x)) is
    not a term here: some of a batch's inputs are true images.
    """
    return (error_of(image, truth) / (error_of(given, truth) + FLOOR)).mean()


def error_of(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean |e| + √(mean e²) + ½ mean |∇e| with e = image − truth, for each of (b, 1, y, x), in units of the scale.

    Mean |e| alone would have the network guess the likeliest value where nothing was measured; the root mean square
    asks for the expected one.
    """
    error = image - truth
    pixels = (-3, -2, -1)
    edges = error.diff(dim=-1).abs().mean(pixels) + error.diff(dim=-2).abs().mean(pixels)
    return error.abs().mean(pixels) + (error.square().mean(pixels) + _TINY).sqrt() + EDGES * edges


_TINY = 1e-8  #: the root has no slope at 0
