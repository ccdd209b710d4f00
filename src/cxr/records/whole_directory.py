"""A directory that is there whole or not at all: grown beside its place, and named at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cxr.atomic import flush_directory, make_directory, storage_errors
from cxr.errors import RunDirectoryTakenError
from cxr.records.free_place import require_free, require_writable


def find_target(directory: Path, *, what: str, option: str | None = "--out") -> Path:
    """Return where a directory is given its name, once it is known that it can be.

    An empty directory there makes way; but only one that can, which is found out before any work.

    Args:
        directory: Where it was asked for.
        what: What it would be, for an error.
        option: Which one names the path, if one does.

    Raises:
        RunDirectoryTakenError: It cannot.
        StorageError: Nothing can be written there.
    """
    by = f" with {option}" if option else ""
    reason = ""
    if directory.is_symlink():
        reason = "a link stands"
    elif directory.is_dir() and directory.samefile(Path()):
        reason = "the working directory is"
    elif directory.is_mount():
        reason = "a disk is mounted"
    if reason:
        raise RunDirectoryTakenError(
            f"{reason} where the {what} would be written",
            where=str(directory),
            hint=f"name a new directory, or one inside of it,{by}".rstrip(","),
        )
    require_free(directory, what=what, option=option)
    require_writable(directory, option=option)
    with storage_errors(directory, option=option):
        return directory.resolve()


@contextlib.contextmanager
def growing_beside(target: Path) -> Iterator[Path]:
    """Make a directory from which a rename leads to ``target``; what is not renamed goes.

    Directories above that are not there yet are not made for what may never be there.
    """
    place = next(above for above in target.parents if above.exists())
    with storage_errors(place), tempfile.TemporaryDirectory(prefix=".", dir=place) as temporary:
        growing = Path(temporary) / "growing"
        make_directory(growing)
        yield growing


def name_directory(growing: Path, target: Path) -> None:
    """Give a directory its name; an empty one there makes way, anything else does not."""
    make_directory(target.parent)
    with storage_errors(target):
        growing.rename(target)
        flush_directory(target.parent)
