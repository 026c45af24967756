"""What a written volume remembers of its making, as the options that would make it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import OptionError
from ..options import from_dict
from ..results import Provenance
from .command import note

if TYPE_CHECKING:
    from ..recipes import Recipe

__all__ = ["NOTHING", "Recalled", "recalled", "remembered"]


class Recalled(NamedTuple):
    """The options of an earlier run; None where there are none to take over."""

    file: Path | None = None
    options: Any = None
    preparation: Any = None
    hints: Any = None


NOTHING = Recalled()


def remembered(path: Path) -> Provenance:
    """The history in a volume's file.

    Raises
    ------
    OptionError
        When there is none.
    """
    from ..io import open_volume

    provenance = open_volume(path).provenance
    if provenance is None:
        raise OptionError(
            f"{path.name} does not say how it was made; give the method and its options instead of --like"
        )
    return provenance


def recalled(path: Path, recipe: Recipe) -> Recalled:
    """Everything to repeat a run; of another method's run, all but the method's own options."""
    from ..io import ReadHints
    from ..preprocess import PrepareOptions, options_for

    provenance = remembered(path)
    options = None
    if provenance.recipe == recipe.name:
        options = from_dict(recipe.options_type, dict(provenance.options))
    else:
        note(f"Note: {path.name} was made by {provenance.recipe}; {recipe.name} takes its data and preparation only.")
    source = provenance.source.get("path")
    return Recalled(
        None if source is None else Path(source),
        options,
        from_dict(
            options_for(recipe.scan_type), _preparation(provenance, options_for(recipe.scan_type) is PrepareOptions)
        ),
        from_dict(ReadHints, _step(provenance, "read_scan")),
    )


def _preparation(provenance: Provenance, tomography: bool) -> dict[str, Any]:
    """The options of preparing, with what napari's Load widget cut out before."""
    options, loaded = _step(provenance, "prepare"), _step(provenance, "load")
    if not tomography:
        return options
    if options.get("rows") is None:
        options["rows"] = loaded.get("rows")
    by = loaded.get("bin", 1)
    if by != 1:
        options["bin"] = by * options.get("bin", 1)
        note(
            f"Note: the data were binned by {by} while loading; here it is done after the flat field, nearly the same."
        )
    return options


def _step(provenance: Provenance, name: str) -> dict[str, Any]:
    """The parameters of a step of the history, empty when it was not taken."""
    for step in provenance.history:
        if not isinstance(step, str) and step.get("name") == name:
            return dict(step.get("parameters", {}))
    return {}
