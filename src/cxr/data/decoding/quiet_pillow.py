"""Keeping what Pillow warns of to itself: whatever matters of it is found and named by cxr.

Python's own `warnings.catch_warnings` is not for threads: the one that leaves first takes the
others' filters along. Here the first thread to come in sets the filter, and the last one to leave
puts back what was there before.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

_LOCK: Final = threading.Lock()
_FILTERS: Final = ExitStack()
_INSIDE: Final[list[int]] = []


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pass over what Pillow's modules warn of, in the block and for as long as others are in it."""
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
