"""What a recipe is: the row of `RECIPES` that the widget, the command line and the documentation read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..device import Memory, available_memory
from ..errors import OptionError, ScanError
from ..results import Run
from ..scans import CdiScan, TomoScan

__all__ = ["Recipe"]

WORK_SPACE = 100_000_000  #: bytes that FFTs and their plans take, however many rows there are


@dataclass(frozen=True)
class Recipe:
    """A method, as the edges see it."""

    name: str  #: as typed: "fista-tv"
    title: str  #: as shown: "FISTA-TV"
    summary: str  #: one sentence for a menu or a help text
    options_type: type  #: frozen dataclass; see `napari_pfitre.options`
    generator: Callable[[Any, Any, str], Run]
    bytes_per_row: Callable[[Any, Any], int]  #: memory that one row of the scan takes while it is reconstructed
    scan_type: type[TomoScan] | type[CdiScan] = TomoScan

    def run(self, scan: TomoScan | CdiScan, options: Any = None, *, device: str = "auto") -> Run:
        """Start a run. Counts are corrected with their flats and darks on the way; see `napari_pfitre.preprocess`.

        Raises
        ------
        OptionError, ScanError
            When the options or the scan are of another kind than this recipe's; what the data themselves make
            impossible is raised by the run's first step.
        """
        options = self.options_type() if options is None else options
        if not isinstance(options, self.options_type):
            raise OptionError(f"{self.title} takes {self.options_type.__name__}, not {type(options).__name__}")
        if not isinstance(scan, self.scan_type):
            raise ScanError(f"{self.title} reconstructs a {self.scan_type.__name__}, not a {type(scan).__name__}")
        if scan.metadata.get("beam") == "cone":
            raise ScanError(
                f"{scan.name} was measured with a cone beam and {self.title} assumes a parallel one; read it with "
                "beam='parallel' if the cone is thin enough, or reconstruct it elsewhere (CIL, TIGRE)"
            )
        return self.generator(scan, options, device)

    def memory(self, scan: TomoScan | CdiScan, options: Any = None, *, device: str = "cpu") -> Memory:
        """What a run on all rows at once would need beside the scan, against what is free."""
        options = self.options_type() if options is None else options
        needed = WORK_SPACE + self.bytes_per_row(scan, options) * scan.shape[1]
        return Memory(needed, available_memory(device))
