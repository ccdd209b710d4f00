"""Reading the bytes of one image file, and of nothing that only has the name of one."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from cxr.errors import DataError

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_image(file: Path) -> bytes:
    """Return the bytes of a regular file; links are followed.

    Anything else is refused before it is opened: a pipe would keep its reader waiting for ever.

    Raises:
        DataError: The file is missing, unreadable, or no regular file.
    """
    try:
        kind = stat.S_IFMT(file.stat().st_mode)
        if kind == stat.S_IFREG:
            return file.read_bytes()
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
