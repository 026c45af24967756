"""What comes out, how it came to be, and how it arrives.

A recipe is a generator, a `Run`: it yields `Progress` and returns a `Volume`. The command line draws a bar from it,
a notebook loops over it, a test calls `finish`, napari turns it into a live layer. To stop a run early send it True:
it returns the best volume so far, marked partial.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

__all__ = ["Preview", "Progress", "Provenance", "Run", "Volume", "finish"]


class Preview(NamedTuple):
    """Some slices of the volume as they stand now."""

    start: int  #: index of the first slice
    data: np.ndarray  #: (z, y, x), float32; never written again by the run


class Progress(NamedTuple):
    """How far a run has come."""

    step: int  #: steps done
    total: int  #: steps expected; a stopping rule may end the run earlier
    text: str = ""  #: what is going on, a few words
    objective: float | None = None  #: value of what is being minimised
    residual: float | None = None  #: ‖A x − y‖ / ‖y‖
    preview: Preview | None = None


@dataclass(frozen=True)
class Provenance:
    """Everything needed to make a volume again. All values are JSON values."""

    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)  #: path, dataset, format, bytes, modified (ISO 8601)
    shape: tuple[int, ...] = ()  #: (angles, rows, columns) of the data as reconstructed
    angles_deg: tuple[float, ...] = ()
    centre: float | None = None
    pixel_size: tuple[float, float] | None = None
    energy_kev: float | None = None
    history: tuple[str | Mapping[str, Any], ...] = ()  #: steps from the file to the data as reconstructed
    notices: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    seed: int | None = None
    started: str = ""  #: ISO 8601 with time zone
    seconds: float = 0.0
    partial: bool = False  #: the run was stopped before it was done
    figures: Mapping[str, float] = field(default_factory=dict)  #: objective, residual, iterations, … at the end
    compared: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  #: other methods' on the same data

    def told(self, between: str = ", ") -> list[str]:
        """The figures in lines: the run's own (perhaps none), then those of each method it was compared with."""

        def line(figures: Mapping[str, float]) -> str:
            return between.join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())

        return [line(self.figures), *(f"{method}: {line(figures)}" for method, figures in self.compared.items())]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=True)

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read back; fields of later versions are left out rather than refused."""
        names = {f.name for f in dataclasses.fields(cls)}
        values = {k: _frozen(v) for k, v in json.loads(text).items() if k in names}
        return cls(**values)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, eq=False)
class Volume:
    """A reconstruction."""

    data: np.ndarray  #: (z, y, x), float32
    voxel_size: tuple[float, float, float] | None = None  #: (z, y, x), metres
    provenance: Provenance | None = None
    name: str = "volume"
    unit: str = "1/pixel"  #: of the values
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)  #: companions of the same shape, by name
    residual: np.ndarray | None = None  #: what of the data is not explained, y − A x, in the shape and unit of the data

    @property
    def partial(self) -> bool:
        return self.provenance is not None and self.provenance.partial


Run = Generator[Progress, bool | None, Volume]
T = TypeVar("T")


def finish(
    run: Generator[Progress, bool | None, T],
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> T:
    """Run to the end, or until `should_stop` says so, and give the volume (or what else such a generator returns)."""
    try:
        progress = next(run)
        while True:
            if on_progress is not None:
                on_progress(progress)
            progress = run.send(should_stop is not None and should_stop())
    except StopIteration as end:
        return end.value
