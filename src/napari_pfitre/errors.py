"""Every failure a user can cause or meet is one of these; a message says what was expected, found, and what to do.

    PfitreError
    ├── FormatError             the file cannot be read as what it claims to be
    │   └── ChangedError        the file is not the one any more that was opened
    ├── ScanError               the measured data contradict themselves or lack something
    │   └── QuestionError       the data allow several readings; a named hint decides
    ├── OptionError             an option is out of its range
    ├── ReconstructionError     a run failed (out of memory, numbers that are not finite, …)
    └── WeightsError            a network's weights are missing, changed, or of another network

None of them is a RuntimeError: napari's generator workers swallow those.
"""

from __future__ import annotations

import re

__all__ = [
    "ChangedError",
    "FormatError",
    "OptionError",
    "PfitreError",
    "QuestionError",
    "ReconstructionError",
    "ScanError",
    "WeightsError",
    "first_line",
    "one_line",
]


class PfitreError(Exception):
    """Base of all errors raised on purpose by napari-pfitre."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class FormatError(PfitreError):
    """The file cannot be read as what it claims to be."""


class ChangedError(FormatError):
    """The file was overwritten since it was opened, or is `gone`: moved, deleted, on a drive that is not there."""

    def __init__(self, message: str, *, gone: bool = False):
        super().__init__(message)
        self.gone = gone


class ScanError(PfitreError):
    """The measured data contradict themselves or lack something."""


class QuestionError(ScanError):
    """The data allow several readings, and only the user knows which one holds.

    Parameters
    ----------
    message
        The question in one sentence, with the numbers that raised it.
    hint
        Name of the keyword of `read_scan` that answers it (``angles``, ``angle_unit``, ``axis_order``, …).
    choices
        Values of the hint that would be accepted as they stand; empty when any value of the right kind is.
    """

    def __init__(self, message: str, *, hint: str, choices: tuple[str, ...] = ()):
        super().__init__(message)
        self.hint = hint
        self.choices = choices


class OptionError(PfitreError):
    """An option is out of its range."""


class ReconstructionError(PfitreError):
    """A run failed; the message says why and what to try."""


class WeightsError(PfitreError):
    """A network's weights are missing, changed, or of another network."""


def first_line(error: BaseException) -> str:
    """What another library complained of, as part of a sentence: its first line, or the kind of error."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def one_line(text: str) -> str:
    """Text with names from a file in it, which may hold line breaks and what terminals take for commands."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
