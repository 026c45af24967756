"""A run of the Reconstruct widget as a Python script and as a command line, from the history of its scan."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import OptionError
from ..options import as_dict, describe
from ..recipes import Recipe
from ..results import Provenance
from ..scans import CdiScan, Step, TomoScan

__all__ = ["as_command", "as_python", "preparation"]


class Lineage(NamedTuple):
    """From the file to the scan as it stands."""

    path: str
    hints: Mapping[str, Any]  #: of read_scan
    rows: str | None  #: cropped while loading
    bin: int  #: binned while loading
    prepared: Mapping[str, Any] | None  #: options of prepare that differ from the defaults


def lineage(scan: TomoScan | CdiScan) -> Lineage:
    """How to make a scan again from its file.

    Raises
    ------
    OptionError
        When it did not come from a file, or by a way that the three widgets do not go.
    """
    if scan.source is None or not scan.source.path.exists():
        raise OptionError(
            f"{scan.name} was not read from a file; save it first (File ▸ Save Selected Layers) and open that"
        )
    hints: Mapping[str, Any] = {}
    rows, by, prepared = None, 1, None
    for step in scan.history:
        if step.name == "read_scan":
            hints = step.parameters
        elif step.name == "load":
            rows, by = step.parameters.get("rows"), step.parameters.get("bin", 1)
        elif step.name == "paint_mask":
            raise OptionError(
                f"{scan.name} has a mask that was painted by hand, which no code makes again; save it and pass mask="
            )
        elif step.name == "prepare":
            if prepared is not None:
                raise OptionError(
                    f"{scan.name} was prepared twice; prepare it once from the loaded scan to copy it as code"
                )
            prepared = changed(step.parameters)
    return Lineage(str(scan.source.path), hints, rows, by, prepared)


def changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The preparation's options that differ from their defaults."""
    from ..preprocess import CdiPrepareOptions, PrepareOptions

    defaults = as_dict(CdiPrepareOptions() if "hot_pixels" in values else PrepareOptions())
    return {name: value for name, value in values.items() if value != defaults.get(name, value)}


def preparation(made: TomoScan | CdiScan | Provenance) -> dict[str, Any]:
    """How a scan, or the data of a volume, were prepared, as far as it differs from the defaults."""
    for step in made.history:
        name, parameters = (
            (step.name, step.parameters) if isinstance(step, Step) else (step["name"], step["parameters"])
        )
        if name == "prepare":
            return changed(parameters)
    return {}


def options_set(options: Any) -> dict[str, Any]:
    """The options that differ from their defaults."""
    return {o.name: as_dict(options)[o.name] for o in describe(type(options)) if getattr(options, o.name) != o.default}


def as_python(scan: TomoScan | CdiScan, recipe: Recipe, options: Any, device: str) -> str:
    """A script that runs as it stands."""
    made = lineage(scan)
    steps, names = [], []
    if made.rows is not None:
        steps.append(f"scan = crop(scan, rows={made.rows!r})")
        names.append("crop")
    if made.bin > 1:
        steps.append(f"scan = bin(scan, {made.bin})")
        names.append("bin")
    function, options_type = (
        ("prepare_pattern", "CdiPrepareOptions") if isinstance(scan, CdiScan) else ("prepare", "PrepareOptions")
    )
    names.append(function)
    if made.prepared:
        steps.append(f"scan = {function}(scan, {options_type}({_arguments(made.prepared)}))")
        names.append(options_type)
    else:
        steps.append(f"scan = {function}(scan)")
    imports = ["import napari_pfitre as pfitre"]
    imports.append(f"from napari_pfitre.preprocess import {', '.join(sorted(names))}")
    hints = _arguments(made.hints)
    target = f"{scan.source.path.stem}-{recipe.name}.h5"
    return "\n".join([
        *imports,
        "",
        f"scan = pfitre.read_scan({made.path!r}{', ' + hints if hints else ''})",
        *steps,
        f"recipe = pfitre.RECIPES[{recipe.name!r}]",
        f"options = recipe.options_type({_arguments(options_set(options))})",
        f"volume = pfitre.finish(recipe.run(scan, options, device={device!r}))",
        f"pfitre.write_volume(volume, {target!r})",
        "",
    ])  # fmt: skip


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def as_command(scan: TomoScan | CdiScan, recipe: Recipe, options: Any, device: str) -> str:
    """One line for a shell."""
    made = lineage(scan)
    steps = dict(made.prepared or {})
    for name, value, plain in (("rows", made.rows, None), ("bin", made.bin, 1)):
        if value == plain:
            continue
        if name == "bin" or name in steps:
            raise OptionError(
                f"{scan.name} had its {name} chosen while loading, which the command line would do at another place; "
                "copy it as Python, or choose it in Prepare"
            )
        steps[name] = value
    words = ["napari-pfitre", "run", recipe.name, made.path, "-o", f"{scan.source.path.stem}-{recipe.name}.h5"]
    if device != "auto":
        words += ["--device", device]
    # the axis named in preparing is a column of the file, as the hint to the reader is, and comes after it
    for values in (options_set(options), {**made.hints, **steps}):
        for name, value in values.items():
            words += _flag(name, value)
    return shlex.join(words)


def _flag(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [
        f"--{flag}={value}" if str(value).startswith("-") else f"--{flag}",
        *([] if str(value).startswith("-") else [str(value)]),
    ]
