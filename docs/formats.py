"""Write the tables of docs/formats.md from the tables of formats in the code:  python docs/formats.py

Between ``<!-- table: NAME -->`` and ``<!-- end -->`` everything is replaced. A test fails when that was forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_pfitre.io.places import PLACES
from napari_pfitre.io.reading import FORMATS
from napari_pfitre.io.scan_files import SCAN_FORMATS
from napari_pfitre.io.volumes import VOLUME_FORMATS

PAGE = Path(__file__).with_name("formats.md")


def _rows(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def tables() -> dict[str, str]:
    """Every table of the page, by its name."""
    heading = ("format", "who writes it", "what is read", "tested on")
    hdf5 = [(row.name, row.writer, row.content or row.advice, row.tested) for row in FORMATS]
    others = [(row.name, row.writer, row.content, row.tested) for row in PLACES]
    scans, volumes = (
        [
            (f"`{row.layout}`", row.title, " ".join(f"`{s}`" for s in row.suffixes if s) or "a folder", row.opened_by)
            for row in table
        ]
        for table in (SCAN_FORMATS, VOLUME_FORMATS)
    )
    written = ("layout", "format", "suffix", "opened by")
    return {
        "hdf5": _rows(heading, hdf5),
        "others": _rows(heading, others),
        "volumes": _rows(written, volumes),
        "scans": _rows(written, scans),
    }


def rewritten(text: str) -> str:
    """The page with its tables as they should be."""
    known = tables()
    text = re.sub(
        r"(<!-- table: (\S+) -->)\n.*?<!-- end -->",
        lambda match: "\n".join([match[1], known.pop(match[2]), "<!-- end -->"]),
        text,
        flags=re.DOTALL,
    )
    if known:
        raise LookupError(f"{PAGE.name} has no place for {', '.join(known)}")
    return text


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
