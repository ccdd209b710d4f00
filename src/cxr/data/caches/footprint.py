"""What the system says of everything below some places: whether anything there has changed.

Nothing is read but names and time stamps, so that 5,000 files take some hundredths of a second.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable
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
    now_ns = time.time_ns()
    state = hashlib.sha256(b"%d\n" % _find_user())
    seen: set[str] = set()
    settled, num = True, 0
    for place in places:
        waiting = [str(place)]
        while waiting:
            top = waiting.pop()
            rows, below, files = _list(top, seen)
            state.update(b"\0".join(rows))
            settled = settled and all(is_settled(found, now_ns=now_ns) for found in files)
            waiting += below
            num += len(files)
            if num > MAX_ENTRIES:
                return Footprint(digest="", is_settled=False)
    return Footprint(digest=f"sha256:{state.hexdigest()}", is_settled=settled)


def _list(top: str, seen: set[str]) -> tuple[list[bytes], list[str], list[os.stat_result]]:
    """Look at a file, or at what is directly in a directory.

    Args:
        top: The file or directory.
        seen: Directories that were listed, which are not listed again; this one is added.

    Returns:
        A row for each name, the directories below, and what the system says of regular files.
    """
    rows = [os.fsencode(top)]
    below: list[str] = []
    files: list[os.stat_result] = []
    try:
        here = os.stat(top)  # noqa: PTH116 - pathlib's takes twice as long
        if not stat.S_ISDIR(here.st_mode):
            return [*rows, pack_stat(here)], below, [here] * stat.S_ISREG(here.st_mode)
        real = os.path.realpath(top)
        # A link may lead elsewhere now, and there everything may have been listed already.
        rows.append(os.fsencode(real))
        if real in seen:
            return rows, below, files
        seen.add(real)
        with os.scandir(top) as scanned:
            entries = sorted(scanned, key=_read_name)
    except OSError as error:
        return [*rows, b"%d" % (error.errno or 0)], below, files
    for entry in entries:
        rows.append(os.fsencode(entry.name))
        try:
            found = entry.stat()
        except OSError as error:
            rows.append(b"%d" % (error.errno or 0))
            continue
        if stat.S_ISDIR(found.st_mode):
            below.append(entry.path)
            continue
        rows.append(pack_stat(found))
        if stat.S_ISREG(found.st_mode):
            files.append(found)
    return rows, below, files


def _read_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _find_user() -> int:
    """Return who asks: another user may not be able to read what this one can."""
    return os.geteuid() if hasattr(os, "geteuid") else 0
