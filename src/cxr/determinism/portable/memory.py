"""The allocator: memory that an op has freed stays with the process, for the next op.

glibc asks the system for every block above a threshold and gives it back when it is freed; each
large temporary is then touched page by page for the first time, which costs as much as computing
it. Portable arithmetic has many such temporaries. No bit depends on this.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Final

# Source: glibc's malloc/malloc.h and the manual page mallopt(3).
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_MAX: Final = -4

_NEVER_TRIM: Final = -1
_NO_MAPPING: Final = 0
_TOP_PAD_BYTES: Final = 64 * 2**20
"""What the heap grows by: fewer requests of the system, at most this much unused."""


@functools.cache
def keep_freed_memory() -> bool:
    """Have the C library keep what is freed, from now on and for the whole process.

    The process then holds the most that it ever needed at once. A second call does nothing.

    Returns:
        Whether the C library took it: glibc does; musl, macOS and Windows have no such call.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = (
        (_M_MMAP_MAX, _NO_MAPPING),
        (_M_TRIM_THRESHOLD, _NEVER_TRIM),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    # mallopt returns one for a setting that it took; each is tried.
    taken = [mallopt(name, value) == 1 for name, value in settings]
    return all(taken)
