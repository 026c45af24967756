"""Forward models and their adjoints: ``A(x)``, ``A.adjoint(y)``, ``A.normal(x)``, ``A.norm()``.

Tensors in, tensors out; device and dtype of the result are those of the operator.
"""

from __future__ import annotations

from .far_field import FarField
from .parallel_beam import ParallelBeam

__all__ = ["FarField", "ParallelBeam"]
