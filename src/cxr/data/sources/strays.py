"""What a folder of images holds besides those that are found: passed over, but not in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cxr.data.decoding.file_format import (
    HEAD_BYTES,
    SUFFIXES,
    explain_other_content,
    is_named_as_read,
    recognise_format,
)
from cxr.data.sources.listing import explain_unlisted
from cxr.data.sources.source import Stray

_OS_FILES: Final = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".localized"})
"""In lower case. Source: Finder of macOS, Explorer of Windows."""

_APPLEDOUBLE_PREFIX: Final = "._"


def find_strays(root: Path, splits: Sequence[str]) -> list[Stray]:
    """Find what `cxr.data.sources.listing.list_images` passes over, and links that lead astray.

    These are hidden images and folders of such, what operating systems leave, images that have no
    suffix or another one, folders that are linked twice within a split, and links that lead out of
    the data set or into another split. Texts, tables and the like are none of these; neither is a
    file that cannot be opened and has not the name of an image.

    Args:
        root: The data set's directory.
        splits: The directories below it that hold the images; empty where that is ``root``.

    Returns:
        Sorted by path.

    Raises:
        DataError: A directory cannot be listed.
    """
    places = [root / split for split in splits] or [root]
    reals = [os.path.realpath(place) for place in places]
    strays: list[Stray] = []
    for place, real in zip(places, reals, strict=True):
        if place.is_dir():
            others = [other for other in reals if other != real]
            walk = _Walk(root, os.path.realpath(root), others, strays)
            walk.report_link(place, place.is_symlink())
            walk.visit(place)
    if splits:
        strays += _find_beside(root, splits)
    return sorted(strays)


def _find_beside(root: Path, splits: Sequence[str]) -> Iterator[Stray]:
    """Yield the folders and files beside the splits that are or hold images: no split has them."""
    for entry in _list(root):
        if entry.name in splits or entry.name.startswith("."):
            continue
        num = _count_images(Path(entry.path)) if entry.is_dir() else is_named_as_read(entry.name)
        if num:
            detail = f"beside {', '.join(splits)}: {num:,} files named as images are passed over"
            yield entry.name, "beside-splits", detail


@dataclass(slots=True)
class _Walk:
    """A walk through one split, in the order in which images are listed."""

    root: Path
    real_root: str
    other_splits: Sequence[str]
    strays: list[Stray]
    seen: set[str] = field(default_factory=set)

    def visit(self, directory: Path) -> None:
        """Look at a directory and, in the order of their names, at those below it."""
        real = os.path.realpath(directory)
        if real in self.seen:
            self._add(directory, "linked-twice", "the same folder under another name, seen once")
            return
        self.seen.add(real)
        children: list[os.DirEntry[str]] = []
        leading: list[str] = []
        for entry in _list(directory):
            if entry.is_dir():
                children.append(entry)
                continue
            if entry.is_symlink() and (said := self._explain_link(Path(entry.path))):
                leading.append(said)
            if found := _judge_file(entry):
                self._add(Path(entry.path), *found)
        for said in sorted(set(leading)):
            # One of a folder: sets that are links into a store have thousands.
            self._add(
                directory, "link-outside", f"{leading.count(said):,} of its files are links {said}"
            )
        for entry in sorted(children, key=lambda entry: entry.name):
            self._visit_child(entry)

    def _visit_child(self, entry: os.DirEntry[str]) -> None:
        path = Path(entry.path)
        if is_named_as_read(entry.name) and not entry.name.startswith("."):
            return  # listed as an image, and found to be none
        if entry.name.startswith("."):
            if num_images := _count_images(path):
                self._add(
                    path, "hidden", f"a hidden folder with files named as images: {num_images:,}"
                )
            return
        self.report_link(path, entry.is_symlink())
        self.visit(path)

    def report_link(self, path: Path, is_link: bool) -> None:  # noqa: FBT001 - what it is about
        """Add a directory that is a link and leads astray."""
        if is_link and (said := self._explain_link(path)):
            self._add(path, "link-outside", f"a folder that is a link {said}")

    def _explain_link(self, path: Path) -> str | None:
        """Return how a link leads astray, None where it does not."""
        real = os.path.realpath(path)
        if any(_is_within(real, other) for other in self.other_splits):
            return "into another split"
        return None if _is_within(real, self.real_root) else "out of the data set"

    def _add(self, path: Path, kind: str, detail: str) -> None:
        self.strays.append((path.relative_to(self.root).as_posix(), kind, detail))


def _list(directory: Path) -> list[os.DirEntry[str]]:
    """Return what is in a directory, unsorted.

    Raises:
        DataError: It cannot be listed.
    """
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as error:
        raise explain_unlisted(error, str(directory)) from error


def _judge_file(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """Return kind and detail of a file that is passed over, None of one that is listed as an image.

    None as well of one that is neither an image nor named as one.
    """
    if entry.name.lower() in _OS_FILES:
        return "os-file", "left by the operating system"
    if entry.name.startswith("."):
        return _judge_hidden(entry)
    if is_named_as_read(entry.name):
        return None
    file_format = recognise_format(_read_head(entry))
    if file_format is None:
        return None
    if file_format in SUFFIXES:
        return "wrong-suffix", f"the content is {file_format}, which the name does not say"
    return "unsupported-format", f"the content is {file_format}, which is not read"


def _judge_hidden(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """Return kind and detail of a hidden file that has to do with images."""
    head = _read_head(entry)
    if explain_other_content(head)[0] == "appledouble":
        return "appledouble", "a resource fork that macOS left"
    if is_named_as_read(entry.name) or recognise_format(head) is not None:
        return "hidden", "a hidden file, named as an image or being one"
    return None


def _read_head(entry: os.DirEntry[str]) -> bytes:
    """Return the first bytes of a regular file, none of anything else."""
    try:
        if not entry.is_file():
            return b""
        with open(entry.path, "rb") as stream:  # noqa: PTH123 - of thousands
            return stream.read(HEAD_BYTES)
    except OSError:
        return b""


def _count_images(directory: Path) -> int:
    """Return how many files below a hidden directory have the names of images."""
    return sum(
        is_named_as_read(name) and not name.startswith(_APPLEDOUBLE_PREFIX)
        for _, _, names in os.walk(directory)
        for name in names
    )


def _is_within(real: str, directory: str) -> bool:
    """Say whether a resolved path is a resolved directory or lies below it."""
    return real == directory or real.startswith(directory.rstrip(os.sep) + os.sep)
