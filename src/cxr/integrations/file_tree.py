"""Globs expanded and directories listed such that nothing unreadable is passed over in silence."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

from cxr.errors import RecordError

_PASSED_OVER: Final = ".git"
"""Directory whose files are never declared by a directory above it."""

_ANY_DEPTH: Final = "**"

_NOTHING_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""Errors that say that there is no such file, and not that it cannot be looked at."""


def expand_glob(pattern: str, directory: Path) -> set[str]:
    """Return what a glob matches below a directory, as `glob.glob` with ``recursive`` does.

    `glob.glob` itself leaves out what lies in a directory that it may not read.

    Args:
        pattern: Relative; ``**`` stands for directories of any depth.
        directory: That it is relative to.

    Raises:
        RecordError: A directory that may hold a match cannot be read.
    """
    found = {""}
    parts = PurePath(pattern).parts
    for part in parts[:-1]:
        found = {name for parent in found for name in _match(parent, part, directory)}
    last = parts[-1]
    matches = {name for parent in found for name in _match_last(parent, last, directory)}
    if pattern.endswith(os.sep):
        matches = {name for name in matches if is_directory(directory / name)}
    return matches


def list_files(name: str, directory: Path) -> set[str]:
    """Return a file, or all files of a directory, hidden ones included.

    A link counts as what it leads to. One that leads back to a directory in which it lies adds
    nothing.

    Args:
        name: Of the file or the directory, below ``directory``.
        directory: That it is relative to.

    Raises:
        RecordError: A directory cannot be read.
    """
    if not is_directory(directory / name):
        return {PurePath(os.path.normpath(name)).as_posix()}
    found = set()
    for parent in _walk(name, directory, frozenset(), hidden=True):
        found |= {
            PurePath(os.path.normpath(child)).as_posix()
            for child in _list(parent, directory)
            if not is_directory(directory / child)
        }
    return found


def is_directory(path: Path) -> bool:
    """Say whether a path is a directory, or a link to one.

    Raises:
        RecordError: It cannot be looked at.
    """
    found = _look_at(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(path: Path) -> bool:
    """Say whether a path is a regular file, or a link to one.

    Raises:
        RecordError: It cannot be looked at.
    """
    found = _look_at(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def _match(parent: str, part: str, directory: Path) -> Iterator[str]:
    """Return what one part of a glob matches in a directory; nothing where that is none."""
    if not is_directory(directory / parent):
        return
    if part == _ANY_DEPTH:
        yield from _walk(parent, directory, frozenset(), hidden=False)
    elif not glob.has_magic(part):
        child = os.path.join(parent, part)  # noqa: PTH118 - of names, not of places
        if _look_at(directory / child, follow=False) is not None:
            yield child
    else:
        for child in _list(parent, directory):
            name = PurePath(child).name
            if fnmatch.fnmatch(name, part) and (part.startswith(".") or not _is_hidden(name)):
                yield child


def _match_last(parent: str, part: str, directory: Path) -> Iterator[str]:
    """Do so for the last part, in which ``**`` stands for everything and not for directories."""
    if part != _ANY_DEPTH:
        yield from _match(parent, part, directory)
    elif not parent:
        yield from _match(parent, "*", directory)
    elif is_directory(directory / parent):
        yield parent


def _walk(
    name: str, directory: Path, above: frozenset[tuple[int, int]], *, hidden: bool
) -> Iterator[str]:
    """Return a directory and all below it, each by every way that goes through none of them twice.

    Args:
        name: The directory, below ``directory``.
        directory: That names are relative to.
        above: Device and inode of the directories that were gone through.
        hidden: Whether hidden directories count.
    """
    found = _look_at(directory / name)
    if found is None or not stat.S_ISDIR(found.st_mode) or (found.st_dev, found.st_ino) in above:
        return
    yield name
    above |= {(found.st_dev, found.st_ino)}
    for child in _list(name, directory):
        last = PurePath(child).name
        if last != _PASSED_OVER and (hidden or not _is_hidden(last)):
            yield from _walk(child, directory, above, hidden=hidden)


def _list(name: str, directory: Path) -> list[str]:
    """Return what lies in a directory, in name order."""
    try:
        return [os.path.join(name, child) for child in sorted(os.listdir(directory / name))]  # noqa: PTH118, PTH208 - names
    except OSError as error:
        raise _explain(error, name or ".") from error


def _look_at(path: Path, *, follow: bool = True) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise _explain(error, str(path)) from error


def _explain(error: OSError, where: str) -> RecordError:
    return RecordError(
        f"cannot look for declared files: {error.strerror or error}",
        where=where,
        hint="check its permissions, or declare other files",
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
