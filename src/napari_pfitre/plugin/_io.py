"""What napari calls to open and save files. Dropping a file loads no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FormatError, QuestionError
from ..scans import CdiScan, Step
from ._layers import LayerData, about_of, from_file, kept_scan, scan_layers, volume_layers, volume_of
from ._memory import kept_hints
from ._patterns import is_crystal
from ._shown import behind

if TYPE_CHECKING:
    from ..scans import TomoScan

__all__ = [
    "get_reader",
    "loaded",
    "opened_volume",
    "too_large",
    "write_cxi",
    "write_hdf5",
    "write_mrc",
    "write_tiff",
    "write_vti",
    "write_zarr",
]

PLUGIN = "napari-pfitre"
_TIFF = (".tif", ".tiff")
_ARRAYS = (".mrc", ".st", ".ali", ".mat", ".npz")
_AT_ONCE = 1_000_000_000  #: bytes of a volume that are read into memory, about a second's work
_TABLES = (".csv", ".txt", ".tsv", ".rawtlt", ".tlt")


def get_reader(path: str | list[str] | None = None) -> Callable[[str], list[LayerData]] | None:
    """A function that opens the file, or None, quickly and without an error, when the file is not for us."""
    if path is None:
        _explain("To open a scan, drop its file on the window or use Plugins ▸ PFITRE tomography ▸ Load.")
        return None
    if isinstance(path, list | tuple):
        return None  # a stack of single images has no angles of its own
    kind = _kind(Path(path))
    return {"scan": read_scan_layers, "volume": read_volume_layers}.get(kind)


def _kind(path: Path) -> str:
    """``"scan"``, ``"volume"`` or nothing; only headers are looked at."""
    from ..io.hdf5 import opened
    from ..io.places import pattern_at, projections_at
    from ..io.reading import FORMATS, format_of
    from ..io.sniff import identify
    from ..io.volume_hdf5 import find_volume
    from ..io.volumes import foreign_volume

    try:
        if foreign_volume(path) is not None:
            return "volume"
        if pattern_at(path):
            return "scan"
        if path.is_dir() or path.suffix.lower() in _ARRAYS:
            return "scan" if projections_at(path) else ""
        if not path.is_file():
            return ""
        if identify(path) == "tiff":
            return _tiff_kind(path) if path.suffix.lower() in _TIFF else ""
        with opened(path) as file:
            found = format_of(file)
            holds_volume = found.read is None and find_volume(file) is not None
    except Exception:  # whatever a damaged header makes h5py or tifffile raise: napari asks its other readers then
        return ""
    if found is FORMATS[-1]:  # only some dataset of three axes: the Load widget opens it, on request
        return ""
    if found.read is None:
        return "volume" if holds_volume else ""
    return "scan"


def _tiff_kind(path: Path) -> str:
    from ..io.volume_tiff import is_volume

    if any(path.with_suffix(suffix).is_file() for suffix in _TABLES):
        return "scan"
    return "volume" if is_volume(path) else ""


def _explain(text: str) -> None:
    from napari.utils.notifications import show_info

    show_info(text)


def read_scan_layers(path: str) -> list[LayerData]:
    """The projections as a layer. When only the user can tell what the file means, the Load widget asks."""
    from ..io import read_scan

    try:
        hints = kept_hints(Path(path))
        return scan_layers(loaded(read_scan(path, **hints), hints))
    except QuestionError as question:
        if not _ask(Path(path), question):
            raise
        return [(None,)]  # npe2's word for "dealt with, no layer"


def loaded(scan: TomoScan | CdiScan, hints: dict[str, Any] | None = None) -> Any:
    """The scan with its reading in the history, so that a volume made of it can be made again."""
    return scan.replace(step=Step("read_scan", hints or {}))


def _ask(path: Path, question: QuestionError) -> bool:
    """Open the Load widget at the question; False when there is no window to ask in."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None or getattr(viewer, "window", None) is None:
        return False
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Load")
    widget.ask(path, question)
    return True


def read_volume_layers(path: str) -> list[LayerData]:
    """A volume as a layer, with scale, units and history."""
    return opened_volume(Path(path))


def opened_volume(path: Path, links: str | None = None) -> list[LayerData]:
    """The layers of a volume in a file, which Look again renews; a large one is read slice by slice as it is shown."""
    from ..io import open_volume, read_volume

    volume = open_volume(path, links=links)
    if is_crystal(volume) or not too_large(volume.data.shape):
        volume = read_volume(path, links=links)
    return from_file(volume_layers(volume), path, links, volume.name)


def too_large(shape: tuple[int, ...]) -> bool:
    """Whether a volume of this shape is left in its file: above 1 GB, or above a quarter of the memory that is free."""
    import psutil

    return 4 * math.prod(shape) > min(_AT_ONCE, psutil.virtual_memory().available / 4)


def write_hdf5(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a volume as NXprocess/NXdata, or projections as Data Exchange, NXtomo for .nxs; the paths written."""
    if path is None or meta is None:
        _explain("To save a layer, select it and choose File ▸ Save Selected Layers, type HDF5 with history.")
        return []
    scan = kept_scan(data, meta)
    if scan is None:
        return _write_volume(path, data, meta)
    if isinstance(scan, CdiScan):
        raise FormatError(f"{scan.name} is in its own file already; save the crystal that is made of it")
    from ..io import write_scan
    from ..io.scan_files import scan_format

    _spare_source(path, None if scan.source is None else str(scan.source.path))
    written = write_scan(scan, Path(path), overwrite=True)
    if told := scan_format(written).told(scan):
        _explain(told)
    return [str(written)]


def write_tiff(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a volume as a TIFF stack that Fiji opens with its voxel size; the paths written."""
    return _save(path, data, meta, "TIFF stack")


def write_cxi(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a crystal, amplitude and phase with all that was derived, as CXI; the paths written."""
    return _save(path, data, meta, "CXI")


def write_vti(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a volume with its companions for ParaView; the paths written."""
    return _save(path, data, meta, "VTK image data")


def write_mrc(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a volume as MRC; the paths written."""
    return _save(path, data, meta, "MRC volume")


def write_zarr(path: str | None = None, data: Any = None, meta: dict[str, Any] | None = None) -> list[str]:
    """Save a volume as an OME-Zarr folder; the paths written."""
    return _save(path, data, meta, "OME-Zarr")


def _save(path: str | None, data: Any, meta: dict[str, Any] | None, kind: str) -> list[str]:
    if path is None or meta is None:
        _explain(f"To save a layer, select it and choose File ▸ Save Selected Layers, type {kind}.")
        return []
    if (scan := kept_scan(data, meta)) is not None:
        if isinstance(scan, CdiScan):
            raise FormatError(f"{scan.name} is in its own file already; save the crystal that is made of it")
        what = "a TIFF stack" if kind == "TIFF stack" else kind
        raise FormatError(f"{what} would lose the angles of these projections; save them as HDF5 (.h5)")
    return _write_volume(path, data, meta)


def _write_volume(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    from ..io import write_volume

    volume = volume_of(data, meta)
    source = {} if volume.provenance is None else volume.provenance.source
    _spare_source(path, source.get("path"))
    shown = about_of(meta).get("file")
    if behind(data) is not None and shown and Path(path).resolve() == Path(shown["path"]).resolve():
        raise FormatError(
            f"{Path(path).name} is large and this layer reads its slices from it while it is saved; choose another name"
        )
    return [str(written) for written in _paths(write_volume(volume, Path(path), overwrite=True), path)]


def _paths(written: Any, path: str) -> list[Any]:
    return list(written) if isinstance(written, list | tuple) else [written or path]


def _spare_source(path: str, source: str | None) -> None:
    """napari's save dialog has asked about replacing a file, but the measured data are nothing to agree away."""
    if source is not None and Path(path).resolve() == Path(source).resolve():
        raise FormatError(f"{Path(path).name} holds the measured data this layer was made from; choose another name")
