"""The digital twin: objects known exactly, and scans of them with everything that goes wrong at a beamline.

Objects are described in fractions of the field of view and drawn on any grid (`circuit`, `phantoms`); scans
are simulated on a finer grid and by another projector than reconstructions use (`project`), then spoilt
(`imperfections`). `scenes` makes small ones of them without end, to learn from.
"""

from __future__ import annotations

from .circuits import PROCESSES, circuit
from .crystals import Crystal, Crystals
from .grid import Grid, Phantom
from .settings import SimulateOptions
from .simulation import Simulation, simulate, simulating
from .strip import project

__all__ = [
    "PROCESSES",
    "Crystal",
    "Crystals",
    "Grid",
    "Phantom",
    "SimulateOptions",
    "Simulation",
    "circuit",
    "project",
    "simulate",
    "simulating",
]
