"""Volumes as VTK image data (.vti) for ParaView, tomviz and PyVista: an XML head, then the arrays as in memory.

The last axis of (z, y, x) is VTK's first, so the values go as numpy holds them, x fastest. Spacing and displacements
are in nanometres, as crystallographers have them; `read` turns them back. VTI knows boxes with right angles only: a
crystal in the skew voxels of a rocking scan is sheared in it, and is better inverted into the laboratory frame first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from ..errors import FormatError, first_line
from ..frames import LazyFrames, Mapped
from ..results import Provenance, Volume
from .atomic import replacing
from .stacks import InFile
from .volume_hdf5 import Facts

__all__ = ["facts", "is_volume", "lazy", "shape", "write"]

_TYPES = {"Float32": "<f4", "Float64": "<f8", "UInt8": "u1", "Int32": "<i4"}
_NM = {"displacement"}  #: layers in metres
_HEAD = 1 << 24  #: bytes within which the values begin


def write(volume: Volume, path: Path) -> None:
    """Array by array, slice by slice; what lies at `path` is replaced when all is written."""
    n_z, n_y, n_x = volume.data.shape
    main = "amplitude" if "phase" in volume.layers else "data"
    parts: dict[str, np.ndarray] = {main: volume.data, **volume.layers}
    spacing = "1 1 1"
    if volume.voxel_size is not None:
        spacing = " ".join(repr(size * 1e9) for size in reversed(volume.voxel_size))
    extent = f"0 {n_x - 1} 0 {n_y - 1} 0 {n_z - 1}"
    size = 8 + 4 * n_z * n_y * n_x
    arrays = "".join(
        f'<DataArray type="Float32" Name={quoteattr(_name(name))} format="appended" offset="{at * size}"/>\n'
        for at, name in enumerate(parts)
    )
    codes = " ".join(str(byte) for byte in [*_about(volume).encode("utf-8"), 0])
    head = (
        '<?xml version="1.0"?>\n'
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'
        f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{spacing}">\n'
        f'<FieldData><Array type="String" Name="napari-pfitre" NumberOfTuples="1" format="ascii">{codes}</Array>'
        "</FieldData>\n"
        f'<Piece Extent="{extent}">\n<PointData Scalars="{main}">\n{arrays}</PointData>\n<CellData/>\n</Piece>\n'
        '</ImageData>\n<AppendedData encoding="raw">\n_'
    )
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(head.encode("utf-8"))
        for name, data in parts.items():
            file.write(np.uint64(size - 8).astype("<u8").tobytes())
            for at in range(n_z):
                values = np.asarray(data[at], dtype=np.float32)
                file.write((values * np.float32(1e9) if name in _NM else values).astype("<f4").tobytes())
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _name(layer: str) -> str:
    return f"{layer} (nm)" if layer in _NM else layer


def _about(volume: Volume) -> str:
    made = None if volume.provenance is None else json.loads(volume.provenance.to_json())
    return json.dumps({
        "name": volume.name, "unit": volume.unit, "voxel_size": volume.voxel_size, "provenance": made,
    })  # fmt: skip


class _Head:
    """What the XML says, and where the values begin."""

    def __init__(self, path: Path):
        self.path = path
        with open(path, "rb") as file:
            start, mark = b"", None
            while mark is None and len(start) < _HEAD and (more := file.read(max(1 << 16, len(start)))):
                start += more
                mark = re.search(rb"<AppendedData[^>]*encoding=\"raw\"[^>]*>\s*_", start)
        if mark is None:
            raise FormatError(
                f"{path.name} does not hold its values as raw appended data; save it again from ParaView with data "
                "mode Appended, unencoded and not compressed"
            )
        try:
            root = ElementTree.fromstring(start[: mark.start()] + b"</VTKFile>")
            image = root.find("ImageData")
            assert image is not None
            bounds = [int(v) for v in image.attrib["WholeExtent"].split()]
            self.spacing = [float(v) for v in image.attrib["Spacing"].split()]
        except (ElementTree.ParseError, KeyError, ValueError, AssertionError) as error:
            raise FormatError(
                f"{path.name} is damaged VTK image data ({first_line(error)}); copy or save it again"
            ) from None
        self.first = mark.end()
        self.count = "u8" if root.get("header_type") == "UInt64" else "u4"
        if root.get("compressor") or root.get("byte_order") == "BigEndian":
            raise FormatError(f"{path.name} is compressed or big-endian; save it again without")
        self.shape = (bounds[5] - bounds[4] + 1, bounds[3] - bounds[2] + 1, bounds[1] - bounds[0] + 1)
        self.arrays = list(image.iterfind("Piece/PointData/DataArray"))
        field = image.find("FieldData/Array[@Name='napari-pfitre']")
        self.about: dict = {}
        if field is not None and field.text:
            codes = bytes(int(code) for code in field.text.split() if code.isdigit() and 0 < int(code) < 256)
            self.about = json.loads(codes.decode("utf-8", "replace"))

    def values(self) -> Iterator[tuple[str, LazyFrames]]:
        """Name and values (z, y, x) of the arrays of one component."""
        for array in self.arrays:
            dtype = _TYPES.get(array.get("type", ""))
            if dtype is None or array.get("NumberOfComponents", "1") != "1":
                continue
            at = self.first + int(array.get("offset", "0")) + np.dtype(self.count).itemsize
            yield array.get("Name", ""), _Array(self.path, dtype, at, self.shape)

    @property
    def facts(self) -> Facts:
        made = self.about.get("provenance")
        own = self.about.get("voxel_size")
        z, y, x = own or (size * 1e-9 for size in reversed(self.spacing))
        voxel = None if self.about and own is None else (float(z), float(y), float(x))
        provenance = None if made is None else Provenance.from_json(json.dumps(made))
        return Facts(self.about.get("name", self.path.stem), voxel, self.about.get("unit", ""), provenance)


class _Array(InFile):
    """The values of one array, mapped for each read."""

    def __init__(self, path: Path, stored: str, at: int, shape: tuple[int, int, int]):
        super().__init__(path)
        self.stored, self.at, self.shape, self.dtype = stored, at, shape, np.dtype(np.float32)
        self._mapped()

    def _mapped(self) -> np.ndarray:
        try:
            return np.memmap(self.path, self.stored, "r", self.at, self.shape)
        except (ValueError, OSError) as error:
            raise FormatError(f"{self.path.name} is incomplete ({first_line(error)}); copy it again") from None

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        self._check_unchanged()
        return np.array(self._mapped()[frames, rows, columns], dtype=self.dtype)


def is_volume(path: Path) -> bool:
    """Whether it is called .vti and begins as VTK's image data do."""
    if path.suffix.lower() != ".vti" or not path.is_file():
        return False
    with open(path, "rb") as file:
        return b'type="ImageData"' in file.read(1024)


def shape(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Of the first array, and its type."""
    return _Head(path).shape, np.dtype(np.float32)


def facts(path: Path) -> Facts:
    """What the file says of its volume."""
    return _Head(path).facts


def lazy(path: Path) -> Volume:
    """The first array as the volume, the others as layers; values are read when they are asked for.

    Raises
    ------
    FormatError
        When the file is damaged, compressed, or has no array of numbers.
    """
    head = _Head(path)
    parts: dict[str, Any] = {}
    for name, values in head.values():
        plain = name.removesuffix(" (nm)")
        parts[plain] = Mapped(np.float32, values, function=_from_nm) if plain != name else values
    if not parts:
        raise FormatError(f"{path.name} has no array of single numbers; a volume has")
    name, voxel, unit, provenance = head.facts
    main = next(iter(parts))
    return Volume(parts.pop(main), voxel, provenance, name, unit, parts)


def _from_nm(values: np.ndarray) -> np.ndarray:
    return values * np.float32(1e-9)
