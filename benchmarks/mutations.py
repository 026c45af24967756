"""What fuzz_readers.py does to files: bytes overwritten or cut off; members, links, types, values, attributes bent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

__all__ = ["mutated"]

Rng = np.random.Generator


# -- what is done to the bytes


def _overwrite(path: Path, rng: Rng, start: int, stop: int) -> None:
    data = bytearray(path.read_bytes())
    stop = min(stop, len(data))
    if start >= stop:
        return
    at, length = int(rng.integers(start, stop)), int(rng.choice([1, 2, 4, 8, 64]))
    values = {0: bytes(length), 1: b"\xff" * length, 2: rng.bytes(length)}[int(rng.integers(3))]
    data[at : at + length] = values[: len(data) - at]
    path.write_bytes(data)


def overwrite_anywhere(path: Path, rng: Rng) -> None:
    _overwrite(path, rng, 0, path.stat().st_size)


def overwrite_the_beginning(path: Path, rng: Rng) -> None:
    _overwrite(path, rng, 0, 2048)


def overwrite_much(path: Path, rng: Rng) -> None:
    for _ in range(int(rng.integers(5, 60))):
        _overwrite(path, rng, 48, path.stat().st_size)


def copy_a_piece_elsewhere(path: Path, rng: Rng) -> None:
    data = bytearray(path.read_bytes())
    length = int(rng.choice([8, 16, 64, 512]))
    if len(data) > length:
        source, goal = (int(n) for n in rng.integers(0, len(data) - length, 2))
        data[goal : goal + length] = data[source : source + length]
        path.write_bytes(data)


def bend_an_address(path: Path, rng: Rng) -> None:
    """Metadata are held together by 8-byte addresses: one that points to another place makes loops and nonsense."""
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    words = data[: data.size // 8 * 8].view("<u8")
    found = np.flatnonzero((words > 40) & (words < data.size))
    if found.size > 1:
        one, other = rng.choice(found, 2, replace=False)
        words[one] = words[other] if rng.random() < 0.7 else int(rng.integers(0, data.size))
    path.write_bytes(data.tobytes())


def truncate(path: Path, rng: Rng) -> None:
    os.truncate(path, int(rng.integers(0, path.stat().st_size + 1)))


def append(path: Path, rng: Rng) -> None:
    with open(path, "ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 4096))))


# -- what is done to the members


def _members(file: h5py.File, rng: Rng) -> tuple[list[str], list[str]]:
    datasets: list[str] = []
    groups: list[str] = ["/"]
    file.visititems(lambda name, thing: (datasets if isinstance(thing, h5py.Dataset) else groups).append(name))
    return datasets, groups


def _odd_values(rng: Rng) -> Callable[[h5py.Group, str, tuple[int, ...]], object]:
    def huge(group, name, shape):
        rank = int(rng.integers(1, 5))
        sizes = tuple(int(n) for n in rng.choice([3, 1000, 10**6, 10**9, 2**40], rank))
        total = np.prod(np.array(sizes, float))
        chunks = tuple(min(n, 16) for n in sizes)
        return group.create_dataset(name, sizes, "u2", chunks=chunks if total < 1e17 or rng.random() < 0.5 else None)

    def bomb(group, name, shape):
        side = 4096
        stored = group.create_dataset(name, (64, side, side), "u1", chunks=(64, side, side // 4), compression="gzip")
        stored.id.write_direct_chunk((0, 0, 0), _BOMB)
        return stored

    def typed(kind):
        def make(group, name, shape):
            return group.create_dataset(name, data=np.resize(np.arange(7), shape or (1,)).astype(kind))

        return make

    def strings(group, name, shape):
        return group.create_dataset(name, data=np.full(shape or (1,), b"38.2nm\xff"))

    def ragged(group, name, shape):
        return group.create_dataset(name, (3,), h5py.vlen_dtype(np.int32))

    def text(group, name, shape):
        return group.create_dataset(name, data="NXtomo\0\xe4" * int(rng.integers(1, 50)), dtype=h5py.string_dtype())

    def empty(group, name, shape):
        return group.create_dataset(name, data=h5py.Empty("f4"))

    def none(group, name, shape):
        return group.create_dataset(name, (0, *shape[1:]), "f4")

    def reference(group, name, shape):
        return group.create_dataset(name, data=group.file.ref, dtype=h5py.ref_dtype)

    def compound(group, name, shape):
        return group.create_dataset(name, data=np.zeros(shape or (1,), [("real", "f4"), ("imag", "f4")]))

    def opaque(group, name, shape):
        return group.create_dataset(name, data=np.zeros(shape or (1,), "V5"))

    def enumerated(group, name, shape):
        kind = h5py.enum_dtype({"A": 0, "B": 1}, basetype="i1")
        return group.create_dataset(name, data=np.zeros(shape or (1,), "i1"), dtype=kind)

    def other_shape(group, name, shape):
        rank = int(rng.integers(0, 6))
        return group.create_dataset(name, data=rng.random(tuple(int(n) for n in rng.integers(1, 9, rank))))

    def not_numbers(group, name, shape):
        values = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0], shape or (1,))
        return group.create_dataset(name, data=values)

    kinds = ["f2", "f8", ">u2", "i8", "u8", "c8", "?", "i1", "longdouble"]
    makers = [huge, bomb, strings, ragged, text, empty, none, reference, compound, opaque, enumerated, other_shape,
              not_numbers, *map(typed, kinds)]  # fmt: skip
    return makers[int(rng.integers(len(makers)))]


def _bomb() -> bytes:
    import zlib

    return zlib.compress(bytes(64 * 4096 * 1024), 9)


_BOMB = _bomb()


def replace_a_dataset(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, _ = _members(file, rng)
        if not datasets:
            return
        name = str(rng.choice(datasets))
        attributes, shape = dict(file[name].attrs), file[name].shape or ()
        del file[name]
        try:
            stored = _odd_values(rng)(file["/"], name, shape)
        except (ValueError, TypeError, OverflowError):  # sizes that HDF5 itself refuses
            return
        if rng.random() < 0.7:
            for key, value in attributes.items():
                stored.attrs[key] = value


def delete_a_member(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        names = [name for name in datasets + groups if name != "/"]
        if names:
            del file[str(rng.choice(names))]


def bend_a_link(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        if not datasets:
            return
        name, other = (str(name) for name in rng.choice(datasets + groups[1:], 2))
        del file[name]
        choice = int(rng.integers(6))
        if choice == 0:
            file[name] = h5py.SoftLink("/" + name)
        elif choice == 1:
            file[name] = h5py.SoftLink("/nowhere/at/all")
        elif choice == 2:
            file[name] = h5py.ExternalLink("gone.h5", "/data")
        elif choice == 3:
            file[name] = h5py.ExternalLink(path.name, "/" + name)
        elif choice == 4:
            file[name] = file["/"]
        elif other in file:
            file[name] = h5py.SoftLink("/" + other)


def replace_attributes(path: Path, rng: Rng) -> None:
    values: list[object] = [
        b"\xe4\xff", h5py.Empty("S1"), np.array([b"deg", b"rad"]), "x" * 3000, 3, -1.0, np.nan, 1e308, "1 m", "rad",
        np.zeros(3), np.arange(40), np.array([], float), True, np.float16(3), 1 + 2j, "data", "/", "..", "z:y:x",
    ]  # fmt: skip
    names = ["units", "unit", "axes", "signal", "default", "definition", "NX_class", "creator", "voxel_size", "scale",
             "offset", "centre", "energy_kev", "pixel_size", "dim0", "emd_group_type", "nangles"]  # fmt: skip
    with h5py.File(path, "a") as file:
        datasets, groups = _members(file, rng)
        for _ in range(int(rng.integers(1, 5))):
            thing = file[str(rng.choice(datasets + groups))]
            present = list(thing.attrs)
            name = str(rng.choice(present if present and rng.random() < 0.6 else names))
            thing.attrs[name] = values[int(rng.integers(len(values)))]


def change_values(path: Path, rng: Rng) -> None:
    with h5py.File(path, "a") as file:
        datasets, _ = _members(file, rng)
        stored = file[str(rng.choice(datasets))] if datasets else None
        if stored is None or stored.dtype.kind not in "iuf" or not 0 < (stored.size or 0) < 10_000_000:
            return  # an earlier change may have claimed terabytes
        values = np.array(stored[()], dtype=float)
        flat = values.reshape(-1)
        where = rng.random(flat.size) < rng.choice([0.02, 0.5, 1.0])
        flat[where] = (
            rng.choice([0.0, 1.0, -1.0, 3.0, 1e9, 1e300]) if rng.random() < 0.6 else rng.normal(size=where.sum())
        )
        limits = (np.finfo if stored.dtype.kind == "f" else np.iinfo)(stored.dtype)
        stored[()] = np.clip(values, float(limits.min), float(limits.max) * 0.999).astype(stored.dtype)


BYTES_DONE = (overwrite_anywhere, overwrite_the_beginning, overwrite_much, copy_a_piece_elsewhere, bend_an_address,
              truncate, append)  # fmt: skip
MEMBERS_DONE = (replace_a_dataset, delete_a_member, bend_a_link, replace_attributes, change_values)


def mutated(base: Path, path: Path, rng: Rng) -> list[str]:
    """Write a copy of `base` to `path` with some things done to it; their names."""
    path.write_bytes(base.read_bytes())
    done = []
    if h5py.is_hdf5(base) and rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 3))):
            change = MEMBERS_DONE[int(rng.integers(len(MEMBERS_DONE)))]
            try:
                change(path, rng)
            except (KeyError, RuntimeError, OSError, ValueError, TypeError):  # an earlier change left nothing for this
                continue
            done.append(change.__name__)
    if not done or rng.random() < 0.4:
        change = BYTES_DONE[int(rng.integers(len(BYTES_DONE)))]
        change(path, rng)
        done.append(change.__name__)
    return done
