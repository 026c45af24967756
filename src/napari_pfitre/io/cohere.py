"""cohere's folders: an experiment with its configuration in ``conf/``, and what its steps leave behind.

``preprocessed_data/prep_data.tif`` is intensity after the detector's corrections, ``phasing_data/data.tif`` amplitude
(thresholded, square root taken, cut and centred). cohere counts axes x, y, frame and writes them reversed, so that in
the file they are (frame, row, column). ``conf/config…`` are lines ``key = value`` as Python writes values, with // or #
for comments and (…) for lists.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, QuestionError
from ..scans import BraggGeometry, CdiScan
from . import aps34idc
from .hints import ReadHints
from .masks import hinted_mask
from .patterns import Pattern, assemble_pattern
from .spec import is_spec, read_spec
from .tiff_frames import TiffFrames

__all__ = ["NAME", "configuration", "detect", "read"]

NAME = "a cohere experiment"
_STAGES = {"prep_data.tif": "preprocessed_data", "data.tif": "phasing_data"}


def detect(path: Path) -> bool:
    """An experiment folder, or one of the files that its steps write."""
    if path.is_dir():
        return _conf(path) is not None or any(_stage(path, name) for name in _STAGES)
    return path.name in _STAGES and path.parent.name == _STAGES[path.name]


def _conf(path: Path) -> Path | None:
    """The folder of configuration files in an experiment's folder, or the folder itself."""
    for folder in (path / "conf", path):
        if folder.name == "conf" and (folder / "config").is_file():
            return folder
    return None


def _stage(path: Path, name: str) -> Path | None:
    file = path / _STAGES[name] / name
    return file if file.is_file() else None


def configuration(folder: Path) -> dict[str, Any]:
    """All settings of an experiment: the files ``config``, ``config_prep``, ``config_data``, ``config_instr``."""
    values: dict[str, Any] = {}
    for name in ("config", "config_prep", "config_data", "config_instr"):
        file = folder / name
        if not file.is_file():
            continue
        for line in file.read_text("utf-8", "replace").splitlines():
            line = re.split(r"(?<!:)//|#", line)[0].strip()
            key, equals, text = line.partition("=")
            if equals:
                values[key.strip()] = _value(text.strip())
    return values


def _value(text: str) -> Any:
    if text.startswith("(") and text.endswith(")"):
        text = f"[{text[1:-1]}]"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text.strip("\"'")


def read(path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """What an experiment has: its prepared intensity, else its amplitude, else its raw frames.

    Raises
    ------
    FormatError
        When none of them is there; the sentence names where they were looked for.
    QuestionError
        When the experiment has several scans.
    """
    experiment = path if path.is_dir() else path.parent.parent
    experiment = experiment.parent if experiment.name == "conf" else experiment
    conf = _conf(experiment)
    settings = configuration(conf) if conf is not None else {}
    if path.is_file():
        return _array(path, experiment, settings, hints, notices)
    for folder in (experiment, *_scan_folders(experiment, hints)):
        for name in _STAGES:
            if (file := _stage(folder, name)) is not None:
                return _array(file, experiment, settings, hints, notices)
    return _raw(experiment, settings, hints, notices)


def _scan_folders(experiment: Path, hints: ReadHints) -> list[Path]:
    """``scan_0054`` and its like, when the scans of an experiment were kept apart."""
    found = sorted(p for p in experiment.glob("scan_*") if p.is_dir() and any(_stage(p, name) for name in _STAGES))
    if hints.entry is not None:
        return [p for p in found if p.name == hints.entry.strip("/")]
    if len(found) > 1:
        raise QuestionError(
            f"{experiment.name} holds {len(found)} scans; pass entry= as one of {', '.join(p.name for p in found[:6])}",
            hint="entry",
            choices=tuple(p.name for p in found),
        )
    return found


def _array(file: Path, experiment: Path, settings: Mapping[str, Any], hints: ReadHints, notices: list[str]) -> CdiScan:
    frames = TiffFrames(file)
    pattern = Pattern(NAME, file, "", frames, notices=notices, name=experiment.name)
    pattern.values = "amplitude" if file.name == "data.tif" else "intensity"
    pattern.peak = "detector" if file.name == "prep_data.tif" else None
    pattern.mask = hinted_mask(hints, file, frames.shape) if hints.mask else None
    pattern.metadata = {"cohere": {k: v for k, v in settings.items() if isinstance(v, int | float | str | list)}}
    _add_geometry(pattern, experiment, settings, notices)
    return assemble_pattern(pattern, hints)


def _add_geometry(pattern: Pattern, experiment: Path, settings: Mapping[str, Any], notices: list[str]) -> None:
    spec_file = _resolved(settings.get("specfile"), experiment)
    number = re.match(r"\d+", str(settings.get("scan", "")))
    if spec_file is None or number is None or settings.get("diffractometer") != "34idc" or not is_spec(spec_file):
        why = f"{settings['specfile']} is not there" if settings.get("specfile") else "no SPEC file is named in conf/"
        notices.append(f"{why}: angles, energy and voxel size are unknown")
        return
    scan = read_spec(spec_file, int(number[0]))
    if scan is None:
        notices.append(f"{spec_file.name} has no scan {number[0]}: angles, energy and voxel size are unknown")
        return
    aps34idc.add_geometry(pattern, scan, pattern.stored.shape[0])
    by = settings.get("binning")
    if isinstance(by, list) and len(by) >= 2 and pattern.path.name == "data.tif" and pattern.geometry is not None:
        # cohere lists x, y, frame
        blocks = np.array([*([1] if len(by) < 3 else [by[2]]), by[1], by[0]], dtype=float)
        pattern.geometry = BraggGeometry(np.asarray(pattern.geometry.steps) * blocks[:, None], pattern.geometry.q)


def _raw(experiment: Path, settings: Mapping[str, Any], hints: ReadHints, notices: list[str]) -> CdiScan:
    if settings.get("beamline", "aps_34idc") != "aps_34idc":
        raise FormatError(
            f"{experiment.name} is a cohere experiment of {settings['beamline']} without prepared data "
            "(preprocessed_data/prep_data.tif); open the beamline's own file"
        )
    number = re.match(r"\d+", str(settings.get("scan", "")))
    data = _resolved(settings.get("data_dir"), experiment)
    if data is None or number is None:
        named = settings.get("data_dir", "a data_dir")
        raise FormatError(
            f"{experiment.name} holds settings of cohere and no data: neither preprocessed_data/prep_data.tif nor "
            f"{named} is there; open the folder with the raw frames"
        )
    folders = [p for p in sorted(data.iterdir()) if re.search(rf"_S0*{number[0]}$", p.name) and aps34idc.detect(p)]
    if not folders:
        raise FormatError(f"{data} has no folder for scan {number[0]}; open the folder with the raw frames")
    if re.search(r"\d\D+\d", str(settings["scan"])):
        notices.append(f"the experiment has the scans {settings['scan']}; only scan {number[0]} was read")
    found = {
        "flats": _resolved(settings.get("whitefield_filename"), experiment),
        "darks": _resolved(settings.get("darkfield_filename"), experiment),
        "spec": _resolved(settings.get("specfile"), experiment),
    }
    answers: dict[str, Any] = {f: getattr(hints, f) or (None if p is None else str(p)) for f, p in found.items()}
    return aps34idc.read(folders[0], dataclasses.replace(hints, **answers), notices)


def _resolved(name: Any, experiment: Path) -> Path | None:
    """A path from the settings, here: as it stands, or its last parts below a folder that the experiment lies in.

    Experiments are copied from where they were made, and the absolute paths in them stay behind.
    """
    if not isinstance(name, str) or not name:
        return None
    path = Path(name).expanduser()
    if path.is_absolute() and path.exists():
        return path
    parts = [part for part in path.parts if part not in ("/", "..", ".")]
    for folder in list(experiment.absolute().parents)[:4]:
        for start in range(len(parts)):
            if (folder / Path(*parts[start:])).exists():
                return folder / Path(*parts[start:])
    return None
