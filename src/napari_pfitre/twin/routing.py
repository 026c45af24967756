"""How wires, vias, pads and fill are laid out on one layer of a circuit.

Rectangles are rows (x0, x1, y0, y1). Routing happens in a frame (a, t): along the wires and across them;
`_placed` turns it into x and y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Field", "Wires", "cell_array", "clear_of", "crossings", "fill", "pads", "route"]

Field = tuple[float, float, float, float]  # x0, x1, y0, y1
DUTY = 0.5  # line width over pitch


@dataclass(frozen=True, eq=False)
class Wires:
    """The metal of one layer."""

    boxes: np.ndarray  #: (n, 4): x0, x1, y0, y1
    pitch: float
    along_x: bool


def route(
    rng: np.random.Generator,
    field: Field,
    pitch: float,
    along_x: bool,
    *,
    density: float,
    reach: float,
    rail_every: int,
    stops: float,
) -> Wires:
    """Wires on tracks, with jogs between tracks, power rails and here and there a block left empty.

    Wires end on multiples of `stops`, the pitch of the layer they are to meet.
    """
    a0, a1, t0, t1 = _turned(field, along_x)
    first, last = int(np.floor(t0 / pitch)) - 1, int(np.ceil(t1 / pitch)) + 1
    offset = int(rng.integers(rail_every)) if rail_every else 0
    half, cap = DUTY * pitch / 2, DUTY * stops / 2 + 0.1 * pitch
    empty = _empty_block(rng, (a0, a1, t0, t1))
    boxes: list[tuple[float, float, float, float]] = []
    wanted: list[tuple[float, float]] = []  # pieces that a jog from the track before began here
    for track in range(first, last + 1):
        t = track * pitch
        phase = (track + offset) % rail_every if rail_every else -1
        if phase == 0:  # a rail takes the room of this track and the next
            boxes.append((a0 - pitch, a1 + pitch, t - 0.1 * pitch, t + 1.1 * pitch))
            wanted = []
            continue
        if phase == 1:
            continue
        pieces = list(wanted)
        wanted = []
        at = a0 - rng.uniform(0, reach) * pitch
        while at < a1:
            length = pitch * (1.5 + rng.exponential(reach))
            gap = pitch * (1 + rng.exponential(reach * (1 - density) / density))
            start, stop = np.round(np.array([at, at + length]) / stops) * stops
            at = stop + gap
            if stop - start < pitch or any(start < b + 1.5 * pitch and stop > a - 1.5 * pitch for a, b in pieces):
                continue
            pieces.append((start, stop))
        roomy = rail_every == 0 or phase < rail_every - 1  # the next track is no rail
        for start, stop in pieces:
            middle = ((start + stop) / 2, t)
            if empty is not None and _inside(middle, empty):
                continue
            boxes.append((start - cap, stop + cap, t - half, t + half))
            if roomy and rng.random() < 0.16:
                beyond = stop + np.round(pitch * (2 + rng.exponential(reach / 2)) / stops) * stops
                if all(stop > b + 2 * pitch or beyond < a - 2 * pitch for a, b in wanted):
                    boxes.append((stop - half, stop + half, t - half, t + pitch + half))
                    wanted.append((stop, beyond))
    return Wires(_placed(boxes, along_x), pitch, along_x)


def cell_array(rng: np.random.Generator, field: Field, pitch: float, along_x: bool, *, cells: float) -> Wires:
    """Parallel wires cut at even steps, every other track half a cell further, as in a memory."""
    a0, a1, t0, t1 = _turned(field, along_x)
    length = cells * pitch
    phase = rng.uniform(0, length)
    boxes = []
    for track in range(int(np.floor(t0 / pitch)) - 1, int(np.ceil(t1 / pitch)) + 2):
        half = DUTY * pitch / 2 * (1.6 if track % 8 == 0 else 1)
        start = a0 - 2 * length + phase + (track % 2) * length / 2
        for a in np.arange(start, a1 + length, length):
            joined = track % 8 == 0  # bit-line straps run through
            boxes.append((a, a + length - (0 if joined else 0.7 * pitch), track * pitch - half, track * pitch + half))
    return Wires(_placed(boxes, along_x), pitch, along_x)


def crossings(
    rng: np.random.Generator, below: Wires, above: Wires, size: float, *, elsewhere: float = 0.07
) -> np.ndarray:
    """Vias where wires of two layers cross: mostly at a wire's end, sometimes on its way, arrays on rails."""
    if below.along_x == above.along_x or not len(below.boxes) or not len(above.boxes):
        return np.empty((0, 4))
    lower, upper = below.boxes[:, None], above.boxes[None]
    x0, x1 = np.maximum(lower[..., 0], upper[..., 0]), np.minimum(lower[..., 1], upper[..., 1])
    y0, y1 = np.maximum(lower[..., 2], upper[..., 2]), np.minimum(lower[..., 3], upper[..., 3])
    meets = (x1 - x0 > 0.7 * size) & (y1 - y0 > 0.7 * size)
    near = 1.2 * max(below.pitch, above.pitch)
    ends = _near_end(lower, (x0 + x1) / 2, (y0 + y1) / 2, below.along_x, near)
    ends |= _near_end(upper, (x0 + x1) / 2, (y0 + y1) / 2, above.along_x, near)
    chosen = meets & (rng.random(meets.shape) < np.where(ends, 0.8, elsewhere))
    wide = meets & (x1 - x0 > 2.5 * size) & (y1 - y0 > 2.5 * size)
    chosen |= wide
    vias = []
    for i, j in zip(*np.nonzero(chosen), strict=True):
        # At most three by three: what overlaps further runs side by side and does not cross.
        across = int(np.clip((x1[i, j] - x0[i, j]) / (1.9 * size), 1, 3))
        down = int(np.clip((y1[i, j] - y0[i, j]) / (1.9 * size), 1, 3))
        xs = (x0[i, j] + x1[i, j]) / 2 + (np.arange(across) - (across - 1) / 2) * 1.9 * size
        ys = (y0[i, j] + y1[i, j]) / 2 + (np.arange(down) - (down - 1) / 2) * 1.9 * size
        vias += [(x - size / 2, x + size / 2, y - size / 2, y + size / 2) for x in xs for y in ys]
    return np.array(vias).reshape(-1, 4)


def fill(rng: np.random.Generator, metal: np.ndarray, field: Field, pitch: float) -> np.ndarray:
    """Dummy squares wherever there is room, on a lattice with staggered rows."""
    x0, x1, y0, y1 = field
    step, size = 2.2 * pitch, 1.2 * pitch
    y = np.arange(y0 + rng.uniform(0, step), y1, step)
    x = np.arange(x0 - step + rng.uniform(0, step), x1, step)
    xs, ys = np.meshgrid(x, y)
    xs = xs + (np.arange(len(y)) % 2)[:, None] * step / 2
    squares = np.stack([xs, xs + size, ys, ys + size], axis=-1).reshape(-1, 4)
    room = 0.6 * pitch
    touches = (
        (squares[:, None, 0] < metal[None, :, 1] + room)
        & (squares[:, None, 1] > metal[None, :, 0] - room)
        & (squares[:, None, 2] < metal[None, :, 3] + room)
        & (squares[:, None, 3] > metal[None, :, 2] - room)
    )
    return squares[~touches.any(axis=1)]


def pads(rng: np.random.Generator, field: Field, pitch: float) -> np.ndarray:
    """Large squares for the bumps, on a lattice."""
    x0, x1, y0, y1 = field
    size = max(3 * pitch, 0.14)
    x = np.arange(x0 + rng.uniform(0, size), x1, 1.8 * size)
    y = np.arange(y0 + rng.uniform(0, size), y1, 1.8 * size)
    xs, ys = (a.ravel() for a in np.meshgrid(x, y))
    return np.stack([xs, xs + size, ys, ys + size], axis=1)


def clear_of(boxes: np.ndarray, field: Field) -> np.ndarray:
    """The rectangles cut at the field's border."""
    return np.stack([np.clip(boxes[:, k], field[k // 2 * 2], field[k // 2 * 2 + 1]) for k in range(4)], axis=1)


def _empty_block(rng: np.random.Generator, frame: Field) -> Field | None:
    if rng.random() < 0.5:
        return None
    a0, a1, t0, t1 = frame
    a, t = rng.uniform(a0, a1), rng.uniform(t0, t1)
    return a - rng.uniform(0.08, 0.2), a + rng.uniform(0.08, 0.2), t - rng.uniform(0.06, 0.15), t + 0.1


def _near_end(boxes: np.ndarray, x: np.ndarray, y: np.ndarray, along_x: bool, near: float) -> np.ndarray:
    """Whether the points lie near either end of the wires, arrays that broadcast."""
    at, first = (x, 0) if along_x else (y, 2)
    return np.minimum(np.abs(at - boxes[..., first]), np.abs(at - boxes[..., first + 1])) < near


def _inside(point: tuple[float, float], box: Field) -> bool:
    return box[0] < point[0] < box[1] and box[2] < point[1] < box[3]


def _turned(field: Field, along_x: bool) -> Field:
    x0, x1, y0, y1 = field
    return (x0, x1, y0, y1) if along_x else (y0, y1, x0, x1)


def _placed(boxes: list, along_x: bool) -> np.ndarray:
    placed = np.array(boxes, float).reshape(-1, 4)
    return placed if along_x else placed[:, [2, 3, 0, 1]]
