"""Reading a file that somebody names, which may be endless, or no file at all."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading bytes.

    It is looked at before it is opened: a pipe would wait for a writer, and a device never end.

    Args:
        path: The file, or a link to it.

    Raises:
        OSError: It cannot be opened, or is something else.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, _name_other(path))
    # A pipe may have taken its place since: it is opened without waiting, and looked at again.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, _name_other(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path) -> bytes:
    """Return the bytes of a regular file, however many they are.

    Raises:
        OSError: It cannot be read, or is something else.
    """
    with open_regular(path) as stream:
        return stream.read()


def read_bounded(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: The file, or a link to it.
        max_bytes: How many bytes it may have.

    Raises:
        OSError: It cannot be read, is something else, or is larger.
    """
    with open_regular(path) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {max_bytes / 2**20:,.0f} MiB")
    return content


def _name_other(path: Path) -> str:
    return os.strerror(errno.EISDIR) if path.is_dir() else "it is no regular file"
