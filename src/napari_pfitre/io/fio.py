"""FIO files: the log of one scan as PETRA III writes it, beside the detector's files or in the folder above.

``%c`` opens comments (the command is their first line), ``%p`` parameters, ``name = value`` in degrees and mm, ``%d``
the table: ``Col n name TYPE`` for each column, then a row for each point. Lines with ``!`` say nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

__all__ = ["FioScan", "fio_near", "read_fio"]

_COLUMN = re.compile(r"\s*Col\s+\d+\s+(\S+)\s+\S+")


@dataclass
class FioScan:
    """What the log says."""

    path: Path
    command: str = ""
    motors: dict[str, float] = field(default_factory=dict)  #: positions, in the file's units
    columns: dict[str, np.ndarray] = field(default_factory=dict)  #: name → a value for each point

    @property
    def points(self) -> int:
        return max((len(values) for values in self.columns.values()), default=0)


def fio_near(master: Path) -> Path | None:
    """The log of a detector's file: ``sample_00012.fio`` for ``sample_00012/e4m/sample_00012_master.h5``."""
    name = re.sub(r"_(master|data_\d+)$", "", master.stem) + ".fio"
    folder = master.absolute().parent
    return next(
        (place / name for place in (folder, folder.parent, folder.parent.parent) if (place / name).is_file()), None
    )


def read_fio(path: Path) -> FioScan:
    """The log; rows that are no numbers end the table, as they do where a scan was aborted."""
    scan = FioScan(path)
    section, names, rows = "", [], []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            said = line.strip()
            if not said or said.startswith("!"):
                continue
            if said in ("%c", "%p", "%d"):
                section = said
            elif section == "%c":
                scan.command = scan.command or said
            elif section == "%p":
                name, _, value = said.partition("=")
                if (number := _number(value)) is not None:
                    scan.motors[name.strip()] = number
            elif section == "%d" and (match := _COLUMN.fullmatch(line.rstrip())):
                names.append(match[1])
            elif section == "%d":
                values = [_number(word) for word in said.split()]
                if len(values) != len(names) or None in values:
                    break
                rows.append(values)
    table = np.array(rows, dtype=float).reshape(len(rows), len(names))
    scan.columns = {name: table[:, at] for at, name in enumerate(names)}
    return scan


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
