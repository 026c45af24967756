"""APS 34-ID-C, raw: a folder of TIFF frames for each rocking scan, a SPEC file for all of them.

``…_S0054/…_S0054_00000.tif`` and so on, one int32 frame per angle, cut to the detector's region of interest; the SPEC
file holds the angles, energy, distance and that region (``#UIMR5 minX sizeX minY sizeY``). A dark and a white field of
the whole detector lie beside or are named by ``darks=`` and ``flats=``. The 512 × 512 detector, 34idcTIM2, is four
Timepix chips: where the region crosses the seam at pixel 256, as many empty columns and rows are put in as the gap is
wide, so that the pixels stand where they were.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from ..diffractometer import DIFFRACTOMETERS, bragg_geometry
from ..errors import ChangedError, FormatError, QuestionError, ScanError, first_line
from ..frames import LazyFrames
from ..scans import BraggGeometry, CdiScan
from .hints import ReadHints
from .patterns import Pattern, assemble_pattern
from .spec import SpecScan, is_spec, read_spec, rocking
from .stacks import native

__all__ = ["NAME", "FrameFiles", "add_geometry", "detect", "read"]

NAME = "APS 34-ID-C rocking scan"
_FRAME = re.compile(r"^(?P<scan>.+_S(?P<number>\d{2,}))_(?P<frame>\d{3,})\.tiff?$")
_PIXEL = 55e-6  #: m, Timepix and Medipix
_SEAM, _GAP_COLUMNS, _GAP_ROWS = 256, 4, 5
#: SPEC's names for the circles
_CIRCLES = {"Theta": "theta", "Chi": "chi", "Phi": "phi", "Delta": "delta", "Gamma": "gamma"}
_MNEMONICS = {"th": "theta", "theta": "theta", "chi": "chi", "phi": "phi"}


def detect(path: Path) -> bool:
    """Whether a folder holds the frames of such a scan."""
    return path.is_dir() and any(_FRAME.match(entry.name) for entry in _entries(path))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


class FrameFiles(LazyFrames):
    """One TIFF file a frame, in the order given; `gap` puts empty rows and columns in at a seam."""

    def __init__(self, paths: Sequence[Path], gap: tuple[int | None, int | None] = (None, None)):
        self.paths = tuple(paths)
        first = _frame(self.paths[0])
        self.gap = gap
        self.frame_shape = first.shape
        self.dtype = native(first.dtype)
        self.shape = (len(self.paths), *with_seam(first, gap).shape)

    @property
    def chunks(self) -> tuple[int, int, int]:
        return (1, *self.shape[1:])

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        out = np.empty((frames.stop - frames.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for at, path in enumerate(self.paths[frames]):
            frame = _frame(path)
            if frame.shape != self.frame_shape:
                raise FormatError(f"{path.name} is {frame.shape} where the other frames are {self.frame_shape}")
            out[at] = with_seam(frame, self.gap)[rows, columns]
        return out


def _frame(path: Path) -> np.ndarray:
    try:
        frame = tifffile.imread(path)
    except FileNotFoundError:
        raise ChangedError(f"{path} is gone since the scan was opened; open it where it is now", gone=True) from None
    except Exception as error:  # decoders of many libraries, each with its own exceptions
        raise FormatError(f"{path.name} is a damaged TIFF file ({first_line(error)}); copy it again") from None
    if frame.ndim != 2:
        raise FormatError(f"{path.name} has shape {frame.shape}; a frame has rows and columns")
    return frame


def with_seam(frame: np.ndarray, gap: tuple[int | None, int | None], fill: float = 0) -> np.ndarray:
    """A frame with the empty rows and columns of the seam put in before the given row and column."""
    row, column = gap
    if row is not None:
        frame = np.insert(frame, [row] * _GAP_ROWS, fill, axis=0)
    return frame if column is None else np.insert(frame, [column] * _GAP_COLUMNS, fill, axis=1)


def read(path: Path, hints: ReadHints, notices: list[str]) -> CdiScan:
    """The scan in a folder.

    Raises
    ------
    FormatError, ScanError
        When frames are damaged, or contradict the SPEC file; as QuestionError when several SPEC files qualify.
    """
    found = [(match, entry) for entry in _entries(path) if (match := _FRAME.match(entry.name))]
    scans = sorted({match["scan"] for match, _ in found})
    if len(scans) > 1:
        if hints.entry not in scans:
            raise QuestionError(
                f"{path.name} holds the frames of {len(scans)} scans; pass entry= as one of {', '.join(scans[:6])}",
                hint="entry",
                choices=tuple(scans),
            )
        found = [(match, entry) for match, entry in found if match["scan"] == hints.entry]
    number = int(found[0][0]["number"])
    _report_gaps([int(match["frame"]) for match, _ in found], notices)

    spec = _spec_scan(path, number, hints, notices)
    region, detector = _region(spec), (spec.headers.get("UIMDET", "") if spec else "")
    bare = FrameFiles([entry for _, entry in found])
    gap = _seams(region, bare.frame_shape) if detector.startswith("34idcTIM2") else (None, None)
    frames = bare if gap == (None, None) else FrameFiles(bare.paths, gap)
    pattern = Pattern(NAME, path, "", frames, values="intensity", peak="detector", notices=notices)
    pattern.name = found[0][0]["scan"]
    for what, hint, names in (("flat", hints.flats, ("whitefield", "white")), ("dark", hints.darks, ("dark",))):
        if (file := _calibration(path, hint, names, notices)) is not None:
            whole = _frame(file)
            setattr(pattern, what, with_seam(_cut(whole, region, bare.frame_shape, file), gap).astype(np.float32))
    pattern.mask = _mask(bare.frame_shape, region, detector, gap)
    if spec is not None:
        add_geometry(pattern, spec, bare.shape[0])
    return assemble_pattern(pattern, hints)


def _report_gaps(numbers: list[int], notices: list[str]) -> None:
    if missing := sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)):
        raise ScanError(
            f"frame{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing[:6]))}"
            f"{' and more' if len(missing) > 6 else ''} of {numbers[-1] - numbers[0] + 1} "
            f"{'are' if len(missing) > 1 else 'is'} missing, so the angles "
            "are not evenly spaced; copy the folder again"
        )


def _above(path: Path, levels: int = 3) -> list[Path]:
    """The folder and those it lies in, nearest first."""
    path = path.absolute()
    return [path, *list(path.parents)[:levels]]


def _spec_scan(path: Path, number: int, hints: ReadHints, notices: list[str]) -> SpecScan | None:
    if hints.spec:
        scan = read_spec(Path(hints.spec).expanduser(), number)
        if scan is None:
            raise ScanError(f"{Path(hints.spec).name} has no scan {number}; name the SPEC file of this scan with spec=")
        return scan
    for folder in _above(path):
        files = [entry for entry in _entries(folder) if entry.suffix == ".spec" and is_spec(entry)]
        scans = [(file, scan) for file in files if (scan := read_spec(file, number)) is not None]
        if len(scans) > 1:
            raise QuestionError(
                f"{len(scans)} SPEC files in {folder.name} have a scan {number}; pass spec= as one of them",
                hint="spec",
                choices=tuple(str(file) for file, _ in scans),
            )
        if scans:
            notices.append(f"angles and energy are from {scans[0][0].name}, scan {number}")
            return scans[0][1]
    notices.append(
        f"no SPEC file with scan {number} lies near the frames: angles, energy and voxel size are unknown; pass spec="
    )
    return None


def _region(spec: SpecScan | None) -> tuple[int, int] | None:
    """(first row, first column) of the frames on the detector."""
    numbers = (spec.headers.get("UIMR5", "") if spec else "").split()
    return (int(numbers[2]), int(numbers[0])) if len(numbers) >= 4 else None


def _seams(region: tuple[int, int] | None, shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    if region is None:
        return None, None
    row, column = (
        _SEAM - first if first < _SEAM < first + size else None for first, size in zip(region, shape, strict=True)
    )
    return row, column


def _calibration(path: Path, hint: str | None, names: tuple[str, ...], notices: list[str]) -> Path | None:
    if hint:
        for file in (Path(hint).expanduser(), path / hint, path.parent / hint):
            if file.is_file():
                return file
        raise FormatError(f"{hint} does not exist; check the path (is the drive mounted?)")
    for folder in _above(path):
        for entry in _entries(folder):
            if entry.suffix.lower() in (".tif", ".tiff") and entry.stem.lower() in names:
                notices.append(f"the {names[0]} frame {entry.name} near the scan is used")
                return entry
    return None


def _cut(whole: np.ndarray, region: tuple[int, int] | None, shape: tuple[int, ...], file: Path) -> np.ndarray:
    """The part of a calibration frame that the frames of the scan cover."""
    if whole.shape == shape:
        return whole
    if region is not None:
        part = whole[region[0] : region[0] + shape[0], region[1] : region[1] + shape[1]]
        if part.shape == shape:
            return part
    raise ScanError(
        f"{file.name} is {whole.shape[0]} × {whole.shape[1]} pixels and the frames are {shape[0]} × {shape[1]}; which "
        "part of the detector they are stands in the SPEC file, pass spec="
    )


def _mask(
    shape: tuple[int, ...], region: tuple[int, int] | None, detector: str, gap: tuple[int | None, int | None]
) -> np.ndarray | None:
    """The seam, and the wide pixels beside it, which count more than their share."""
    if not detector.startswith("34idcTIM2") or region is None:
        return None
    mask = np.zeros(shape, dtype=bool)
    rows = slice(0, max(0, min(shape[0], _SEAM - 1 - region[0])))
    mask[rows, max(0, _SEAM - 1 - region[1]) : max(0, _SEAM + 1 - region[1])] = True
    return with_seam(mask, gap, True)


def add_geometry(pattern: Pattern, spec: SpecScan, n_frames: int) -> None:
    """What the SPEC file says about energy, distance and angles, added to the pattern."""
    motors = spec.motors
    energy, camera = motors.get("Energy"), motors.get("camdist")
    pattern.energy_kev = None if not energy or energy < 0 else energy if energy < 1000 else energy / 1000
    pattern.distance = camera / 1000 if camera and 0 < camera < 20_000 else None
    pattern.pixel_size = (_PIXEL, _PIXEL)
    pattern.metadata = {"beamline": "APS 34-ID-C", "command": spec.command, "motors": dict(motors)}
    scan = rocking(spec.command)
    circle = None if scan is None else _MNEMONICS.get(scan[0])
    if scan is None or circle is None:
        pattern.notices.append(
            f"scan {spec.number} is {spec.command!r}, no rocking of theta, chi or phi; its voxel size is unknown"
        )
        return
    _, first, last, intervals = scan
    if n_frames != intervals + 1:
        pattern.notices.append(
            f"the scan was to have {intervals + 1} frames and has {n_frames}; it may have been stopped"
        )
    pattern.rocking_step = float(np.deg2rad((last - first) / intervals)) if intervals else None
    pattern.geometry = _geometry(pattern, motors, circle)


def _geometry(pattern: Pattern, motors: dict[str, float], circle: str) -> BraggGeometry | None:
    angles = {name: float(np.deg2rad(motors[label])) for label, name in _CIRCLES.items() if label in motors}
    if pattern.energy_kev is None or pattern.distance is None or pattern.rocking_step is None or len(angles) < 5:
        pattern.notices.append("the SPEC file lacks angles, energy or distance; the voxel size is unknown")
        return None
    about = {"name": "34-ID-C", "angles": angles, "scanned": circle, "beam": None}
    pattern.metadata = {**pattern.metadata, "diffractometer": about}
    return bragg_geometry(
        DIFFRACTOMETERS["34-ID-C"],
        angles,
        circle,
        pattern.rocking_step,
        energy_kev=pattern.energy_kev,
        distance=pattern.distance,
        pixel_size=(_PIXEL, _PIXEL),
    )
