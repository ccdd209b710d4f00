"""What the system says of everything below some places: whether anything there has changed.

Nothing is read but names and time stamps, so that 5,000 files take some hundredths of a second.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.data.caches.file_stat import is_settled, pack_stat

MAX_ENTRIES: Final = 1_000_000
"""A place that holds more is looked at anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What was found.

    Attributes:
        digest: Of every name, and what the system says of it: equal while nothing changes.
        is_settled: Whether every change since would show in it.
    """

    digest: str
    is_settled: bool


def capture_footprint(places: Iterable[Path]) -> Footprint:
    """Look at files, and at everything below directories; links are followed.

    A place that is not there counts as such, so that its coming is a change.
    """
    state = hashlib.sha256(b"%d\n" % _find_user())
    now_ns = time.time_ns()
    settled, num = True, 0
    for place in places:
        for name, found in _walk(str(place), seen=set()):
            num += 1
            state.update(os.fsencode(name) + b"\0")
            if found is None:
                continue
            if stat.S_ISDIR(found.st_mode):
                # What is in it counts by itself.
                state.update(b"directory")
                continue
            state.update(pack_stat(found))
            settled = settled and (
                is_settled(found, now_ns=now_ns) or not stat.S_ISREG(found.st_mode)
            )
        if num > MAX_ENTRIES:
            return Footprint(digest="", is_settled=False)
    return Footprint(digest=f"sha256:{state.hexdigest()}", is_settled=settled)


def _walk(top: str, *, seen: set[str]) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield each path and what the system says of it, None where it says nothing."""
    try:
        found = os.stat(top)  # noqa: PTH116 - pathlib's takes twice as long
    except OSError as error:
        yield f"{top}\0{error.errno}", None
        return
    yield top, found
    if not stat.S_ISDIR(found.st_mode):
        return
    real = os.path.realpath(top)
    if real in seen:
        return
    seen.add(real)
    yield from _list(top, seen=seen)


def _list(directory: str, *, seen: set[str]) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield what is in a directory, in the order of names, and below it."""
    try:
        with os.scandir(directory) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        yield f"{directory}\0{error.errno}", None
        return
    for entry in entries:
        try:
            found = entry.stat()
            is_directory = stat.S_ISDIR(found.st_mode)
        except OSError as error:
            yield f"{entry.path}\0{error.errno}", None
            continue
        if is_directory:
            yield from _walk(entry.path, seen=seen)
        else:
            yield entry.path, found


def _find_user() -> int:
    """Return who asks: another user may not be able to read what this one can."""
    return os.geteuid() if hasattr(os, "geteuid") else 0
