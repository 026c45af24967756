"""SPEC files: the log of a beamline's scans, as certif's SPEC writes it.

``#S n command`` opens a scan, ``#O`` lines name the motors and ``#P`` lines hold where they stood when it began,
``#L`` names the columns of the points that follow. APS adds ``#UIM…`` lines about its area detector.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import FormatError

__all__ = ["SpecScan", "is_spec", "read_spec", "rocking"]


@dataclass
class SpecScan:
    """One scan of the log."""

    number: int
    command: str
    motors: dict[str, float] = field(default_factory=dict)  #: positions at its start, in the file's units
    headers: dict[str, str] = field(default_factory=dict)  #: further lines, ``UIMR5`` → what follows
    columns: tuple[str, ...] = ()
    points: list[tuple[float, ...]] = field(default_factory=list)

    def column(self, name: str) -> list[float]:
        """The values of a column, in order; empty when there is none of this name."""
        at = {label.lower(): i for i, label in enumerate(self.columns)}.get(name.lower())
        return [] if at is None else [point[at] for point in self.points if at < len(point)]


def is_spec(path: Path) -> bool:
    """Whether a text file begins as SPEC's do."""
    try:
        with open(path, "rb") as file:
            head = file.read(2048)
    except OSError:
        return False
    return head.startswith((b"#F ", b"#S ")) and (b"\n#S " in head or b"\n#O0 " in head or b"\n#E " in head)


def read_spec(path: Path, number: int) -> SpecScan | None:
    """The scan of this number, the last where a number was given twice; None when there is none.

    Raises
    ------
    FormatError
        When the file cannot be read as text.
    """
    names: list[str] = []
    found: SpecScan | None = None
    inside = False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("#S "):
                    head = line.split(maxsplit=2)
                    inside = len(head) > 1 and head[1] == str(number)
                    if inside:
                        found = SpecScan(number, head[2].strip() if len(head) > 2 else "")
                        placed = 0
                elif re.match(r"#O\d+ ", line):
                    # a later header may rename the motors
                    names = ([] if line.startswith("#O0 ") else names) + _labels(line.split(" ", 1)[1])
                elif inside and found is not None:
                    placed = _take(found, line, names, placed)
    except OSError as error:
        raise FormatError(f"{path.name} cannot be read ({error.strerror}); name another SPEC file with spec=") from None
    return found


def _take(scan: SpecScan, line: str, names: list[str], placed: int) -> int:
    if re.match(r"#P\d+ ", line):
        values = line.split()[1:]
        for name, value in zip(names[placed:], values, strict=False):
            scan.motors[name] = _number(value)
        return placed + len(values)
    if line.startswith("#L "):
        scan.columns = tuple(_labels(line[3:]))
    elif line.startswith("#") and " " in line:
        key, value = line[1:].rstrip("\n").split(" ", 1)
        scan.headers.setdefault(key, value.strip())
    elif line[:1].isdigit() or line[:1] in "-+.":
        scan.points.append(tuple(_number(value) for value in line.split()))
    return placed


def _labels(text: str) -> list[str]:
    """Names are separated by two spaces, for they may hold one."""
    return [name.strip() for name in re.split(r"\s{2,}", text.strip()) if name.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def rocking(command: str) -> tuple[str, float, float, int] | None:
    """(motor, first, last, intervals) of a scan of one motor; None for any other command.

    `first` and `last` are positions for ``ascan`` and distances from the motor's position for ``dscan`` and ``lup``.
    """
    words = command.split()
    if len(words) < 5 or words[0] not in ("ascan", "dscan", "lup"):
        return None
    try:
        return words[1], float(words[2]), float(words[3]), int(float(words[4]))
    except ValueError:
        return None
