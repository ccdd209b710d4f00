"""Reading the bytes of one image file, and of nothing that only has the name of one."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cxr.digests.canonical import PREFIX
from cxr.errors import DataError

BLOCK_BYTES: Final = 2**20
"""How much is read at a time for hashing: it fits into a core's own cache."""

MAX_IMAGE_BYTES: Final = 2**30
"""Larger files are refused before they are read.

It is more than the most pixels that are decoded take as 16-bit RGBA; see
`cxr.data.decoding.open_picture.MAX_PIXELS`.
"""

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# A pipe may have taken the file's place since it was looked at: opening it must not wait.
_OPENING: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_image(file: Path) -> bytes:
    """Return the bytes of a regular file; links are followed.

    Anything else is refused before it is opened: a pipe would keep its reader waiting for ever.

    Raises:
        DataError: The file is missing, unreadable, no regular file, or too large.
    """
    with _opened(file) as stream:
        if os.fstat(stream.fileno()).st_size > MAX_IMAGE_BYTES:
            raise DataError(
                f"cannot read an image: it is larger than {MAX_IMAGE_BYTES / 2**20:,.0f} MiB",
                where=str(file),
                hint="restore the file, or leave it out",
            )
        return stream.readall()


def digest_image_file(file: Path, buffer: bytearray) -> tuple[int, str]:
    """Hash a regular file in blocks, without holding more than one of them.

    Args:
        file: The file; links are followed.
        buffer: Where blocks are read to: the caller's own, used for one file after another.

    Returns:
        Size in bytes, and ``sha256:<hex>``.

    Raises:
        DataError: As `read_image`, but for the size.
    """
    with _opened(file) as stream:
        state, num_bytes, view = hashlib.sha256(), 0, memoryview(buffer)
        while num := stream.readinto(view):
            state.update(view[:num])
            num_bytes += num
    return num_bytes, PREFIX + state.hexdigest()


@contextmanager
def _opened(file: Path) -> Iterator[io.FileIO]:
    """Open a regular file, and explain whatever goes wrong in the block."""
    try:
        kind = stat.S_IFMT(os.stat(file).st_mode)  # noqa: PTH116 - pathlib's takes twice as long
        if kind == stat.S_IFREG:
            with io.FileIO(file, opener=_open) as stream:
                yield stream
            return
    except OSError as error:
        raise DataError(
            f"cannot read an image: {error.strerror or error}",
            where=str(file),
            hint="restore the file or its permissions",
        ) from error
    raise DataError(
        f"cannot read an image: it is {_KINDS.get(kind, 'no regular file')}",
        where=str(file),
        hint="move it out of the data set: only regular files can be images",
    )


def _open(name: str, flags: int) -> int:
    return os.open(name, flags | _OPENING)
