"""Writing files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from cxr.errors import StorageError, UsageError

TEMPORARY: Final = ".tmp"
"""How the names of half-written files end."""


@contextlib.contextmanager
def storage_errors(path: Path, *, option: str | None = None) -> Iterator[None]:
    """Turn an operating-system error of the block into a `StorageError` that names ``path``.

    Args:
        path: What is written.
        option: Which one names another place for it, if one does.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        elsewhere = f", or write elsewhere ({option})" if option else ""
        raise StorageError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            hint=(
                f"free space there{elsewhere or ', or name another place'}, and start again"
                if full
                else f"check the path and its permissions{elsewhere}"
            ),
        ) from error


@contextlib.contextmanager
def atomic_writer(path: Path, *, option: str | None = None) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that takes its name when the block ends well.

    The content is flushed to the disk before the rename, and the directory after it. When the
    block fails the temporary file is removed and ``path`` is left as it was.

    Args:
        path: What is written.
        option: Which one names another place for it, if one does.

    Raises:
        StorageError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with storage_errors(path, option=option), temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with storage_errors(path, option=option):
            temporary.replace(path)
            flush_directory(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def output_writer(path: Path, *, option: str = "--out") -> Iterator[IO[bytes]]:
    """Open a file that the user named, to be written whole.

    Through a link its target is written. What is no regular file, as ``/dev/stdout`` or a pipe, is
    written to and never replaced. Files of a record are written with `atomic_writer`.

    Args:
        path: As it was named.
        option: The option that named it.

    Raises:
        UsageError: A directory stands there.
        StorageError: The file cannot be written.
    """
    if path.is_dir():
        raise UsageError(
            "a directory stands where the file would be written",
            where=str(path),
            hint=f"name a file with {option}",
        )
    if path.exists() and not path.is_file():
        with storage_errors(path, option=option), path.open("wb") as stream:
            yield stream
    else:
        with storage_errors(path, option=option):
            target = path.resolve()
        with atomic_writer(target, option=option) as stream:
            yield stream


def write_output(path: Path, content: bytes) -> None:
    """Write ``content`` to a file that the user named, as `output_writer` does.

    Raises:
        UsageError: A directory stands there.
        StorageError: The file cannot be written.
    """
    with output_writer(path) as stream:
        stream.write(content)


def append_whole(path: Path, stream: io.RawIOBase, content: bytes) -> None:
    """Append to an unbuffered file all of ``content``, or nothing.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    descriptor = stream.fileno()
    size_bytes = os.fstat(descriptor).st_size
    with storage_errors(path):
        try:
            left = memoryview(content)
            while left:
                left = left[stream.write(left) or 0 :]
        except OSError:
            os.ftruncate(descriptor, size_bytes)
            raise


def write_bytes(path: Path, content: bytes, *, option: str | None = None) -> None:
    """Write ``content`` to ``path`` atomically.

    Args:
        path: What is written.
        content: All that it holds then.
        option: Which one names another place for it, if one does.

    Raises:
        StorageError: The file cannot be written.
    """
    with atomic_writer(path, option=option) as stream:
        stream.write(content)


def create_file(path: Path, content: bytes, *, mode: int, option: str) -> None:
    """Write a file that must not be there yet, whole and never over another one.

    It has its permissions from its first byte on.

    Args:
        path: Where; a link there counts as a file, wherever it leads.
        content: What to write.
        mode: The permissions, as in ``0o600``.
        option: Which one names another place for it.

    Raises:
        FileExistsError: Something stands there; it is left as it is.
        StorageError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    with storage_errors(path, option=option):
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with storage_errors(path, option=option), os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Unlike a rename, a new name for a file is refused where one stands.
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError as error:
            with storage_errors(path, option=option):
                raise error from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    with storage_errors(path, option=option):
        flush_directory(path.parent)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` atomically, as UTF-8 with the line ends that it has."""
    write_bytes(path, content.encode("utf-8"))


def make_directory(path: Path, *, option: str | None = None) -> None:
    """Make ``path`` and its parents; one that exists is left as it is.

    Args:
        path: The directory.
        option: Which one names another place for it, if one does.

    Raises:
        StorageError: The directory cannot be made.
    """
    with storage_errors(path, option=option):
        path.mkdir(parents=True, exist_ok=True)


def flush_directory(path: Path) -> None:
    """Ask the disk to keep the names in ``path``, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
