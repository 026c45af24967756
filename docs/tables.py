"""Write the tables of options in docs/command-line.md from the options dataclasses:  python docs/tables.py

Between ``<!-- options: NAME -->`` and ``<!-- end -->`` everything is replaced. A test fails when that was forgotten.
The tables are the same with and without TomoPy: gridrec has its own, the text names TomoPy's ring removal.
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_pfitre.cli.benchmark import sections as benchmark_sections
from napari_pfitre.cli.flags import Section, option_rows
from napari_pfitre.cli.run import sections
from napari_pfitre.cli.simulate import sections as simulate_sections
from napari_pfitre.cli.train import cdi_sections, pfitre_sections
from napari_pfitre.recipes import CDI_NN, GRIDREC, PFITRE, RECIPES
from napari_pfitre.scans import CdiScan, TomoScan

_PREPARATIONS = {TomoScan: "prepare", CdiScan: "prepare-pattern"}
PAGE = Path(__file__).with_name("command-line.md")


def named_sections() -> dict[str, Section]:
    """Every section of flags, by the name it has in the page."""
    found = {
        "simulate": simulate_sections()[0],
        "train": pfitre_sections()[0],
        "train-cdi-nn": cdi_sections()[0],
        "quality": benchmark_sections()[0],
    }
    for name, recipe in (RECIPES | {recipe.name: recipe for recipe in (GRIDREC, PFITRE, CDI_NN)}).items():
        method, preparation, reading = sections(recipe)
        found |= {name: method, _PREPARATIONS[recipe.scan_type]: preparation, "read": reading}
    return found


def rewritten(text: str) -> str:
    """The page with its tables as they should be."""
    known = named_sections()

    def table(match: re.Match) -> str:
        rows = (re.sub(r"\\\|tomopy-\w+", "", row) for row in option_rows(known.pop(match[2])))
        return "\n".join([match[1], *rows, "<!-- end -->"])

    text = re.sub(r"(<!-- options: (\S+) -->)\n.*?<!-- end -->", table, text, flags=re.DOTALL)
    if known:
        raise LookupError(f"{PAGE.name} has no place for the options of {', '.join(known)}")
    return text


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
