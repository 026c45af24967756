"""Strategies for hypothesis: files in the layouts that are read, bent; each step is a value that shrinks and prints.

`bent_files` takes a small file of a layout and does up to four things to it: to types, shapes, values, storage, names,
links and attributes, and then perhaps to its bytes. What HDF5 itself does not agree to store is left as it was.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import beamline_files
import h5py
import numpy as np
import pattern_files
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

__all__ = ["LAYOUTS", "Bent", "bent_files", "texts"]

LAYOUTS: dict[str, Callable[[Path], Path]] = beamline_files.LAYOUTS | pattern_files.LAYOUTS

#: what HDF5 and its Python binding say to what they do not store
_UNSTORABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError, UnicodeError)


class Base(NamedTuple):
    """A file of a layout, and what it holds."""

    data: bytes
    suffix: str
    datasets: tuple[str, ...]
    groups: tuple[str, ...]
    attributes: tuple[str, ...]
    companions: tuple[tuple[str, bytes], ...]  #: suffix and content of what lies beside it


@functools.cache
def base(layout: str) -> Base:
    """One file of a layout, made once."""
    with tempfile.TemporaryDirectory() as folder:
        path = LAYOUTS[layout](Path(folder))
        beside = tuple((p.suffix, p.read_bytes()) for p in sorted(path.parent.glob(f"{path.stem}.*")) if p != path)
        datasets: list[str] = []
        groups: list[str] = ["/"]
        attributes: set[str] = set()
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                attributes.update(file.attrs)

                def visit(name: str, thing: Any) -> None:
                    (datasets if isinstance(thing, h5py.Dataset) else groups).append(name)
                    attributes.update(thing.attrs)

                file.visititems(visit)
        return Base(path.read_bytes(), path.suffix, tuple(datasets), tuple(groups), tuple(sorted(attributes)), beside)


# -- values

_WORDS = (
    "deg", "rad", "degrees", "°", "mm", "nm", "1/m", "38.2nm", "1e400", "-inf", "nan", "0", "", ".", "..", "/", "data",
    "NXtomo", "NXdata", "NXdetector", "theta:y:x", "y:x:theta", "angle,vertical,horizontal", "cone3D", "parallel3D",
    "raw", "tomography", "[1, 2", "{}", "a\nb",
)  # fmt: skip
texts = st.sampled_from(_WORDS) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12
)
numbers = (
    st.sampled_from([0, 1, -1, 2, 1e-300, 1e300, 9, 20, 2**31, 2**63, np.nan, np.inf])
    | st.floats()
    | st.integers(-(2**63), 2**64 - 1)
)
types = (
    hnp.integer_dtypes(endianness="?") | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)) | hnp.complex_number_dtypes() | hnp.boolean_dtypes()
    | hnp.byte_string_dtypes(min_len=1, max_len=9)
    | st.sampled_from([np.dtype(kind) for kind in ("longdouble", "V5", "f4,f4")])
)  # fmt: skip
shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=7)
arrays = types.flatmap(
    lambda kind: hnp.arrays(kind, shapes) if kind.kind != "V" else shapes.map(lambda shape: np.zeros(shape, kind))
)
values = (
    texts | texts.map(lambda text: np.bytes_(text.encode() + b"\xff")) | st.lists(texts, max_size=4)
    | numbers | st.booleans() | arrays
)  # fmt: skip
huge_shapes = st.lists(st.sampled_from([1, 20, 1000, 10**6, 10**9, 2**40, 2**62]), min_size=1, max_size=4).map(tuple)


# -- what is done


class Step(NamedTuple):
    """Something done to a member of a file."""

    done: Callable[..., None]
    name: str
    what: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"{self.done.__name__}({self.name!r}, {', '.join(map(repr, self.what))})"

    def take(self, path: Path) -> None:
        with warnings.catch_warnings(), contextlib.suppress(*_UNSTORABLE), h5py.File(path, "a") as file:
            warnings.simplefilter("ignore")  # of casts in here; those of the readers count
            self.done(file, self.name, *self.what)


def _held(file: h5py.File, name: str) -> np.ndarray:
    """The values of a dataset, unless an earlier step claimed gigabytes."""
    if file[name].nbytes > 1_000_000:
        raise ValueError(f"{name} is too large to be bent")
    return np.asarray(file[name][()])


def _instead(file: h5py.File, name: str, **storage: Any) -> h5py.Dataset:
    """Another dataset in the place of one, with its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    stored = file.create_dataset(name, **storage)
    for key, value in attributes.items():
        with contextlib.suppress(*_UNSTORABLE):
            stored.attrs[key] = value
    return stored


def put(file: h5py.File, name: str, value: Any) -> None:
    _instead(file, name, data=value)


def cast(file: h5py.File, name: str, kind: np.dtype) -> None:
    with np.errstate(all="ignore"):
        data = _held(file, name).astype(kind)
    _instead(file, name, data=data)


def reshape(file: h5py.File, name: str, change: tuple[int, ...], axis: int | None) -> None:
    data = _held(file, name)
    shape = [max(0, n + by) for n, by in zip(data.shape, (*change, 0, 0, 0, 0, 0), strict=False)]
    if axis is not None:
        shape.insert(min(axis, len(shape)), 1)
    _instead(file, name, data=np.resize(data, shape))


def turn(file: h5py.File, name: str, order: tuple[int, ...]) -> None:
    data = _held(file, name)
    _instead(file, name, data=data.transpose([axis for axis in order if axis < data.ndim]))


def fill(file: h5py.File, name: str, value: float, every: int) -> None:
    if file[name].is_virtual or h5py.check_vlen_dtype(file[name].dtype) not in (None, str, bytes):
        raise ValueError(f"HDF5 itself may crash when {name} is written to")
    data = _held(file, name)
    flat = data.reshape(-1)
    with np.errstate(all="ignore"):
        flat[::every] = np.asarray(value).astype(data.dtype)
    file[name][...] = data


def store(file: h5py.File, name: str, how: str) -> None:
    data = _held(file, name)
    options: dict[str, Any] = {
        "gzip": {"data": data, "compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True},
        "rows": {"data": data, "chunks": (*data.shape[:-2], 1, *data.shape[-1:]) if data.ndim > 1 else True},
        "growing": {"data": data, "maxshape": (None,) * data.ndim, "chunks": True},
        "unwritten": {"shape": data.shape, "dtype": data.dtype, "chunks": True},
        "never": {"shape": data.shape, "dtype": data.dtype},
        "outside": {"shape": data.shape, "dtype": data.dtype, "external": [("gone.bin", 0, h5py.h5f.UNLIMITED)]},
        "null": {"data": h5py.Empty("f4")},
        "ragged": {"shape": data.shape, "dtype": h5py.vlen_dtype(np.int32)},
        "text": {"data": data.astype("S").astype(object), "dtype": h5py.string_dtype()},
        "reference": {"data": file.ref, "dtype": h5py.ref_dtype},
        "enum": {"data": data.astype("u1"), "dtype": h5py.enum_dtype({"A": 0, "B": 1}, basetype="u1")},
    }.get(how, {})
    if options:
        _instead(file, name, **options)
        return
    if not data.ndim:
        raise ValueError(f"{name} is a single number, which has no halves")
    layout = h5py.VirtualLayout(data.shape, data.dtype)  # half of it from a file that is not there, or from itself
    half = data.shape[0] // 2
    if how == "virtual itself":
        file["kept apart"] = data
        layout[:half] = h5py.VirtualSource(".", "kept apart", data.shape)[:half]
    else:
        layout[:half] = h5py.VirtualSource("gone.h5", "data", data.shape)[:half]
    del file[name]
    file.create_virtual_dataset(name, layout)


def claim(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    _instead(file, name, shape=shape, dtype="u2", chunks=tuple(min(n, 16) for n in shape))


def drop(file: h5py.File, name: str) -> None:
    del file[name]


def move(file: h5py.File, name: str, goal: str) -> None:
    file.move(name, goal)


def copy(file: h5py.File, name: str, goal: str) -> None:
    file.copy(name, file, goal)


def link(file: h5py.File, name: str, to: str, outside: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink(outside, to) if outside else h5py.SoftLink(to)


def mark(file: h5py.File, name: str, key: str, value: Any) -> None:
    file[name].attrs[key] = value


def unmark(file: h5py.File, name: str, key: str) -> None:
    del file[name].attrs[key]


_KEYS = ("units", "unit", "axes", "signal", "default", "definition", "NX_class", "creator", "scale", "offset", "dim0",
         "pixel_size", "voxel_size", "angle_unit", "target")  # fmt: skip
_HOW = ("gzip", "rows", "growing", "unwritten", "never", "outside", "null", "ragged", "text", "reference", "enum",
        "virtual", "virtual itself")  # fmt: skip


def _steps(held: Base) -> st.SearchStrategy[Step]:
    dataset = st.sampled_from(held.datasets)
    member = st.sampled_from(held.datasets + held.groups[1:])
    anything = st.sampled_from(held.datasets + held.groups)
    key = st.sampled_from((*held.attributes, *_KEYS))
    goal = st.builds(lambda group, name: f"{group}/{name}", st.sampled_from(held.groups), texts)

    def step(done: Callable[..., None], name: st.SearchStrategy[str], *what: st.SearchStrategy[Any]):
        return st.builds(Step, st.just(done), name, st.tuples(*what))

    return st.one_of(
        step(mark, anything, key, values),
        step(put, dataset, values),
        step(cast, dataset, types),
        step(reshape, dataset, st.lists(st.integers(-20, 3), max_size=3).map(tuple), st.none() | st.integers(0, 3)),
        step(turn, dataset, st.permutations(range(4)).map(tuple)),
        step(fill, dataset, numbers, st.integers(1, 30)),
        step(store, dataset, st.sampled_from(_HOW)),
        step(claim, dataset, huge_shapes),
        step(drop, member),
        step(move, member, goal),
        step(copy, member, goal),
        step(link, member, anything | goal, st.sampled_from(["", "", "gone.h5", "scan.h5", "../up.h5", "\n"])),
        step(unmark, anything, key),
    )


class Bent(NamedTuple):
    """A layout and what is done to a file of it."""

    layout: str
    steps: tuple[Step, ...]
    cut: float | None  #: part of the file that is left
    spots: tuple[tuple[float, bytes], ...]  #: bytes that are written over others, and how far into the file

    def write(self, folder: Path) -> Path:
        """The file, with what belongs beside it."""
        held = base(self.layout)
        path = folder / f"scan{held.suffix}"
        path.write_bytes(held.data)
        for suffix, data in held.companions:
            path.with_suffix(suffix).write_bytes(data)
        for step in self.steps:
            step.take(path)
        data = bytearray(path.read_bytes())
        for at, new in self.spots:
            start = int(at * len(data))
            data[start : start + len(new)] = new[: len(data) - start]
        if self.spots or self.cut is not None:
            path.write_bytes(data if self.cut is None else data[: int(self.cut * len(data))])
        return path


@st.composite
def bent_files(draw: st.DrawFn) -> Bent:
    """Most with their members bent; some with bytes written over or the end cut off, alone or after that."""
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    held = base(layout)
    steps = draw(st.lists(_steps(held), min_size=1, max_size=4)) if held.datasets else []
    part = st.floats(0, 1, exclude_max=True)
    harm = draw(st.sampled_from(["", "", "", "cut", "spots"] if steps else ["cut", "spots"]))
    cut = draw(part) if harm == "cut" else None
    spots = (
        draw(st.lists(st.tuples(part, st.binary(min_size=1, max_size=8)), min_size=1, max_size=6))
        if harm == "spots"
        else ()
    )
    return Bent(layout, tuple(steps), cut, tuple(spots))
