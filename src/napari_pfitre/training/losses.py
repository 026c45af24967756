"""What counts as good: values and edges, by ratio."""

from __future__ import annotations

import torch

__all__ = ["EDGES", "image_loss"]

EDGES = 0.5  #: weight of the gradients; they are what blur and streaks get wrong
FLOOR = 0.01  #: of the volume's scale: an error below it is as good as none


def image_loss(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean log(|e| + √e² + ½ |∇e|), each a mean over an image; e = image − truth, (b, 1, y, x), in units of the scale.

    Mean |e| alone would have the network guess the likeliest value where nothing was measured; the root mean square
    asks for the expected one. The logarithm, image by image, makes a tenth less error worth the same in an easy scan
    and in a hopeless one: it is what decibels count, and no hot spot outweighs a batch. That a true image stays as is
    (the network as a projection, f(f(x)) = f(x)) is not a term here: some of a batch's inputs are true images.
    """
    error = image - truth
    pixels = (-3, -2, -1)
    edges = error.diff(dim=-1).abs().mean(pixels) + error.diff(dim=-2).abs().mean(pixels)
    values = error.abs().mean(pixels) + (error.square().mean(pixels) + _TINY).sqrt()
    return (values + EDGES * edges + FLOOR).log().mean()


_TINY = 1e-8  #: the root has no slope at 0
