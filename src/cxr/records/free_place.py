"""A place for a new record: free, outside of every other record, and writable."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

from cxr.atomic import make_directory, storage_errors
from cxr.errors import RunDirectoryTakenError
from cxr.records.exported import is_export
from cxr.records.run_directory import ENVIRONMENT, MANIFEST, REPEAT, REPRODUCTION, RUNS


def create_named(name: str, parent: Path = RUNS, *, option: str = "--out") -> Path:
    """Make a directory of this name below ``parent``, with a number behind it if it is taken.

    Of two processes that ask for one name at the same time, each gets a directory of its own.

    Args:
        name: Of the directory.
        parent: Where it is made.
        option: Which one names another place for it.

    Raises:
        StorageError: It cannot be made.
    """
    make_directory(parent, option=option)
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        with storage_errors(path, option=option), contextlib.suppress(FileExistsError):
            path.mkdir()
            break
    return path


def create_directory(path: Path, *, what: str = "run", option: str = "--out") -> None:
    """Make a directory for a new record, refusing one that already holds something.

    Raises:
        RunDirectoryTakenError: ``path`` is a file, or a directory that is not empty.
        StorageError: It cannot be made.
    """
    require_free(path, what=what, option=option)
    make_directory(path, option=option)


def require_free(path: Path, *, what: str = "run", option: str | None = "--out") -> None:
    """Refuse a path at which something already stands.

    The runs of a repeat, and a reproduction's, lie inside its record: that is no reason to refuse.

    Args:
        path: What would be written.
        what: What it would be, for an error.
        option: Which one names the path, if one does.

    Raises:
        RunDirectoryTakenError: ``path`` is a file, a link to nothing, a directory that is not
            empty, or lies inside the record of a run or of an evaluation, or inside an export.
    """
    hint = "name another directory" + (f" with {option}" if option else "")
    if os.path.lexists(path) and not path.is_dir():
        raise RunDirectoryTakenError(
            f"a file or a broken link stands where the {what} would be written",
            where=str(path),
            hint=hint,
        )
    if path.is_dir() and any(path.iterdir()):
        raise RunDirectoryTakenError(
            f"the directory of the {what} already exists and is not empty",
            where=str(path),
            hint=f"{hint}; a record is never written over",
        )
    _require_no_record_above(path, _holds_whole_record, what=what, hint=hint)


def require_outside_records(path: Path, *, what: str, option: str | None = "--out") -> None:
    """Refuse a path inside any record or export: a completed one never changes.

    Args:
        path: What would be written.
        what: What it would be, for an error.
        option: Which one names the path, if one does.

    Raises:
        RunDirectoryTakenError: It lies inside a run, an evaluation, a repeat, a reproduction or an
            export.
    """
    hint = "name a place outside of it" + (f" with {option}" if option else "")
    _require_no_record_above(path, _holds_record, what=what, hint=hint)


def _require_no_record_above(
    path: Path, is_record: Callable[[Path], bool], *, what: str, hint: str
) -> None:
    for above in path.resolve().parents:
        if is_record(above):
            into = "an export or a release" if is_export(above) else "another record"
            raise RunDirectoryTakenError(
                f"the {what} would be written into {into}",
                where=f"{path}, below {above}",
                hint=hint,
            )


def _holds_whole_record(path: Path) -> bool:
    """Say whether nothing at all comes into a directory: not even another record."""
    is_run = (path / MANIFEST).is_file() and (path / ENVIRONMENT).is_file()
    return is_run or is_export(path)


def _holds_record(path: Path) -> bool:
    is_whole = _holds_whole_record(path)
    return is_whole or any((path / name).is_file() for name in (REPEAT, REPRODUCTION))


def require_writable(path: Path, *, option: str | None = "--out") -> None:
    """Refuse, before long work, a path below which nothing can be written.

    Args:
        path: What would be written.
        option: Which one names another place for it, if one does.

    Raises:
        StorageError: The nearest directory above it that exists allows no new entry.
    """
    with storage_errors(path, option=option):
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(nearest, os.W_OK | os.X_OK):
            is_read_only = os.statvfs(nearest).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_read_only else errno.EACCES
            raise OSError(number, os.strerror(number))
