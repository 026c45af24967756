"""Files in, scans and volumes out, and back: one file for each format, one table (`FORMATS`) that tells them apart."""

from __future__ import annotations

from .hints import ReadHints
from .reading import FORMATS, read_scan
from .report import DatasetInfo, FileReport, inspect_file
from .scan_files import write_scan
from .volumes import open_volume, read_volume, write_volume

__all__ = [
    "FORMATS",
    "DatasetInfo",
    "FileReport",
    "ReadHints",
    "inspect_file",
    "open_volume",
    "read_scan",
    "read_volume",
    "write_scan",
    "write_volume",
]
