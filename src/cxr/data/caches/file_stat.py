"""Whether a file is still the one whose bytes were hashed, from what the system says of it.

As git's index does it: size, times of change, inode and device. The time of change of the inode
(``ctime``) is among them, which nobody can set back. A file that changed so lately that another
change could have the same time stamp is not trusted: git calls such a one racily clean.
Source: git's Documentation/technical/racy-git.txt.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Final

from cxr.digests.files import SETTLED_NS

_FIELDS: Final = struct.Struct("<6q")
_MASK: Final = 2**63 - 1  # device and inode may need 64 bits without a sign


def pack_stat(found: os.stat_result) -> bytes:
    """Return what must stay the same of a file that did not change: 48 bytes."""
    return _FIELDS.pack(
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino & _MASK,
        found.st_dev & _MASK,
        found.st_mode,
    )


def is_settled(found: os.stat_result, *, now_ns: int) -> bool:
    """Say whether a regular file could not change again without a new time stamp.

    Args:
        found: What the system said of it.
        now_ns: When it was asked, in nanoseconds since 1970.
    """
    latest_ns = max(found.st_mtime_ns, found.st_ctime_ns)
    return stat.S_ISREG(found.st_mode) and latest_ns < now_ns - SETTLED_NS
