"""How well a volume agrees with another one, or with the data.

`images` compares real volumes, `objects` complex ones modulo what a diffraction pattern cannot tell, `diffraction`
an object with its pattern.
"""

from __future__ import annotations

from .diffraction import ShellTransfer, chi_squared, prtf, prtf_resolution
from .images import ShellCorrelation, disc_mask, fsc, fsc_resolution, psnr, residual_norm, ssim, threshold_curve
from .objects import Agreement, align_to, canonical, compare, remove_ramp, twin

__all__ = [
    "Agreement",
    "ShellCorrelation",
    "ShellTransfer",
    "align_to",
    "canonical",
    "chi_squared",
    "compare",
    "disc_mask",
    "fsc",
    "fsc_resolution",
    "prtf",
    "prtf_resolution",
    "psnr",
    "remove_ramp",
    "residual_norm",
    "ssim",
    "threshold_curve",
    "twin",
]
