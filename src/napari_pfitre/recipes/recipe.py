"""What a recipe is, and what every recipe needs around its equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..device import Memory, available_memory
from ..results import Run
from ..scans import TomoScan

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A method, as the widget and the command line see it."""

    name: str  #: as typed: "fista-tv"
    title: str  #: as shown: "FISTA-TV"
    summary: str  #: one sentence for a menu or a help text
    options_type: type  #: frozen dataclass; see `napari_pfitre.options`
    generator: Callable[[TomoScan, Any, str], Run]
    bytes_needed: Callable[[TomoScan, Any], int]  #: peak memory of a run beside the scan itself
    scan_type: type = TomoScan

    def run(self, scan: TomoScan, options: Any = None, *, device: str = "auto") -> Run:
        """Start a run. Counts are corrected with their flats and darks on the way; see `napari_pfitre.preprocess`.

        Raises
        ------
        OptionError, ScanError
            At once, before the first step.
        """
        return self.generator(scan, self.options_type() if options is None else options, device)

    def memory(self, scan: TomoScan, options: Any = None, *, device: str = "cpu") -> Memory:
        """What a run would need against what is free."""
        options = self.options_type() if options is None else options
        return Memory(self.bytes_needed(scan, options), available_memory(device))
