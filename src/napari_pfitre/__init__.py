"""Limited-angle X-ray tomography, in napari and without it.

>>> import napari_pfitre as pfitre
>>> scan = pfitre.read_scan("scan.h5")                                       # doctest: +SKIP
>>> volume = pfitre.finish(pfitre.RECIPES["fista-tv"].run(scan))             # doctest: +SKIP
>>> pfitre.write_volume(volume, "volume.h5")                                 # doctest: +SKIP

Importing this package loads neither torch nor napari nor Qt: each name below is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "RECIPES": "recipes",
    "PfitreError": "errors",
    "Progress": "results",
    "Provenance": "results",
    "TomoScan": "scans",
    "Volume": "results",
    "finish": "results",
    "read_scan": "io",
    "read_volume": "io",
    "write_scan": "io",
    "write_volume": "io",
}
__all__ = [
    "RECIPES",
    "PfitreError",
    "Progress",
    "Provenance",
    "TomoScan",
    "Volume",
    "__version__",
    "finish",
    "read_scan",
    "read_volume",
    "write_scan",
    "write_volume",
]

if TYPE_CHECKING:
    from .errors import PfitreError
    from .io import read_scan, read_volume, write_scan, write_volume
    from .recipes import RECIPES
    from .results import Progress, Provenance, Volume, finish
    from .scans import TomoScan


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
