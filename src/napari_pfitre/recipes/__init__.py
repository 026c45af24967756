"""The methods: each a frozen options dataclass and one generator, scan → Volume.

`RECIPES` is the table that the widget, the command line and the documentation read. Adding a method is one file here
and one row there. Recipes import their solvers inside the run, so that a form or ``--help`` need not wait for torch;
gridrec is a row only where TomoPy is installed, PFITRE and CDI-NN only where the package brings weights; without, they
can still be imported from here and run with weights of one's own.
"""

from __future__ import annotations

import importlib.util

from .cdinn import CDI_NN
from .cdinn import WEIGHTS as CDI_WEIGHTS
from .fbp import FBP
from .fista_tv import FISTA_TV
from .gridrec import GRIDREC
from .pfitre import PFITRE, WEIGHTS
from .phase_retrieval import PHASE_RETRIEVAL
from .recipe import Recipe

__all__ = ["CDI_NN", "GRIDREC", "PFITRE", "RECIPES", "Recipe"]


def _installed() -> tuple[Recipe, ...]:
    found: list[Recipe] = [FBP, FISTA_TV]
    if WEIGHTS.exists():
        found.append(PFITRE)
    if importlib.util.find_spec("tomopy") is not None:
        found.append(GRIDREC)
    if CDI_WEIGHTS.exists():
        found.append(CDI_NN)
    found.append(PHASE_RETRIEVAL)
    return tuple(found)


RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _installed()}
