"""Integrated circuits: a stack of metal layers, routed the Manhattan way, as volumes.

From the bottom: substrate with gates, contacts, then metal and via layers whose pitch grows upwards, each
metal layer running across the one below; passivation and pads on top. Tracks carry wires that end where a
wire of a neighbouring layer passes, with a via there; rails of two tracks' width carry power; stacked vias go
through all layers; empty ground is filled with dummy squares. Values are relative to copper.

Such samples are cut as a pillar or a cuboid (rotated about the stack's axis, slices show layers from above) or
as a lamella (slices are sections through the stack, the projections nearest to its surface are the missing
ones).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .layers import Drawing, Layer, Layers
from .routing import Field, Wires, cell_array, clear_of, crossings, fill, pads, route

__all__ = ["CUTS", "PROCESSES", "Cut", "Process", "circuit"]

Cut = Literal["pillar", "lamella", "cuboid"]
CUTS: tuple[Cut, ...] = get_args(Cut)

COPPER, TUNGSTEN, ALUMINIUM, GATE = 1.0, 1.25, 0.55, 0.4
SUBSTRATE, DIELECTRIC, BARRIER, PASSIVATION = 0.26, 0.12, 0.2, 0.22
RADIUS = 0.46  # of a pillar
LAMELLA = (0.8, 0.52)  # width and thickness: the corners stay in view at every angle


@dataclass(frozen=True)
class Process:
    """What distinguishes one technology from another. Lengths are fractions of the field of view."""

    pitch: float  #: of the lowest metal
    growth: tuple[float, ...]  #: each metal layer's pitch over the lowest one's
    density: float  #: how much of a track carries wire
    reach: float  #: mean length of a wire, pitches
    rail_every: int  #: tracks from one power rail to the next; 0 for none
    regular: bool = False  #: wires cut at even steps, as in a memory


PROCESSES: dict[str, Process] = {
    "logic": Process(0.04, (1, 1, 1, 1.5, 1.5, 2, 3), 0.72, 7, 7),
    "fine": Process(0.034, (1, 1, 1, 1, 1.5, 2, 2, 3), 0.68, 9, 9),
    "coarse": Process(0.075, (1, 1, 1.3, 1.6), 0.75, 5, 6),
    "memory": Process(0.042, (1, 1, 1.25, 1.5, 2), 0.9, 8, 0, regular=True),
    "power": Process(0.055, (1, 1.4, 2, 3), 0.66, 6, 4),
}


def circuit(
    rng: np.random.Generator,
    height: float,
    *,
    process: str = "logic",
    cut: Cut = "pillar",
    extent: float = 1.0,
) -> Layers:
    """Draw a circuit.

    Parameters
    ----------
    rng
        The same generator state gives the same circuit.
    height
        Of the field of view along the rotation axis, over its width. Around it the circuit goes on.
    process
        One of `PROCESSES`.
    cut
        Which sample the focused ion beam left standing.
    extent
        Width of the sample relative to what fills the field of view; its tracks stay as they are.
    """
    p = PROCESSES[process]
    pillar = cut != "lamella"  # layers from above
    width, thickness = (extent * length for length in LAMELLA)
    half_x, half_y = (0.5 * extent, 0.5 * extent) if pillar else (width / 2, height / 2 + 0.1)
    if cut == "cuboid":
        diagonal = rng.uniform(0.35, 1.2)
        half_x, half_y = extent * RADIUS * np.cos(diagonal), extent * RADIUS * np.sin(diagonal)
    field = (-half_x, half_x, -half_y, half_y)
    levels = [_metal(rng, p, level, field) for level in range(len(p.growth))]
    columns = _stacked_vias(rng, p, field)
    slabs = [(0.3 if pillar else 0.03, _plane(field, SUBSTRATE)), *_devices(rng, p, field, levels[0])]
    middles = []  # of the metal layers, from the bottom
    for level, wires in enumerate(levels):
        pitch = wires.pitch
        rise = 0.42 * pitch, 0.14 * pitch, 0.72 * pitch  # via, barrier, metal
        if not pillar and _top(slabs) + sum(rise) > thickness - 0.05 * extent:
            break
        if level:
            vias = crossings(rng, levels[level - 1], wires, 0.5 * min(pitch, levels[level - 1].pitch))
            squares = np.concatenate([vias, _around(columns, 0.28 * p.pitch)])
            slabs.append((rise[0], _drawing(field, DIELECTRIC, (squares, COPPER))))
        slabs.append((rise[1], _plane(field, BARRIER)))
        ground = np.concatenate([wires.boxes, _around(columns, 0.42 * p.pitch)])
        dummies = np.empty((0, 4)) if p.regular else fill(rng, ground, field, pitch)
        middles.append(_top(slabs) + rise[2] / 2)
        slabs.append((rise[2], _drawing(field, DIELECTRIC, (dummies, COPPER), (ground, COPPER))))
    openings = pads(rng, field, pitch)
    if pillar or _top(slabs) + 0.13 < thickness:
        slabs.append((0.03, _drawing(field, PASSIVATION, (_shrunk(openings, 0.8), ALUMINIUM))))
        slabs.append((0.07, _drawing(field, PASSIVATION, (openings, ALUMINIUM))))
    slabs.append((0.3 if pillar else 0.03, _plane(field, PASSIVATION)))

    if pillar and height < middles[-1] - middles[0]:
        # A metal layer in the middle, and metal to either end; rather low down, where the routing is dense.
        fits = [m for m in middles if middles[0] <= m - height / 2 and m + height / 2 <= middles[-1]]
        middle = rng.choice((fits or middles)[:2])
    else:
        middle = (middles[0] + middles[-1]) / 2 if pillar else _top(slabs) / 2
    layers, bottom = [], -middle
    for thickness, drawing in slabs:
        # Up is against the index: row 0 is the top.
        layers.append(Layer(-(bottom + thickness), -bottom, drawing))
        bottom += thickness
    return Layers(tuple(layers), "z" if pillar else "y", extent * RADIUS if cut == "pillar" else None)


def _top(slabs: list[tuple[float, Drawing]]) -> float:
    return sum(thickness for thickness, _ in slabs)


def _metal(rng: np.random.Generator, p: Process, level: int, field: Field) -> Wires:
    """Wires of one layer; even layers run along x, odd ones along y."""
    pitch = p.pitch * p.growth[level]
    along_x = level % 2 == 0
    if p.regular:
        return cell_array(rng, field, pitch, along_x, cells=p.reach)
    stops = p.pitch * p.growth[max(level - 1, 0)]
    return route(rng, field, pitch, along_x, density=p.density, reach=p.reach, rail_every=p.rail_every, stops=stops)


def _devices(rng: np.random.Generator, p: Process, field: Field, metal: Wires) -> list[tuple[float, Drawing]]:
    """Gates on the substrate and the contacts that join them to the lowest metal."""
    gates = cell_array(rng, field, 1.5 * p.pitch, along_x=False, cells=5).boxes
    gates = gates[rng.random(len(gates)) < 0.9]
    over = Wires(gates, 1.5 * p.pitch, along_x=False)
    contacts = crossings(rng, over, metal, 0.45 * p.pitch, elsewhere=0.2)
    isolation = _drawing(field, SUBSTRATE, (_strips(field, 3.5 * p.pitch), DIELECTRIC))
    return [
        (0.6 * p.pitch, isolation),
        (0.5 * p.pitch, _drawing(field, DIELECTRIC, (gates, GATE), (contacts, TUNGSTEN))),
        (0.6 * p.pitch, _drawing(field, DIELECTRIC, (contacts, TUNGSTEN))),
    ]


def _strips(field: Field, pitch: float) -> np.ndarray:
    """Trenches between rows of devices."""
    x0, x1, y0, y1 = field
    y = np.arange(y0, y1, pitch)
    return np.stack([np.full_like(y, x0), np.full_like(y, x1), y, y + 0.25 * pitch], axis=1)


def _stacked_vias(rng: np.random.Generator, p: Process, field: Field) -> np.ndarray:
    """Middles of the vias that go through all layers, (n, 2): x, y."""
    x0, x1, y0, y1 = field
    count = rng.poisson(10 * (x1 - x0) * (y1 - y0)) + 2
    spots = rng.uniform((x0, y0), (x1, y1), (count, 2))
    return np.round(spots / p.pitch) * p.pitch


def _around(points: np.ndarray, half: float) -> np.ndarray:
    x, y = points.T
    return np.stack([x - half, x + half, y - half, y + half], axis=1)


def _shrunk(boxes: np.ndarray, scale: float) -> np.ndarray:
    x, y = boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)
    middle = np.stack([x, x, y, y], axis=1)
    return middle + scale * (boxes - middle)


def _plane(field: Field, value: float) -> Drawing:
    return Drawing(np.array([field]), np.array([value]))


def _drawing(field: Field, background: float, *parts: tuple[np.ndarray, float]) -> Drawing:
    """Rectangles of several materials over a background, cut at the field's border."""
    boxes = np.concatenate([[field], *(boxes for boxes, _ in parts)])
    values = np.concatenate([[background], *(np.full(len(boxes), value) for boxes, value in parts)])
    boxes = clear_of(boxes, field)
    return Drawing(boxes, values)
