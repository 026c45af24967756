"""What the user said of a file when it was opened, for the next time: a small JSON file among napari's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["kept_hints", "remember"]

_MOST = 500  #: files


def _file() -> Path | None:
    """None where napari was told to keep nothing on disk."""
    if os.environ.get("NAPARI_CONFIG") == "":
        return None
    from napari.settings import get_settings

    config = getattr(get_settings(), "config_path", None)
    return None if config is None else Path(config).with_name("napari-pfitre-hints.json")


def _read(file: Path | None) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def kept_hints(path: Path, file: Path | None = None) -> dict[str, Any]:
    """The hints that a file was opened with; none when there were none, or when they are no hints of this version."""
    from ..errors import OptionError
    from ..io import ReadHints

    hints = _read(file or _file()).get(str(path.absolute()), {})
    try:
        ReadHints.of(hints)
    except (OptionError, TypeError):
        return {}
    return hints


def remember(path: Path, hints: dict[str, Any], file: Path | None = None) -> None:
    """Keep the hints of a file; without any it is forgotten. Nothing happens where nothing can be kept."""
    file = file or _file()
    if file is None:
        return
    known = _read(file)
    before = dict(known)
    known.pop(str(path.absolute()), None)
    if hints:
        known[str(path.absolute())] = hints
    if known == before:
        return
    kept = dict(list(known.items())[-_MOST:])
    temporary = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(temporary, file)
    except OSError:
        return
