"""The files that a command is given or leaves: found by globs below the working directory."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Final

from cxr.digests.files import digest_file
from cxr.errors import RecordError, UsageError
from cxr.plain_text import is_plain_text
from cxr.records.command_record import HashedFile

_PASSED_OVER: Final = ".git"
"""Directory whose files are never declared by a directory above it."""


def find_files(patterns: Sequence[str], directory: Path, *, besides: Path | None) -> set[str]:
    """Return the files that globs match, by POSIX path below a directory.

    ``**`` stands for directories of any depth. A pattern that names a directory stands for all
    files in it. A link counts as what it leads to, wherever that lies.

    Args:
        patterns: As the user gave them.
        directory: That they are relative to.
        besides: A directory whose files are left out: the record itself.

    Raises:
        UsageError: A pattern leads out of the directory.
        RecordError: Something that is matched is no file, or has a name that no record can hold.
    """
    found: set[str] = set()
    for pattern in patterns:
        _require_inside(pattern)
        for match in glob.glob(pattern, root_dir=directory, recursive=True):  # noqa: PTH207 - root_dir
            found |= _list_files(match, directory)
    skipped = _name_below(besides, directory) if besides is not None else None
    kept = {name for name in found if skipped is None or not name.startswith(f"{skipped}/")}
    for name in kept:
        _require_file(name, directory)
    return kept


def find_named_files(arguments: Iterable[str], directory: Path) -> set[str]:
    """Return the files below a directory that a command's own words name, such as a script."""
    found = set()
    for argument in arguments:
        name = _name_below(Path(argument), directory) if is_plain_text(argument) else None
        if name is not None and (directory / name).is_file():
            found.add(name)
    return found


def hash_files(names: Iterable[str], directory: Path) -> dict[str, HashedFile]:
    """Return size and digest of files.

    Raises:
        RecordError: One cannot be read.
    """
    hashed = {}
    for name in sorted(names):
        path = directory / name
        try:
            hashed[name] = HashedFile(bytes=path.stat().st_size, sha256=digest_file(path))
        except OSError as error:
            raise RecordError(
                f"a declared file cannot be read: {error.strerror or error}",
                where=name,
                hint="check its permissions, or declare other files",
            ) from error
    return hashed


def _require_inside(pattern: str) -> None:
    parts = PurePath(pattern).parts
    if not parts or PurePath(pattern).is_absolute() or ".." in parts or pattern.startswith("~"):
        raise UsageError(
            "a declared file lies outside the working directory",
            where=pattern or "an empty pattern",
            hint="run the command where its files are, or link them there",
        )


def _list_files(match: str, directory: Path) -> set[str]:
    """Return a file, or all files of a directory, hidden ones included."""
    if not (directory / match).is_dir():
        return {PurePath(os.path.normpath(match)).as_posix()}
    found = set()
    for parent, children, names in os.walk(directory / match, followlinks=True):
        children[:] = [child for child in children if child != _PASSED_OVER]
        below = PurePath(os.path.relpath(parent, directory))
        found |= {(below / name).as_posix() for name in names}
    return found


def _name_below(path: Path, directory: Path) -> str | None:
    """Return a path as it is named below a directory; None where it lies elsewhere."""
    whole = os.path.normpath(directory / path)
    base = os.path.normpath(directory)
    return (
        PurePath(os.path.relpath(whole, base)).as_posix()
        if whole.startswith(base.rstrip(os.sep) + os.sep)
        else None
    )


def _require_file(name: str, directory: Path) -> None:
    if not is_plain_text(name):
        raise RecordError(
            "the name of a declared file holds control characters or is not Unicode",
            where=name,
            hint="rename it, or declare other files",
        )
    if not (directory / name).is_file():
        raise RecordError(
            "something that is declared is no file: a broken link, a pipe or a device",
            where=name,
            hint="declare files and directories alone",
        )
