"""The methods: each a frozen options dataclass and one generator, scan → Volume.

`RECIPES` is the table that the widget, the command line and the documentation read. Adding a method is one file here
and one row there. Recipes import their solvers inside the run, so that a form or ``--help`` need not wait for torch;
gridrec is a row only where TomoPy is installed.
"""

from __future__ import annotations

import importlib.util

from .fbp import FBP
from .fista_tv import FISTA_TV
from .gridrec import GRIDREC
from .recipe import Recipe

__all__ = ["GRIDREC", "RECIPES", "Recipe"]


def _installed() -> tuple[Recipe, ...]:
    own = (FBP, FISTA_TV)
    return own if importlib.util.find_spec("tomopy") is None else (*own, GRIDREC)


RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _installed()}
