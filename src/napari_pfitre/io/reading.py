"""`read_scan`, and the one table of formats in the order they are looked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from ..errors import FormatError, PfitreError, QuestionError
from ..scans import CdiScan, TomoScan
from . import (
    als832,
    bliss,
    bliss_tomo,
    cil,
    cxi,
    eiger,
    electron,
    exchange,
    fxi,
    generic,
    nxdata,
    nxtomo,
    ptychography,
    rocking,
    tiff,
    xrf_maps,
    xrf_tomo,
)
from .extras import calibration_frames
from .foreign import is_matlab
from .hdf5 import opened
from .hints import ReadHints
from .links import follow
from .parts import Parts, assemble
from .places import place_of
from .sniff import identify
from .volume_hdf5 import find_volume

__all__ = ["FORMATS", "Format", "format_of", "read_scan"]

#: What a damaged file may make a reader stumble over: strings where numbers belong, other shapes, other kinds.
_CONTRADICTIONS = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, ArithmeticError)


class Format(NamedTuple):
    """One layout of HDF5 files."""

    name: str
    detect: Callable[[h5py.File], bool]
    read: (
        Callable[[h5py.File, Path, ReadHints, list[str]], Parts | CdiScan] | None
    )  #: None: recognised, but not to be read as a scan
    advice: str = ""  #: what to do with a file that is recognised and not read
    writer: str = ""  #: who writes such files, for docs/formats.md
    content: str = ""  #: what is read of them
    tested: str = "constructed"  #: the real file it was tried on


_VOLUME = Format("a reconstructed volume", lambda file: find_volume(file, truth=False) is not None, None,
                 "open it as a volume (read_volume, or drop it on napari)",
                 "here, nabu, tomwer, NXtomoproc, tomocupy, tomopy-cli, CIL, pyxas, tomviz",
                 "the volume, voxel size, history")  # fmt: skip

_FLATS = "projections, flats, darks, angles, pixel size, energy"

#: First hit wins. Reconstructions come first: they use the paths of projections.
FORMATS: tuple[Format, ...] = (
    Format(cxi.RESULT, cxi.is_result, None, _VOLUME.advice, "PyNX, cdiutils, COSMIC", "the object, as a volume"),
    Format(cxi.NAME, cxi.detect, cxi.read, "", "CXIDB, PyNX, cdiutils, bcdi, cdtools",
           "diffraction pattern, mask, energy, distance; ptychography to be looked at",
           "PETRAIII_P25_Near_Field_Ptycho.cxi, typical_raw.cxi"),
    _VOLUME,
    Format(cil.NAME, cil.detect, cil.read, "", "CIL (both of its layouts)",
           "line integrals, angles, named axes; cone beams are marked", "Sinogram_Rock_sample_3D.nxs"),
    Format(xrf_tomo.NAME, xrf_tomo.detect, xrf_tomo.read, "", "xrf_tomo, PyXRF (HXN, SRX)",
           "maps of one element at all angles"),
    Format(exchange.NAME, exchange.detect, exchange.read, "",
           "APS, ALS 8.3.2, SLS TOMCAT, Sirius, SESAME, tomocupy, here", _FLATS + ", shifts",
           "tooth.h5, meta_mock.h5, DataExchange-example4.h5"),
    Format(fxi.NAME, fxi.detect, fxi.read, "", "NSLS-II 18-ID", _FLATS, "fly_scan_id_24737_limited.h5"),
    Format(nxtomo.NAME, nxtomo.detect, nxtomo.read, "", "Diamond, ESRF nxtomo 1.0 to 2.1, nxtomomill, Mantid Imaging",
           _FLATS, "24737_nxtomo_lib.nx, 24737_dls_tomo_entry.nxs, k11-18014.nxs, tooth_nxtomomill_link.nx"),
    Format(eiger.NAME, eiger.detect, eiger.read, "", "Dectris Eiger: PETRA P10, velociprobe, …",
           "frames of a rocking scan, mask; P10's geometry from its .fio log", "eiger4m_bitshuffle_frame.h5"),
    Format(bliss.NAME, bliss.detect, bliss.read, "", "ESRF ID01", "frames of a rocking scan, mask, geometry"),
    Format(rocking.NAME, rocking.detect, rocking.read, "", "SOLEIL SIXS and CRISTAL, MAX IV NanoMAX",
           "frames of a rocking scan, gaps, energy, angles; no voxel size"),
    Format(ptychography.NAME, ptychography.detect, ptychography.read, "", "NSLS-II HXN and CSX, for their phasing",
           "patterns of the places of one view, squared and unshifted, to be looked at"),
    Format(xrf_maps.ONE, xrf_maps.is_map, xrf_maps.refuse_one, "", "PyXRF, XRF-Maps", "nothing: open its folder"),
    Format(bliss_tomo.NAME, bliss_tomo.detect, bliss_tomo.read, "", "ESRF tomography beamlines",
           "projections, flats, darks of one scan, rotation"),
    Format(als832.NAME, als832.detect, als832.read, "", "ALS 8.3.2 before 2021", _FLATS, "als832_read_stack.h5"),
    Format(electron.HYPERSPY, electron.detect_hyperspy, electron.read_hyperspy, "", "HyperSpy (.hspy)",
           "a stack with its tilt axis"),
    Format(electron.EMD, electron.detect_emd, electron.read_emd, "", "tomviz, Berkeley, py4DSTEM",
           "a stack with its tilt axis; volumes"),
    Format(electron.VELOX, electron.detect_velox, electron.read_velox, "", "Thermo Fisher Velox",
           "frames and the stage's tilt"),
    Format(nxdata.NAME, nxdata.detect, nxdata.read, "", "Savu, DAWN, mapping scans", "signal and its axis of angles"),
    Format("a MATLAB file", is_matlab, generic.read, "", "MATLAB 7.3",
           "the array and the angles that you name; axes turned round"),
    Format(generic.NAME, lambda file: True, generic.read, "", "anybody", "the dataset and the angles that you name"),
)  # fmt: skip


def format_of(file: h5py.File) -> Format:
    """The format of an open HDF5 file."""
    return next(format for format in FORMATS if _detects(format, file))


def _detects(format: Format, file: h5py.File) -> bool:
    try:
        return format.detect(file)
    except (TypeError, ValueError, KeyError, AttributeError, OSError, RuntimeError):
        return False  # members of other kinds than the layout has: it is another layout


def read_scan(path: str | Path, **hints: Any) -> TomoScan | CdiScan:
    """Read a tomography scan or a diffraction pattern; frames stay in the file until they are asked for.

    Parameters
    ----------
    path
        An HDF5 file of any known layout, a TIFF stack with a table of angles beside it, a folder of frames, or an
        array in a file of numpy.
    **hints
        Fields of `ReadHints`: answers to what the file leaves open.

    Raises
    ------
    FormatError
        When the file cannot be read.
    ScanError
        When what it holds contradicts itself; as QuestionError, when a hint would settle it.
    """
    parts = read_parts(Path(path), ReadHints.of(hints), [])
    return parts if isinstance(parts, CdiScan) else assemble(parts, ReadHints.of(hints))


def read_parts(path: Path, hints: ReadHints, notices: list[str]) -> Parts | CdiScan:
    """What the file's format has to offer, of a diffraction pattern all of it.

    Notices that came up before a failure are in `notices`.
    """
    path = path.expanduser()
    with follow(hints.links == "anywhere") as links:
        try:
            parts = _parts(path, hints, notices)
        except QuestionError:
            raise
        except PfitreError as error:
            if not links.held_back:
                raise
            raise QuestionError(
                f"{links.held_back[0]}; pass links='anywhere' to follow it ({error})",
                hint="links",
                choices=("anywhere",),
            ) from error
        except _CONTRADICTIONS as error:
            raise FormatError(
                f"{path.name} contradicts the layout it seems to have ({type(error).__name__}: {_line(error)}); see "
                f"`napari-pfitre info {path.name}` for what it holds and pass dataset="
            ) from error
        if links.held_back:
            told = parts.notices if isinstance(parts, Parts) else notices
            told.append(f"{links.held_back[0]}, and was not followed; pass links='anywhere' to follow it")
    return parts


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _parts(path: Path, hints: ReadHints, notices: list[str]) -> Parts | CdiScan:
    parts: Parts | CdiScan
    if (place := place_of(path, hints)) is not None:
        parts = place.read(path, hints, notices)
    elif identify(path) == "tiff":
        parts = tiff.read(path, hints, notices)
    else:
        with opened(path, notices) as file:
            format = format_of(file)
            read = format.read
            if read is None:
                if hints.dataset is None:
                    raise FormatError(f"{path.name} is {format.name}: {format.advice}")
                read = generic.read
            parts = read(file, path, hints, notices)
    if not isinstance(parts, CdiScan):
        _add_calibration(parts, hints)
    return parts


def _add_calibration(parts: Parts, hints: ReadHints) -> None:
    shape = parts.stored.shape
    axes = hints.stored_axes() or parts.axes or ("angle", "row", "column")
    frame = (shape[axes.index("row")], shape[axes.index("column")])
    if hints.flats:
        parts.flats = calibration_frames(hints.flats, parts.path, "flats", frame)
        parts.flat_positions = None
    if hints.darks:
        parts.darks = calibration_frames(hints.darks, parts.path, "darks", frame)
