"""What was measured: frozen, validated values with axes and units beside every field.

The geometry (sense of rotation, centre, y axis) is drawn in docs/conventions.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from .angles import half_turn
from .errors import ScanError
from .frames import LazyFrames

__all__ = ["BraggGeometry", "CdiScan", "MissingWedge", "Quantity", "Source", "Step", "TomoScan", "row_blocks"]

Quantity = Literal["counts", "transmission", "line integrals", "emission"]
Frames = LazyFrames | np.ndarray


class MissingWedge(NamedTuple):
    """A gap in the angles modulo 180°, in degrees: from the last angle before it to the first after it."""

    start: float
    width: float

    def __str__(self) -> str:
        return f"{self.width:.4g}° missing ({self.start:.4g}° to {self.start + self.width:.4g}°, modulo 180°)"


class Source(NamedTuple):
    """Where data came from."""

    path: Path
    dataset: str = ""  #: path inside an HDF5 file
    format: str = ""  #: the reader's name for the layout


class Step(NamedTuple):
    """One thing that was done to the data, with the parameters that would do it again."""

    name: str
    parameters: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.parameters.items())})"


@dataclass(frozen=True, eq=False)
class TomoScan:
    """A parallel-beam tomography scan.

    `projections`, `flats` and `darks` may be lazy: index them, do not convert them.

    Raises
    ------
    ScanError
        When the parts contradict each other: lengths, shapes, angles that are not finite, a centre outside the
        detector, flats for data that are no counts.
    """

    projections: Frames  #: (angle, row, column)
    angles: np.ndarray  #: (angle,), radians; zero and sense as drawn in docs/conventions.md
    quantity: Quantity = "counts"  #: what a value of `projections` is
    flats: Frames | None = None  #: (flat, row, column), counts with beam and without sample
    darks: Frames | None = None  #: (dark, row, column), counts without beam
    flat_positions: np.ndarray | None = None  #: (flat,), index of the projection each flat was taken before
    centre: float | None = None  #: column index of the rotation axis; None when unknown
    pixel_size: tuple[float, float] | None = None  #: (row, column), metres at the sample
    energy_kev: float | None = None  #: photon energy, keV
    shifts: np.ndarray | None = None  #: (angle, 2), (row, column) in pixels that each projection was displaced by
    axis_order: tuple[str, str, str] = ("angle", "row", "column")  #: as stored in the source; `projections` is turned
    name: str = "scan"
    source: Source | None = None
    history: tuple[Step, ...] = ()  #: what was done since the file was read
    notices: tuple[str, ...] = ()  #: what the reader assumed, dropped or repaired, one sentence each
    metadata: Mapping[str, Any] = field(default_factory=dict)  #: anything else worth keeping, JSON values

    def __post_init__(self):
        shape = self.projections.shape
        if len(shape) != 3 or 0 in shape:
            raise ScanError(f"projections should be (angle, row, column) and not empty; {self.name} has shape {shape}")
        angles = np.asarray(self.angles, dtype=float)
        object.__setattr__(self, "angles", angles)
        if angles.shape != (shape[0],):
            raise ScanError(f"{angles.size} angles for {shape[0]} projections in {self.name}; pass angles=")
        if not np.isfinite(angles).all():
            bad = np.flatnonzero(~np.isfinite(angles))
            raise ScanError(
                f"{bad.size} of {angles.size} angles in {self.name} are not numbers (first at index {bad[0]}); pass "
                "angles="
            )
        for what, stack in (("flats", self.flats), ("darks", self.darks)):
            if stack is not None and (len(stack.shape) != 3 or tuple(stack.shape[1:]) != tuple(shape[1:])):
                raise ScanError(
                    f"{what} of {self.name} have shape {tuple(stack.shape)}, but projections are {shape[1]} rows × "
                    f"{shape[2]} columns; crop or bin them alike"
                )
        if self.flats is not None and self.quantity != "counts":
            raise ScanError(
                f"{self.name} has flats, but its values are {self.quantity}; only counts are divided by flats"
            )
        if self.flat_positions is not None and (self.flats is None or len(self.flat_positions) != len(self.flats)):
            raise ScanError(f"flat_positions of {self.name} should name one projection for each flat")
        if self.centre is not None and not -0.5 <= self.centre <= shape[2] - 0.5:
            raise ScanError(
                f"the rotation axis of {self.name} is given as column {self.centre:g}, but the detector's columns run "
                f"from 0 to {shape[2] - 1}"
            )
        if self.shifts is not None and self.shifts.shape != (shape[0], 2):
            raise ScanError(
                f"shifts of {self.name} should be ({shape[0]}, 2), row and column for each projection; "
                f"they are {self.shifts.shape}"
            )

    def replace(self, step: Step | None = None, **changes: Any) -> TomoScan:
        """A copy with some fields changed and, when given, one more step in its history."""
        if step is not None:
            changes["history"] = (*changes.get("history", self.history), step)
        return dataclasses.replace(self, **changes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(angles, rows, columns)"""
        n_angles, n_rows, n_columns = self.projections.shape
        return int(n_angles), int(n_rows), int(n_columns)

    @property
    def middle(self) -> float:
        """The column index of the rotation axis, or of the detector's middle while no axis is known."""
        return (self.shape[2] - 1) / 2 if self.centre is None else self.centre

    @property
    def missing_wedges(self) -> tuple[MissingWedge, ...]:
        """The gaps in the angles modulo 180°, widest first.

        Parallel projections at θ and θ + 180° hold the same data, so the gaps are those of the angles modulo 180°.
        A gap counts as missing when it is over 3° and over three times the median step.
        """
        turn = half_turn(self.angles)
        gaps = [
            MissingWedge(float(np.rad2deg(turn.angles[i])), float(np.rad2deg(turn.gaps[i])))
            for i in np.flatnonzero(turn.missing)
        ]
        return tuple(sorted(gaps, key=lambda gap: -gap.width))

    def sinograms(self, rows: slice) -> np.ndarray:
        """Some rows as sinograms, (row, angle, column), float32 and contiguous."""
        block = np.asarray(self.projections[:, rows, :])
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, as dead pixels are
            return np.ascontiguousarray(block.transpose(1, 0, 2), dtype=np.float32)


@dataclass(frozen=True)
class BraggGeometry:
    """Where voxels of a rocking scan lie in reciprocal space, linearised at the peak.

    The laboratory frame is that of CXI and NeXus: x to the side, y up, z downstream (docs/conventions.md).
    """

    steps: np.ndarray  #: (3, 3), 1/m: row i is the step of q = k_f − k_i for one voxel along axis i of the intensity
    q: np.ndarray  #: (3,), 1/m: the scattering vector at the peak; |q| = 2π / d

    def __post_init__(self):
        if np.shape(self.steps) != (3, 3) or np.shape(self.q) != (3,):
            raise ScanError(
                f"a Bragg geometry has steps (3, 3) and q (3,), not {np.shape(self.steps)} and {np.shape(self.q)}"
            )

    @property
    def spacing(self) -> float:
        """Of the lattice planes, metres."""
        return float(2 * np.pi / np.linalg.norm(self.q))

    def voxels(self, shape: tuple[int, int, int]) -> np.ndarray:
        """(3, 3), metres: row i is the step in real space for one voxel along axis i of an object of this shape."""
        return 2 * np.pi * np.linalg.inv(np.asarray(self.steps) * np.array(shape)[:, None]).T


@dataclass(frozen=True, eq=False)
class CdiScan:
    """A coherent diffraction pattern in three dimensions, about one Bragg peak or the direct beam.

    Raises
    ------
    ScanError
        When the parts contradict each other: shapes, a centre outside the array.
    """

    intensity: Frames  #: (frame, row, column), photons or what is proportional to them; never an amplitude
    mask: np.ndarray | None = None  #: same shape or (row, column), bool; True where nothing was measured
    centre: tuple[float, float, float] | None = None  #: index of the peak; None when unknown
    energy_kev: float | None = None  #: photon energy, keV
    distance: float | None = None  #: of the detector from the sample, metres
    pixel_size: tuple[float, float] | None = None  #: of the detector (row, column), metres
    rocking_step: float | None = None  #: between frames, radians
    geometry: BraggGeometry | None = None  #: None while angles of sample and detector are not known
    flat: np.ndarray | None = None  #: (row, column), counts under even light; None when there is none or it was used
    dark: np.ndarray | None = None  #: (row, column), counts without beam; None when there is none or it was used
    name: str = "pattern"
    source: Source | None = None
    history: tuple[Step, ...] = ()  #: what was done since the file was read
    notices: tuple[str, ...] = ()  #: what the reader assumed, dropped or repaired, one sentence each
    metadata: Mapping[str, Any] = field(default_factory=dict)  #: anything else worth keeping, JSON values
    #: (frame, 2), (y, x) on the sample in metres, NaN where not known; None unless each frame is of another place
    positions: np.ndarray | None = None

    def __post_init__(self):
        shape = tuple(self.intensity.shape)
        if len(shape) != 3 or 0 in shape:
            raise ScanError(
                f"a diffraction pattern should be (frame, row, column) and not empty; {self.name} has shape {shape}"
            )
        if self.mask is not None and self.mask.shape not in (shape, shape[1:]):
            raise ScanError(f"the mask of {self.name} has shape {self.mask.shape}, the intensity {shape}")
        for what, frame in (("flat", self.flat), ("dark", self.dark)):
            if frame is not None and frame.shape != shape[1:]:
                raise ScanError(
                    f"the {what} of {self.name} has shape {frame.shape}, but a frame is {shape[1]} rows × {shape[2]} "
                    "columns; name one of the same region"
                )
        if self.positions is not None and self.positions.shape != (shape[0], 2):
            raise ScanError(
                f"positions of {self.name} should be ({shape[0]}, 2), y and x for each frame; they are "
                f"{self.positions.shape}"
            )
        if self.centre is not None and not all(-0.5 <= c <= n - 0.5 for c, n in zip(self.centre, shape, strict=True)):
            raise ScanError(f"the peak of {self.name} is given at {self.centre}, outside of an array of shape {shape}")

    def replace(self, step: Step | None = None, **changes: Any) -> CdiScan:
        """A copy with some fields changed and, when given, one more step in its history."""
        if step is not None:
            changes["history"] = (*changes.get("history", self.history), step)
        return dataclasses.replace(self, **changes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns)"""
        n_frames, n_rows, n_columns = self.intensity.shape
        return int(n_frames), int(n_rows), int(n_columns)


def row_blocks(scan: TomoScan, most: int) -> Iterator[slice]:
    """Blocks of rows to read one after another, each of about `most` rows.

    One row of a file that is stored frame by frame costs as much to read as sixteen, so a block is as large as it may
    be; where storage groups rows, blocks end where its groups end, so that nothing is unpacked twice.
    """
    n_rows = scan.shape[1]
    count = max(1, most)
    chunks = getattr(scan.projections, "chunks", None)
    group = min(chunks[1], n_rows) if chunks else 1
    if 1 < group < n_rows:
        # half a group costs the reading of a whole one: stretch a little rather than read it twice
        count = count // group * group if count >= group else group if group <= 2 * count else count
    for start in range(0, n_rows, count):
        yield slice(start, min(start + count, n_rows))
