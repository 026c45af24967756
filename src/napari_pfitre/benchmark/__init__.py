"""How fast (`projector`) and how good (`quality`) the methods are, in numbers that compare with others'."""

from __future__ import annotations

from .projector import AstraPair, best_times, measure
from .quality import QualityOptions, quality

__all__ = ["AstraPair", "QualityOptions", "best_times", "measure", "quality"]
