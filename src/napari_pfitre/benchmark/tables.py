"""A report of `quality` as tables in Markdown: mean ± standard deviation over the objects of a class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .cases import CLASSES, GEOMETRIES
from .contestants import DATA, FISTA_TV, NETWORK, UNALIGNED
from .quality import Report, Row

__all__ = ["tables"]

OURS = (DATA, NETWORK)


class Measure(NamedTuple):
    key: str
    title: str
    decimals: int


MEASURES = (
    Measure("psnr", "PSNR in dB", 2),
    Measure("ssim", "SSIM", 3),
    Measure("cutoff", "Frequency that is resolved (Fourier ring correlation with the truth above ½), 1 / pixels", 3),
)


def tables(report: Report) -> Iterator[str]:
    """Lines. Every difference is to FISTA-TV on the same scan; "better" counts the scans where it is above 0."""
    for jitter in sorted({row.case.jitter for row in report.rows}):
        rows = [row for row in report.rows if row.case.jitter == jitter]
        displaced = f"Every projection displaced by {jitter:g} pixel (rms), unknown to the scan"
        yield from (f"## {displaced if jitter else 'Aligned'}", "")
        for measure in MEASURES:
            yield from (f"{measure.title}:", "", *_table(rows, measure), "")
        yield from _along_z(rows)


def _table(rows: Sequence[Row], measure: Measure) -> Iterator[str]:
    names = list(rows[0].methods)
    ours = [name for name in names if name.removesuffix(UNALIGNED) in OURS]
    yield _line(["object", "missing", "n", *names, *(f"{name} − {FISTA_TV}, better in" for name in ours)])
    yield _line(["---"] * (3 + len(names) + len(ours)))
    for kind, geometry, group in _groups(rows):
        cells = [_spread([row.methods[name][measure.key] for row in group], measure.decimals) for name in names]
        for name in ours:
            more = [row.methods[name][measure.key] - row.methods[FISTA_TV][measure.key] for row in group]
            cells.append(f"{_spread(more, measure.decimals, '+')}, {sum(m > 0 for m in more)}/{len(more)}")
        yield _line([kind, geometry, str(len(group)), *cells])


def _along_z(rows: Sequence[Row]) -> Iterator[str]:
    names = list(rows[0].methods)
    yield from ("Variation of the slices' means along the stack, over the truth's (1 is as even as the object):", "")
    yield from (_line(["object", "missing", "n", *names]), _line(["---"] * (3 + len(names))))
    for kind, geometry, group in _groups(rows):
        known = [row for row in group if "along_z" in row.methods[names[0]]]
        if known:
            cells = [_spread([row.methods[name]["along_z"] for row in known], 2) for name in names]
            yield _line([kind, geometry, str(len(known)), *cells])
    yield ""


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    for kind in CLASSES:
        for geometry in GEOMETRIES:
            group = [row for row in rows if (row.case.kind, row.case.geometry) == (kind, geometry)]
            if group:
                yield kind, geometry, group


def _spread(values: Sequence[float], decimals: int, sign: str = "") -> str:
    """Mean ± standard deviation of a sample; of one value, that value."""
    mean = math.fsum(values) / len(values)
    text = f"{mean:{sign}.{decimals}f}"
    if len(values) == 1:
        return text
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{text} ± {deviation:.{decimals}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
