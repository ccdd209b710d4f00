"""The files that a command is given or leaves: found by globs below the working directory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from cxr.digests.files import digest_file
from cxr.errors import RecordError, UsageError
from cxr.integrations.file_tree import expand_glob, is_file, list_files
from cxr.plain_text import is_plain_text
from cxr.records.command_record import HashedFile


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
        RecordError: Something that is matched is no file, or has a name that no record can hold; a
            directory cannot be read.
    """
    found: set[str] = set()
    for pattern in patterns:
        _require_inside(pattern)
        for match in expand_glob(pattern, directory):
            found |= list_files(match, directory)
    skipped = _name_below(besides, directory) if besides is not None else None
    kept = {name for name in found if skipped is None or not name.startswith(f"{skipped}/")}
    for name in kept:
        _require_file(name, directory)
    return kept


def find_named_files(arguments: Iterable[str], directory: Path) -> set[str]:
    """Return the files below a directory that a command's own words name, such as a script.

    Of a word like ``--config=FILE`` what stands behind the sign is looked at, too.
    """
    found = set()
    for argument in arguments:
        for word in (argument, argument.partition("=")[2]):
            name = _name_below(Path(word), directory) if is_plain_text(word) else None
            # A word may be a whole program, longer than any name: `os.path` takes it for no file.
            if name is not None and os.path.isfile(directory / name):  # noqa: PTH113 - see above
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
    if not is_file(directory / name):
        raise RecordError(
            "something that is declared is no file: a broken link, a pipe or a device",
            where=name,
            hint="declare files and directories alone",
        )
