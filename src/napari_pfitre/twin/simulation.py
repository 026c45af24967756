"""A scan of a known object: drawn on a finer grid, projected by a model of its own, then spoilt."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from datetime import datetime
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from ..options import as_dict
from ..results import Progress, Provenance, Volume, finish
from ..scans import Quantity, Step, TomoScan
from . import beyond, phantoms
from . import imperfections as spoil
from .circuits import PROCESSES, circuit
from .grid import Grid, Phantom, overlap
from .patterns import pattern
from .pictures import pictures
from .placing import Placed
from .plan import kept_projections, planned_arcs
from .settings import SimulateOptions
from .strip import project
from .texture import micrograph

__all__ = ["Simulation", "simulate", "simulating"]


class Simulation(NamedTuple):
    """What was measured, and what is true."""

    scan: TomoScan
    truth: Volume


# One stream of random numbers a topic: switching one imperfection on leaves the object and all the others as
# they were.
_TOPICS = (
    "object", "shifts", "angles", "beam", "gains", "bad pixels", "noise",
    "arcs", "lost", "background", "surroundings", "hot spots", "slips",
)  # fmt: skip

_WORKING_BYTES = 512 * 2**20  # of the fine raster; tall volumes are drawn and projected in slabs,
_SLAB_BYTES = 128 * 2**20  # and in smaller ones, so that they can be watched and stopped, where that costs little


def simulate(options: SimulateOptions | None = None) -> Simulation:
    """Simulate a scan.

    The scan's `metadata["simulation"]` says what really happened: the axis's column, every angle in degrees
    and every displacement, whether or not the scan's own fields tell them.

    Examples
    --------
    >>> scan, truth = simulate(SimulateOptions(size=32, slices=2, angles=20))
    >>> scan.shape, truth.data.shape
    ((20, 2, 32), (2, 32, 32))
    """
    made = finish(simulating(options))
    assert made is not None  # nobody asked it to stop
    return made


def simulating(options: SimulateOptions | None = None) -> Generator[Progress, bool | None, Simulation | None]:
    """`simulate`, slab by slab, to be watched; None when it was asked to stop."""
    o = options or SimulateOptions()
    began, started = time.perf_counter(), datetime.now().astimezone()
    streams = np.random.SeedSequence(o.seed).spawn(len(_TOPICS))
    rng = {topic: np.random.default_rng(stream) for topic, stream in zip(_TOPICS, streams, strict=True)}
    grid = Grid.cubic(o.size, o.slices)

    nominal = planned_arcs(rng["arcs"], o.angles, o.missing, o.wedge_centre, o.arcs)
    actual = nominal + np.deg2rad(spoil.angle_errors(rng["angles"], o.angles, o.angle_error))
    shifts = spoil.displacements(rng["shifts"], o.angles, o.jitter, o.drift)
    shifts += spoil.slips(rng["slips"], o.angles, o.slips)
    axis = (o.size - 1) / 2 + o.centre_offset
    geometry = _Geometry(grid, actual, axis, shifts, o.oversampling)
    phantom = _PHANTOMS[o.phantom](rng["object"], grid.height, o)
    margin = 0
    if o.turn or o.overfill:
        phantom = Placed(phantom, np.deg2rad(o.turn), 1 + o.overfill)
        margin = int(np.ceil(o.size * o.overfill / 2))
    extras = [
        (name, draw, strength)
        for name, draw, strength in (
            ("surroundings", beyond.surroundings, o.surroundings),
            ("hot spots", beyond.hot_spots, o.hot_spots),
        )
        if strength
    ]
    total = o.slices * (1 + len(extras)) + 1  # slices of everything that is drawn, and what spoils them
    at = Progress(0, total, f"drawing and projecting the {o.phantom}")
    measured = yield from _measure(phantom, geometry, margin, at)
    if measured is None:
        return None
    truth, sinograms = measured
    # From the object alone: the truth must not change with the angles or with what is displaced.
    darkest = max(float(truth.sum(axis=along).max()) for along in (1, 2))
    scale = o.absorption / darkest if darkest > 0 else 1.0
    largest = scale * float(sinograms.max())
    for i, (name, draw, strength) in enumerate(extras, 1):
        more = draw(rng[name], grid.height, strength)
        beside = int(np.ceil(o.size * (beyond.REACH - 1) / 2))
        measured = yield from _measure(more, geometry, beside, Progress(i * o.slices, total, f"projecting {name}"))
        if measured is None:
            return None
        in_view, shadow = measured
        truth += in_view
        sinograms += shadow
    if (yield Progress(total - 1, total, "adding what goes wrong")):
        return None
    truth *= scale
    sinograms *= scale
    if o.background:
        sinograms += spoil.background(rng["background"], sinograms.shape, o.background * largest)
    if o.blur:
        # Optics add up intensities; line integrals that were never a transmission are blurred themselves.
        sinograms = (
            spoil.blurred(sinograms, o.blur)
            if o.photons is None
            else -np.log(np.maximum(spoil.blurred(np.exp(-sinograms), o.blur), 1e-30))
        )

    faults = spoil.Faults(
        spoil.beam_drift(rng["beam"], o.angles, o.beam_drift) if o.beam_drift else None,
        spoil.pixel_gains(rng["gains"], o.slices, o.size, o.rings) if o.rings else None,
        spoil.bad_pixels(rng["bad pixels"], o.slices, o.size, o.bad_pixels) if o.bad_pixels else None,
    )
    quantity: Quantity = "line integrals" if o.photons is None else "counts"
    flats = darks = None
    if o.photons is None:
        projections = spoil.add_noise(rng["noise"], sinograms, o.noise, faults, largest)
    else:
        projections, flats, darks = spoil.expose(rng["noise"], sinograms, o.photons, faults, o.frames)
    if o.lost:
        kept = kept_projections(rng["lost"], o.angles, o.lost)
        projections, nominal, actual, shifts = (each[kept] for each in (projections, nominal, actual, shifts))
    pixel = o.pixel_size * 1e-9
    moved = bool(o.jitter or o.drift or o.slips)
    scan = TomoScan(
        projections,
        nominal,
        quantity,
        flats,
        darks,
        centre=axis + o.centre_error,
        pixel_size=(pixel, pixel),
        energy_kev=o.energy,
        shifts=shifts if moved and o.shifts_known else None,
        name=_name(o),
        history=(Step("simulate", as_dict(o)),),
        metadata={
            "simulation": {
                "centre": axis,
                "angles_deg": np.rad2deg(actual).tolist(),
                "shifts": shifts.tolist(),
                "absorption_scale": scale,
            }
        },
    )
    provenance = Provenance(
        recipe="simulate",
        options=as_dict(o),
        shape=scan.shape,
        angles_deg=tuple(np.rad2deg(nominal).tolist()),
        centre=axis,
        pixel_size=scan.pixel_size,
        energy_kev=o.energy,
        versions={"napari-pfitre": version("napari-pfitre"), "numpy": np.__version__},
        device="cpu",
        seed=o.seed,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
    )
    return Simulation(scan, Volume(truth, (pixel,) * 3, provenance, name=f"{_name(o)}, truth"))


_START = Progress(0, 1)


class _Geometry(NamedTuple):
    grid: Grid  #: of the truth
    angles: np.ndarray
    axis: float  #: column
    shifts: np.ndarray  #: (angle, 2)
    factor: int  #: how many times finer the object is drawn


def _measure(
    phantom: Phantom, geometry: _Geometry, beside: int = 0, at: Progress = _START
) -> Generator[Progress, bool | None, tuple[np.ndarray, np.ndarray] | None]:
    """The truth on the grid, and its line integrals (angle, row, column) with everything displaced; None when stopped.

    What lies up to `beside` pixels outside the grid is projected as well. Slices done are added to the steps of `at`.
    """
    grid, angles, axis, shifts, factor = geometry
    slices, size = grid.shape[0], grid.shape[2]
    # Averaging along the axis and projecting commute; only where rows move is a finer z needed, and some margin.
    moves = bool(shifts[:, 0].any())
    z_factor, margin = (factor, int(np.ceil(np.abs(shifts[:, 0]).max()))) if moves else (1, 0)
    truth = np.empty(grid.shape, np.float32)
    sinograms = np.empty((len(angles), slices, size), np.float32)
    seen = slice(beside * factor, (beside + size) * factor)
    slice_bytes = 4 * z_factor * ((size + 2 * beside) * factor) ** 2
    step = max(1, min(_WORKING_BYTES // slice_bytes - 2 * margin, max(_SLAB_BYTES // slice_bytes, 4 * margin)))
    for start in range(0, slices, step):
        if (yield at._replace(step=at.step + start)):
            return None
        rows = slice(start, min(start + step, slices))
        count = rows.stop - rows.start
        slab = grid.wider(beside).slab(rows.start - margin, rows.stop + margin)
        fine = phantom.rasterise(slab.finer(z_factor, factor))
        inside = fine[margin * z_factor : (margin + count) * z_factor, seen, seen]
        split = inside.reshape(count, z_factor, size, factor, size, factor)
        truth[rows] = split.mean(axis=(1, 3, 5), dtype=np.float32)
        lines = project(fine, angles, size, centre=axis, shifts=shifts[:, 1], factor=factor)
        if moves:
            edges = np.arange(len(fine) + 1) / z_factor - margin
            for i, shift in enumerate(shifts[:, 0]):
                sinograms[i, rows] = overlap(edges + shift, 0, 1, count) @ lines[i]
        else:
            sinograms[:, rows] = lines
    return truth, sinograms


_PHANTOMS: dict[str, Callable[[np.random.Generator, float, SimulateOptions], Phantom]] = {
    "circuit": lambda rng, height, o: circuit(rng, height, process=_process(rng, o), cut="pillar"),
    "lamella": lambda rng, height, o: circuit(rng, height, process=_process(rng, o), cut="lamella"),
    "cuboid": lambda rng, height, o: circuit(rng, height, process=_process(rng, o), cut="cuboid"),
    "micrograph": lambda rng, height, o: micrograph(rng, height, process=_process(rng, o)),
    "blocks": lambda rng, height, o: phantoms.blocks(height),
    "ellipsoids": lambda rng, height, o: phantoms.ellipsoids(rng, height),
    "shepp-logan": lambda rng, height, o: phantoms.shepp_logan(),
    "foam": lambda rng, height, o: phantoms.foam(rng, height),
    "grains": lambda rng, height, o: phantoms.grains(rng, height),
    "picture": lambda rng, height, o: pictures(rng, height),
    "pattern": lambda rng, height, o: pattern(rng, height),
}


def _process(rng: np.random.Generator, o: SimulateOptions) -> str:
    return str(rng.choice(list(PROCESSES))) if o.process == "any" else o.process


def _name(o: SimulateOptions) -> str:
    wedge = f", {o.missing:g}° missing" if o.missing else ""
    return f"simulated {o.phantom}{wedge}"
