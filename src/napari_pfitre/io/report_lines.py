"""What a report says of a scan, a pattern or a volume, line by line, in the units people read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import PfitreError
from ..frames import size_text
from ..scans import CdiScan, TomoScan
from .angles import span_text
from .quantity import look
from .volume_hdf5 import Facts

if TYPE_CHECKING:
    from .report import DatasetInfo

__all__ = ["pattern_lines", "row_text", "scan_lines", "volume_lines"]


def row_text(name: str, value: str) -> str:
    return f"  {name:<12} {value}"


def scan_lines(scan: TomoScan, stored: DatasetInfo | None) -> list[str]:
    n_angles, n_rows, n_columns = scan.shape
    where = f" in {scan.source.dataset}" if scan.source and scan.source.dataset else ""
    size = n_angles * n_rows * n_columns * scan.projections.dtype.itemsize
    out = [
        row_text(
            "projections",
            f"{n_angles} of {n_rows} rows × {n_columns} columns, {scan.projections.dtype}, {size_text(size)}{where}",
        )
    ]
    if stored is not None:
        packed = f"compressed with {stored.compression}" if stored.compression else "not compressed"
        kind = stored.note or packed
        amount = f"{size_text(stored.stored)} on disk, " if stored.stored else ""
        out.append(
            row_text(
                "stored",
                f"{' × '.join(str(n) for n in stored.shape)}, {amount}{kind}, axes {', '.join(scan.axis_order)}",
            )
        )
    elif scan.axis_order != ("angle", "row", "column"):
        out.append(row_text("stored", f"axes {', '.join(scan.axis_order)}"))
    out.append(row_text("angles", span_text(np.rad2deg(scan.angles))))
    out.append(
        row_text(
            "missing", "; ".join(str(wedge) for wedge in scan.missing_wedges) or "no wedge: all directions are covered"
        )
    )
    out.append(row_text("values", _values(scan)))
    flats, darks = (0 if stack is None else len(stack) for stack in (scan.flats, scan.darks))
    out.append(row_text("flats, darks", f"{flats or 'no'} flats, {darks or 'no'} darks"))
    if scan.pixel_size is None:
        pixel = "unknown; lengths will be in pixels"
    else:
        row, column = (_length_text(size) for size in scan.pixel_size)
        pixel = column if row == column else f"{row} (row) × {column} (column)"
    out.append(row_text("pixel size", pixel))
    out.append(row_text("energy", "unknown" if scan.energy_kev is None else f"{scan.energy_kev:.6g} keV"))
    middle = (n_columns - 1) / 2
    out.append(
        row_text(
            "centre",
            f"unknown (the detector's middle is column {middle:g})"
            if scan.centre is None
            else f"column {scan.centre:g}",
        )
    )
    return out


def pattern_lines(scan: CdiScan) -> list[str]:
    frames, rows, columns = scan.shape
    pixel = "unknown" if scan.pixel_size is None else " × ".join(_length_text(size) for size in scan.pixel_size)
    place = [] if scan.positions is None else [row_text("places", _places(scan.positions))]
    step = "unknown" if scan.rocking_step is None else f"{np.rad2deg(scan.rocking_step):.4g}°"
    return [
        row_text("pattern", f"{frames} frames of {rows} rows × {columns} columns, {scan.intensity.dtype}"),
        row_text("mask", "none" if scan.mask is None else f"{int(np.count_nonzero(scan.mask))} pixels"),
        row_text("peak", "unknown" if scan.centre is None else "at " + ", ".join(f"{c:.4g}" for c in scan.centre)),
        row_text("energy", "unknown" if scan.energy_kev is None else f"{scan.energy_kev:.6g} keV"),
        row_text("distance", "unknown" if scan.distance is None else f"{scan.distance:.4g} m"),
        row_text("pixel size", pixel),
        *(place or [row_text("rocking step", step)]),
        *([row_text("angles", _stood(angles))] if (angles := scan.metadata.get("angles_deg")) else []),
    ]


def _stood(angles: Mapping[str, float | list[float]]) -> str:
    """Where circles stood, and from where to where the one went that moved."""
    return ", ".join(
        f"{name} {v:.5g}°" if isinstance(v, float) else f"{name} {v[0]:.5g}° to {v[1]:.5g}°"
        for name, v in angles.items()
    )


def _places(positions: np.ndarray) -> str:
    """How far a scan of the sample went."""
    if not np.isfinite(positions).all():
        return f"{len(positions)}, where on the sample is unknown"
    height, width = (_length_text(float(reach)) for reach in np.ptp(positions, axis=0))
    return f"{len(positions)} over {height} × {width} (y, x) of the sample"


def volume_lines(about: Facts) -> list[str]:
    voxel = (
        "unknown"
        if about.voxel_size is None
        else " × ".join(_length_text(size) for size in about.voxel_size) + " (z, y, x)"
    )
    out = [row_text("name", about.name), row_text("voxel size", voxel), row_text("values in", about.unit)]
    if (made := about.provenance) is not None:
        when = f" on {made.started}" if made.started else ""
        source = f" from {Path(str(made.source['path'])).name}" if made.source.get("path") else ""
        out.append(row_text("made by", f"{made.recipe}{source}{when}{', stopped early' if made.partial else ''}"))
    return out


def _values(scan: TomoScan) -> str:
    try:
        values = look(scan.projections)
    except PfitreError as error:
        return f"{scan.quantity}; {error}"
    seen = f", about {values.min():.4g} to {values.max():.4g}" if values.size else ", none of them a number"
    return scan.quantity + seen


def _length_text(metres: float) -> str:
    for unit, factor in (("nm", 1e9), ("µm", 1e6), ("mm", 1e3)):
        if metres * factor < 1000 or unit == "mm":
            return f"{metres * factor:.5g} {unit}"
    raise AssertionError("unreachable")
