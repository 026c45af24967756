"""What is no HDF5 file: folders of frames or maps, MRC, and arrays whose name or place says what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..scans import CdiScan
from . import aps34idc, array_files, cohere, mrc, pattern_arrays, tiff_folder, xrf_maps
from .hints import ReadHints
from .parts import Parts

__all__ = ["PLACES", "Place", "pattern_at", "place_of", "projections_at"]


class Place(NamedTuple):
    """One such layout."""

    name: str
    detect: Callable[[Path, ReadHints], bool]  #: from names and first bytes alone
    read: Callable[[Path, ReadHints, list[str]], Parts | CdiScan]
    technique: str = "cdi"
    writer: str = ""  #: who writes it, for docs/formats.md
    content: str = ""  #: what is read
    tested: str = "constructed"  #: the real file it was tried on


#: First hit wins.
PLACES: tuple[Place, ...] = (
    Place(aps34idc.NAME, lambda path, hints: aps34idc.detect(path), aps34idc.read, "cdi",
          "APS 34-ID-C", "rocking scan, mask, geometry from the SPEC file", "34idc_scan54"),
    Place(cohere.NAME, lambda path, hints: cohere.detect(path), cohere.read, "cdi",
          "cohere", "prepared data or the raw frames its settings name", "constructed"),
    Place(pattern_arrays.NAME, lambda path, hints: pattern_arrays.detect(path), pattern_arrays.read, "cdi",
          "bcdi, cdiutils, PyNX, 3D-CDI-NN, AutoPhaseNN", "the pattern and its mask", "34idc_S0054_crop_64x96x96.npz"),
    Place(pattern_arrays.TIFF, pattern_arrays.detect_tiff, pattern_arrays.read_tiff, "cdi",
          "cohere and others", "the stack as a pattern, when technique= says so"),
    Place(mrc.NAME, lambda path, hints: mrc.detect(path), mrc.read, "tomography",
          "IMOD, SerialEM, FEI, tomviz", "a tilt series, angles from .tlt or .rawtlt; .rec and volumes as volumes"),
    Place(array_files.NAME, lambda path, hints: array_files.detect(path), array_files.read, "tomography",
          "MATLAB to version 7.2, NumPy", "the array of three axes and the angles beside it"),
    Place(xrf_maps.NAME, lambda path, hints: xrf_maps.detect(path), xrf_maps.read, "tomography",
          "PyXRF (HXN, SRX), XRF-Maps (APS)", "maps of one element, gathered over the files of the folder"),
    Place(tiff_folder.NAME, lambda path, hints: tiff_folder.detect(path), tiff_folder.read, "tomography",
          "TOMCAT, P05, IMAT, everybody", "frames by number, flats and darks by name, angles from a table"),
)  # fmt: skip


def projections_at(path: Path) -> bool:
    """Whether a folder or file of arrays says by itself that it holds projections: a folder of frames by its angles."""
    place = place_of(path, ReadHints())
    if place is None or place.technique != "tomography":
        return False
    return place.name != tiff_folder.NAME or tiff_folder.has_angles(path)


def pattern_at(path: Path) -> bool:
    """Whether a folder or file says by itself that it holds a diffraction pattern."""
    place = place_of(path, ReadHints())
    return place is not None and place.technique == "cdi"


def place_of(path: Path, hints: ReadHints) -> Place | None:
    """The layout of a path that is no HDF5 file or single TIFF stack; None for everything else."""
    patterns = hints.technique != "tomography" and not hints.angles
    projections = hints.technique != "cdi"
    wanted = (place for place in PLACES if (patterns if place.technique == "cdi" else projections))
    return next((place for place in wanted if place.detect(path, hints)), None)
