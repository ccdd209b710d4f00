"""Keeping what Pillow and libtiff say to themselves: whatever matters of it is named by cxr.

Python's own `warnings.catch_warnings` is not for threads: the one that leaves first takes the
others' filters along. Here the first thread to come in sets the filter, and the last one to leave
puts back what was there before.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

_LOCK: Final = threading.Lock()
_FILTERS: Final = ExitStack()
_INSIDE: Final[list[int]] = []


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pass over what Pillow warns of, in the block and for as long as other threads are in it."""
    _silence_libtiff()
    with _LOCK:
        if not _INSIDE:
            _FILTERS.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _INSIDE.append(threading.get_ident())
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE.pop()
            if not _INSIDE:
                _FILTERS.close()


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff, which writes to the process's stderr from C, and Pillow's log off the screen.

    Source: ``TIFFSetErrorHandler`` of libtiff; NULL stands for silence. The function is looked up
    through Pillow's own module, so it is that of the libtiff that Pillow uses. Where it cannot be
    found, as on Windows, libtiff goes on talking.
    """
    from PIL import _imaging

    # A logger without any handler writes to stderr.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(AttributeError, OSError, TypeError):
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
