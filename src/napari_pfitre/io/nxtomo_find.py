"""Where an NXtomo file keeps its frames, image key and angles.

ESRF (nxtomo, nxtomomill), Diamond (classic, fly scans, DIAD without a definition), Mantid Imaging and CIL put them in
different places. A candidate is a group that says NXtomo, or a detector that has an image key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from ..errors import FormatError, QuestionError
from .hdf5 import children, find, wanted
from .hints import ReadHints
from .values import attribute, text

__all__ = ["Place", "choose", "groups", "places", "says_nxtomo"]

#: zebraSM1: the rotation as Diamond's position capture has it
_ANGLE_NAMES = ("rotation_angle", "rot", "theta", "omega", "angle", "zebrasm")


@dataclass
class Place:
    """One measurement in a file."""

    label: str  #: path of the entry or detector, as `entry=` names it
    root: h5py.Group  #: what metadata are looked for under
    detector: h5py.Group | None
    data: str  #: path of the frames
    key: h5py.Dataset | None
    control: h5py.Dataset | None
    angles: h5py.Dataset | None

    @property
    def trouble(self) -> str:
        """Why the frames cannot be reached; empty when they can."""
        file = self.root.file
        if isinstance(find(file, self.data), h5py.Dataset):
            return ""
        return wanted(file, self.data) or f"{self.data} is not in {Path(file.filename).name}"


def says_nxtomo(group: h5py.Group) -> bool:
    definition = find(group, "definition")
    said = text(definition) if isinstance(definition, h5py.Dataset) else attribute(group, "definition")
    return said.lower() == "nxtomo"


def places(file: h5py.File) -> list[Place]:
    """All candidates, those that say NXtomo before those that merely have an image key."""
    said: list[Place] = []
    implied: list[Place] = []
    for group in groups(file):
        if says_nxtomo(group):
            said.append(_of_definition(group))
        elif isinstance(find(group, "image_key"), h5py.Dataset) and "data" in group:
            implied.append(_of_detector(group))
    inside = tuple(place.root.name.rstrip("/") + "/" for place in said)
    roots = {place.root.name.strip("/").split("/")[0] for place in said}
    rest = [p for p in implied if not p.label.startswith(inside) and p.label.strip("/").split("/")[0] not in roots]
    return said + _distinct(rest)


def groups(file: h5py.File, depth: int = 4) -> Iterator[h5py.Group]:
    """Every group down to some depth, once however it is linked, and none of other files."""
    seen: set[int] = set()

    def walk(group: h5py.Group, left: int) -> Iterator[h5py.Group]:
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            return
        seen.add(address)
        yield group
        for name, thing in children(group) if left else ():
            if isinstance(thing, h5py.Group) and not isinstance(_linked(group, name), h5py.ExternalLink):
                yield from walk(thing, left - 1)

    return walk(file["/"], depth)


def _linked(group: h5py.Group, name: str):
    try:
        return group.get(name, getlink=True)
    except (KeyError, RuntimeError, OSError):
        return None


def _distinct(found: list[Place]) -> list[Place]:
    """A detector and the NXdata that shows it are one place: the one whose frames and key are the same objects."""
    out: dict[object, Place] = {}
    for place in found:
        data = find(place.root.file, place.data)
        identity: object = place.data
        if isinstance(data, h5py.Dataset):
            identity = (data.file.filename, h5py.h5o.get_info(data.id).addr)
        if identity not in out or (out[identity].angles is None and place.angles is not None):
            out[identity] = place
    return list(out.values())


def _first(group: h5py.Group, *names: str) -> h5py.Dataset | None:
    for name in names:
        thing = find(group, name)
        if isinstance(thing, h5py.Dataset) and thing.shape is not None and thing.size:
            return thing
    return None


def _of_definition(group: h5py.Group) -> Place:
    base = group.name.rstrip("/")
    instrument = find(group, "instrument")
    detectors = [
        thing
        for _, thing in (children(instrument) if isinstance(instrument, h5py.Group) else ())
        if isinstance(thing, h5py.Group) and ("image_key" in thing or "data" in thing)
    ]
    detectors.sort(key=lambda d: (not d.name.endswith("/detector"), "image_key" not in d))
    detector = detectors[0] if detectors else None
    key = _first(group, "instrument/detector/image_key", "data/image_key", "instrument/image_key/image_key")
    control = _first(group, "instrument/detector/image_key_control", "data/image_key_control")
    if detector is not None:
        key = key or _first(detector, "image_key")
        control = control or _first(detector, "image_key_control")
    candidates = [f"{base}/instrument/detector/data", f"{base}/data/data"]
    if detector is not None:
        candidates.insert(1, f"{detector.name}/data")
    file = group.file
    data = next((name for name in candidates if isinstance(find(file, name), h5py.Dataset)), None)
    data = data or next((name for name in candidates if _is_there(file, name)), candidates[0])
    count = key.size if key is not None else None
    angles = _first(group, "sample/rotation_angle", "data/rotation_angle", "instrument/detector/rotation_angle")
    parent = group.parent if base else group
    angles = angles or _angle_near(group, count) or (_angle_near(parent, count) if parent.name != "/" else None)
    return Place(base or "/", group, detector, data, key, control, angles)


def _is_there(file: h5py.File, name: str) -> bool:
    """Whether a name exists, be it as a link that leads nowhere."""
    parent, _, leaf = name.rpartition("/")
    group = find(file, parent or "/")
    return isinstance(group, h5py.Group) and leaf in group


def _of_detector(group: h5py.Group) -> Place:
    key = _first(group, "image_key")
    root = group.file["/"]
    entry = find(root, group.name.strip("/").split("/")[0])
    entry = entry if isinstance(entry, h5py.Group) else root
    same_name = find(entry, group.name.rsplit("/", 1)[-1])
    angles = None
    for place in (group, same_name, entry):
        if angles is None and isinstance(place, h5py.Group):
            angles = _angle_near(place, None if key is None else key.size)
    control = _first(group, "image_key_control")
    return Place(group.name, entry, group, f"{group.name}/data", key, control, angles)


def _angle_near(group: h5py.Group, count: int | None) -> h5py.Dataset | None:
    """An angle for each frame: what NXdata's `axes` names, else a row of numbers called so here or in a positioner."""
    if name := attribute(group, "axes"):
        thing = find(group, name)
        if isinstance(thing, h5py.Dataset) and thing.ndim == 1 and thing.size == count:
            return thing
    fitting = []
    for name, thing in _nearby(group):
        if (
            not isinstance(thing, h5py.Dataset)
            or thing.shape is None
            or thing.ndim != 1
            or thing.dtype.kind not in "iuf"
        ):
            continue
        if thing.size > 1 and (count is None or abs(thing.size - count) <= 2):
            rank = next((i for i, word in enumerate(_ANGLE_NAMES) if word in name.lower()), None)
            if rank is not None:
                fitting.append((thing.size != count, rank, len(name), thing))
    return min(fitting, key=lambda item: item[:3])[3] if fitting else None


def _nearby(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset | h5py.Group | None]]:
    """Members of a group, of its positioners, and of its instrument's positioners."""
    for name, thing in children(group):
        yield name, thing
        if isinstance(thing, h5py.Group) and name in ("sample", "instrument", "data"):
            for inner, below in children(thing):
                yield inner, below
                if isinstance(below, h5py.Group) and attribute(below, "NX_class") == "NXpositioner":
                    for leaf, value in children(below):
                        yield f"{inner}_{leaf}", value


def choose(file: h5py.File, hints: ReadHints, notices: list[str]) -> Place:
    """The one measurement to read: the one asked for, the only one that can be read, or the file's default.

    Raises
    ------
    QuestionError
        When several are left, or several detectors of one of which none has the definition's name.
    """
    return _one_detector(_one_measurement(file, hints, notices), hints, notices)


def _one_detector(place: Place, hints: ReadHints, notices: list[str]) -> Place:
    """The place with the detector that is meant, of several that took frames side by side."""
    file = place.root.file
    instrument = find(place.root, "instrument") if says_nxtomo(place.root) else None
    detectors = {
        f"{thing.name}/data": thing
        for _, thing in (children(instrument) if isinstance(instrument, h5py.Group) else ())
        if isinstance(thing, h5py.Group)
        and isinstance(frames := find(thing, "data"), h5py.Dataset)
        and frames.shape is not None
        and frames.ndim == 3
    }
    if len(detectors) < 2:
        return place
    shown = find(place.root, "data/data")
    linked = [name for name in detectors if isinstance(shown, h5py.Dataset) and find(file, name) == shown]
    standard = [name for name in detectors if name.endswith("/instrument/detector/data")]
    wanted_name = hints.dataset if hints.dataset in detectors else next(iter(standard + linked), None)
    if hints.dataset is not None and hints.dataset not in detectors:
        return place
    if wanted_name is None:
        raise QuestionError(
            f"{Path(file.filename).name} holds frames of {len(detectors)} detectors; pass dataset= as one of "
            f"{', '.join(detectors)}",
            hint="dataset",
            choices=tuple(detectors),
        )
    if hints.dataset is None:
        others = ", ".join(name for name in detectors if name != wanted_name)
        notices.append(f"{wanted_name} was read; there are also frames in {others} (dataset=)")
    own = detectors[wanted_name]
    key, control = _first(own, "image_key") or place.key, _first(own, "image_key_control") or place.control
    return replace(place, detector=own, data=wanted_name, key=key, control=control)


def _one_measurement(file: h5py.File, hints: ReadHints, notices: list[str]) -> Place:
    found = places(file)
    name = Path(file.filename).name
    if hints.entry:
        wanted_entry = "/" + hints.entry.strip("/")
        chosen = [p for p in found if (p.label + "/").startswith(wanted_entry + "/") or p.label.endswith(wanted_entry)]
        if len(chosen) != 1:
            what = "no" if not chosen else "more than one"
            raise QuestionError(
                f"{name} has {what} measurement called {hints.entry}; pass entry= as one of "
                f"{', '.join(p.label for p in found)}",
                hint="entry",
                choices=tuple(p.label for p in found),
            )
        return chosen[0]
    readable = [p for p in found if not p.trouble]
    if not readable:
        raise FormatError(found[0].trouble if found else f"{name} has no image key")
    if len(readable) > 1:
        default = attribute(file, "default").strip("/")
        preferred = [p for p in readable if default and (p.label.strip("/") + "/").startswith(default + "/")]
        if len(preferred) == 1:
            others = ", ".join(p.label for p in readable if p is not preferred[0])
            notices.append(f"{preferred[0].label} was read, the file's default; it also holds {others} (entry=)")
            return preferred[0]
        raise QuestionError(
            f"{name} holds {len(readable)} measurements; pass entry= as one of {', '.join(p.label for p in readable)}",
            hint="entry",
            choices=tuple(p.label for p in readable),
        )
    for lost in found:
        if lost is not readable[0]:
            notices.append(f"{lost.label} has an image key as well, but its frames are not there; it was left aside")
    return readable[0]
