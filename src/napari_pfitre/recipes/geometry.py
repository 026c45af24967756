"""From a scan to what solvers take: line integrals as tensors, and the projector of its geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ScanError
from ..preprocess import prepare
from ..scans import TomoScan

if TYPE_CHECKING:
    import torch

    from ..operators import ParallelBeam

__all__ = ["line_integrals", "projector", "sinograms"]


def line_integrals(scan: TomoScan) -> TomoScan:
    """The scan itself, or, of counts or a transmission, what `prepare` makes of it by default."""
    return scan if scan.quantity in ("line integrals", "emission") else prepare(scan)


def projector(scan: TomoScan, device: torch.device) -> ParallelBeam:
    """A for one row of the scan; displacements along the rows were dealt with in preparing."""
    from ..operators import ParallelBeam

    shifts = None if scan.shifts is None else scan.shifts[:, 1]
    return ParallelBeam(scan.angles, scan.shape[2], centre=scan.middle, shifts=shifts, device=device)


def sinograms(scan: TomoScan, rows: slice) -> torch.Tensor:
    """Rows as a (row, angle, column) tensor, all of it finite."""
    import torch

    block = scan.sinograms(rows)
    bad = block.size - np.count_nonzero(np.isfinite(block))
    if bad:
        raise ScanError(
            f"{bad} of {block.size} values in rows {rows.start} to {rows.stop - 1} of {scan.name} are not finite; "
            "prepare the scan with outlier removal, or crop those rows"
        )
    return torch.from_numpy(block)
