"""A report of `quality` as tables in Markdown: mean ± standard deviation over the objects of a class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .cases import CLASSES, GEOMETRIES
from .contestants import FISTA_TV, MEAN, ONE_PASS, UNALIGNED
from .quality import Report, Row

__all__ = ["tables"]

#: what is compared with what
PAIRS = ((MEAN, FISTA_TV), (MEAN, ONE_PASS), (MEAN, MEAN + UNALIGNED))


class Measure(NamedTuple):
    key: str
    title: str
    decimals: int


MEASURES = (
    Measure("psnr", "PSNR in dB", 2),
    Measure("ssim", "SSIM", 3),
    Measure("cutoff", "Frequency that is resolved (Fourier ring correlation with the truth above ½), 1 / pixels", 3),
)

ALONG = Measure("along_z", "", 2)


def tables(report: Report) -> Iterator[str]:
    """Lines: every measure of every method, and what one method gains over another on the same scan."""
    for jitter in sorted({row.case.jitter for row in report.rows}):
        rows = [row for row in report.rows if row.case.jitter == jitter]
        displaced = f"Every projection displaced by {jitter:g} pixel (rms), unknown to the scan"
        yield from (f"## {displaced if jitter else 'Aligned'}", "")
        for measure in MEASURES:
            yield from (f"{measure.title}:", "", *_absolute(rows, measure), "")
        for measure in MEASURES[:2]:
            gains = list(_gains(rows, measure))
            if gains:
                yield from (f"Gain in {measure.title}, and in how many of the scans there is one:", "", *gains, "")
        uneven = [row for row in rows if all("along_z" in figures for figures in row.methods.values())]
        if uneven:
            title = "Variation of the slices' means along the stack, over the truth's (1 is as even as the object):"
            yield from (title, "", *_absolute(uneven, ALONG), "")


def _absolute(rows: Sequence[Row], measure: Measure) -> Iterator[str]:
    names = list(rows[0].methods)
    yield from (_line(["object", "missing", "n", *names]), _line(["---"] * (3 + len(names))))
    for kind, geometry, group in _groups(rows):
        cells = [_spread([row.methods[name][measure.key] for row in group], measure.decimals) for name in names]
        yield _line([kind, geometry, str(len(group)), *cells])


def _gains(rows: Sequence[Row], measure: Measure) -> Iterator[str]:
    pairs = [(a, b) for a, b in PAIRS if a in rows[0].methods and b in rows[0].methods]
    if not pairs:
        return
    yield _line(["object", "missing", "n", *(f"{a} over {b}" for a, b in pairs)])
    yield _line(["---"] * (3 + len(pairs)))
    for kind, geometry, group in _groups(rows):
        cells = []
        for a, b in pairs:
            more = [row.methods[a][measure.key] - row.methods[b][measure.key] for row in group]
            cells.append(f"{_spread(more, measure.decimals, '+')}, {sum(m > 0 for m in more)}/{len(more)}")
        yield _line([kind, geometry, str(len(group)), *cells])


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    for kind in CLASSES:
        of_kind = [row for row in rows if row.case.kind == kind]
        geometries = [geometry for geometry in GEOMETRIES if any(row.case.geometry == geometry for row in of_kind)]
        for geometry in geometries:
            yield kind, geometry, [row for row in of_kind if row.case.geometry == geometry]
        if len(geometries) > 1:
            yield kind, "all", of_kind


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
