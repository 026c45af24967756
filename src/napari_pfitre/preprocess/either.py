"""Which preparation goes with which scan: projections have one, diffraction patterns another."""

from __future__ import annotations

from typing import Any, overload

from ..errors import OptionError
from ..scans import CdiScan, TomoScan
from .cdi import CdiPrepareOptions, prepare_pattern
from .prepare import PrepareOptions, prepare

__all__ = ["options_for", "ready"]


def options_for(scan_type: type) -> type:
    """The options dataclass of the preparation of a kind of scan."""
    return CdiPrepareOptions if issubclass(scan_type, CdiScan) else PrepareOptions


@overload
def ready(scan: TomoScan, options: Any = None) -> TomoScan: ...
@overload
def ready(scan: CdiScan, options: Any = None) -> CdiScan: ...
@overload
def ready(scan: TomoScan | CdiScan, options: Any = None) -> TomoScan | CdiScan: ...
def ready(scan: TomoScan | CdiScan, options: Any = None) -> TomoScan | CdiScan:
    """`prepare` or `prepare_pattern`, whichever is the scan's.

    Raises
    ------
    OptionError
        When the options are those of the other.
    """
    wanted: type = options_for(type(scan))
    if not isinstance(options, wanted | None):
        raise OptionError(f"{type(scan).__name__} is prepared with {wanted.__name__}, not {type(options).__name__}")
    how: Any = options
    return prepare_pattern(scan, how) if isinstance(scan, CdiScan) else prepare(scan, how)
