"""The methods: each a frozen options dataclass and one generator, scan → Volume.

`RECIPES` is the table that the widget, the command line and the documentation read. Adding a method is one file here
and one row there. Recipes import their solvers inside the run, so that a form or ``--help`` need not wait for torch.
"""

from __future__ import annotations

from .fbp import FBP
from .fista_tv import FISTA_TV
from .recipe import Recipe

__all__ = ["RECIPES", "Recipe"]

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (FBP, FISTA_TV)}
