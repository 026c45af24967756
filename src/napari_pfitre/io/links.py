"""Links in HDF5 files: followed step by step, so that none leads in a circle, into nothing, or anywhere unasked.

A file may link to any file of the computer it is opened on. Links into its own folder and below are followed, as the
writers of facilities mean them; one that leads elsewhere only after the user has said ``links='anywhere'``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from ..errors import FormatError
from .guard import vouch

__all__ = ["Policy", "beside", "find", "follow", "policy", "require", "wanted"]

_FAILURES = (KeyError, OSError, RuntimeError, ValueError)
_LONGEST_CHAIN = 16  # of links; HDF5 itself gives up at 16


@dataclass
class Policy:
    """How far links may lead, and which were held back."""

    anywhere: bool = False
    held_back: list[str] = field(default_factory=list)  #: a clause each

    def allows(self, master: Path, target: Path, name: str) -> bool:
        """Whether `target`, linked to from `master` as `name`, may be opened."""
        if self.anywhere or _below(target, master.parent):
            return True
        clause = f"{name} links to {target}, which is outside the folder of {master.name}"
        if clause not in self.held_back:
            self.held_back.append(clause)
        return False


_policy: ContextVar[Policy] = ContextVar("_policy", default=Policy())  # noqa: B039  only its owner adds to one


def policy() -> Policy:
    """The one in force."""
    return _policy.get()


@contextmanager
def follow(anywhere: bool) -> Iterator[Policy]:
    """A new policy, in force within the block (and the thread)."""
    given = Policy(anywhere)
    token = _policy.set(given)
    try:
        yield given
    finally:
        _policy.reset(token)


def _below(target: Path, folder: Path) -> bool:
    """As the paths are written, or as the disk has them: facilities reach one folder in many ways."""
    as_written = os.path.normpath(target.absolute()).startswith(os.path.normpath(folder.absolute()) + os.sep)
    return as_written or os.path.realpath(target).startswith(os.path.realpath(folder) + os.sep)


def beside(master: Path, name: str) -> Path | None:
    """The file that HDF5 would find for `name` mentioned in `master`: as given, relative to it, or just beside it."""
    for candidate in (master.parent / name, master.parent / os.path.basename(name.replace("\\", "/"))):
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):  # a name too long, or with a zero in it
            continue
    return None


def find(group: h5py.Group, name: str | None, depth: int = 0) -> h5py.Dataset | h5py.Group | None:
    """What `name` leads to, or None: not there, dangling, in a loop, damaged, or held back (see `Policy`)."""
    if not name or depth > _LONGEST_CHAIN:
        return None
    try:
        node = group["/"] if name.startswith("/") else group
        for part in name.split("/"):
            if part in ("", "."):
                continue
            following = _step(node, part, depth) if isinstance(node, h5py.Group) else None
            if following is None:
                return None
            node = following
    except _FAILURES:
        return None
    return node


def _step(group: h5py.Group, name: str, depth: int) -> h5py.Dataset | h5py.Group | None:
    link = _link(group, name)
    if isinstance(link, h5py.SoftLink):
        return find(group, link.path, depth + 1)
    target = None
    if isinstance(link, h5py.ExternalLink):
        master = Path(group.file.filename)
        target = beside(master, link.filename)
        full = f"{group.name.rstrip('/')}/{name}"
        if target is None or not policy().allows(master, target, full):
            return None
        try:
            vouch(target)
        except FormatError:
            return None
    thing = group.get(name)
    if target is not None and thing is not None:
        there = Path(thing.file.filename)  # the other file may have sent HDF5 on to a third
        if not os.path.samefile(there, target) and not policy().allows(target, there, link.path):
            return None
    return thing if isinstance(thing, h5py.Dataset | h5py.Group) else None  # a named type is neither


def _link(group: h5py.Group, name: str):
    try:
        return group.get(name, getlink=True)
    except _FAILURES:
        return None


def require(group: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset called `name`.

    Raises
    ------
    FormatError
        When there is none; for a dangling link the sentence names the file and dataset it wants.
    """
    thing = find(group, name)
    if isinstance(thing, h5py.Dataset):
        return thing
    here = Path(group.file.filename)
    if isinstance(thing, h5py.Group):
        raise FormatError(
            f"{name} in {here.name} is a group, not a dataset; it holds {', '.join(list(thing)[:8]) or 'nothing'}"
        )
    if missing := wanted(group, name):
        raise FormatError(missing)
    raise FormatError(f"{here.name} has no dataset {name}; see `napari-pfitre info {here.name}` for what it has")


def wanted(group: h5py.Group, name: str, depth: int = 0) -> str:
    """Where a dangling link points to, as a sentence; empty when `name` leads along no link."""
    here = Path(group.file.filename)
    node: h5py.Group = group["/"] if name.startswith("/") else group
    parts = [part for part in name.split("/") if part]
    for at, part in enumerate(parts):
        link = _link(node, part)
        if isinstance(link, h5py.ExternalLink):
            inner = find(node, part)
            if inner is None:
                return _lost(node, part, link, here)
        elif isinstance(link, h5py.SoftLink) and find(node, part) is None:
            if depth > 8:
                return f"{name} in {here.name} is a link that leads in a circle; pass dataset="
            target = "/".join([link.path, *parts[at + 1 :]])
            further = wanted(node, target, depth + 1)
            return further or f"{name} in {here.name} is a link to {link.path}, which is not there; pass dataset="
        following = find(node, part)
        if not isinstance(following, h5py.Group):
            return ""
        node = following
    return ""


def _lost(node: h5py.Group, part: str, link: h5py.ExternalLink, here: Path) -> str:
    exists = beside(here, link.filename)
    what = "which is not there"
    if exists is not None:
        what = f"which has no such dataset in {exists.name}"
        if not policy().anywhere and not _below(exists, here.parent):
            what = "which is in another folder"
        else:
            try:
                vouch(exists)
            except FormatError as error:
                what = f"but {error}"
    return (
        f"{node.name.rstrip('/')}/{part} in {here.name} is a link to dataset {link.path} of the file {link.filename}, "
        f"{what}; put {Path(link.filename).name} beside {here.name} or pass dataset="
    )
