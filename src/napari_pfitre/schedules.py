"""Which projection algorithm runs when, written as people write it: ``20 TWIN + 10×(90 HIO + 10 ER) + 20 ER``.

    schedule = part + part + …        part = count NAME  |  count × ( schedule )

× may be typed as x or *, and + as a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .errors import OptionError

__all__ = ["MOST", "NAMES", "parse_schedule"]

NAMES = ("ER", "HIO", "RAAR", "EVEN", "TWIN")
MOST = 1_000_000  #: steps; more is a slip of the pen

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z]+)|([×*+,()]))")


def parse_schedule(text: str) -> tuple[str, ...]:
    """The name of every step in turn.

    Raises
    ------
    OptionError
        Where the text is no schedule.
    """
    tokens = list(_tokens(text))
    steps, at = _sum(text, tokens, 0)
    if at != len(tokens):
        raise _wrong(text, f"{tokens[at]!r} is one too many")
    if not steps:
        raise _wrong(text, "it has no steps")
    return tuple(steps)


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text, f"{text[at:].strip()[0]!r} has no meaning here")
        at = found.end()
        word = found.group(found.lastindex or 0).upper()
        yield {"X": "×", "*": "×", ",": "+"}.get(word, word)


def _sum(text: str, tokens: list[str], at: int) -> tuple[list[str], int]:
    steps: list[str] = []
    while True:
        part, at = _part(text, tokens, at)
        steps += part
        if len(steps) > MOST:
            raise _wrong(text, f"it has over {MOST} steps")
        if at >= len(tokens) or tokens[at] != "+":
            return steps, at
        at += 1


def _part(text: str, tokens: list[str], at: int) -> tuple[list[str], int]:
    if at >= len(tokens) or not tokens[at].isdigit():
        raise _wrong(text, "a number is missing " + ("at the end" if at >= len(tokens) else f"before {tokens[at]!r}"))
    count, at = int(tokens[at]), at + 1
    if count > MOST:
        raise _wrong(text, f"it has over {MOST} steps")
    if at < len(tokens) and tokens[at] in NAMES:
        return [tokens[at]] * count, at + 1
    if tokens[at : at + 2] != ["×", "("]:
        raise _wrong(text, f"{count} is followed by neither a name ({', '.join(NAMES)}) nor ×(…)")
    inner, at = _sum(text, tokens, at + 2)
    if at >= len(tokens) or tokens[at] != ")":
        raise _wrong(text, "a bracket is not closed")
    if count * len(inner) > MOST:
        raise _wrong(text, f"it has over {MOST} steps")
    return inner * count, at + 1


def _wrong(text: str, why: str) -> OptionError:
    return OptionError(f"the schedule {text!r} cannot be read, {why}; write it like 10×(90 HIO + 10 ER) + 20 ER")
