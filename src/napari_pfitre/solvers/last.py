"""The end of an iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeVar

__all__ = ["last"]

T = TypeVar("T")


def last(iterates: Iterable[T]) -> T:
    """The last of `iterates`, of which no more than one is held at a time: ``*_, end = iterates`` holds them all."""
    return deque(iterates, maxlen=1).pop()
