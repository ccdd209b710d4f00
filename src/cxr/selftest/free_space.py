"""Looking at the places that runs write to: whether they can be written, and what is free there."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Final

from cxr.errors import CxrError
from cxr.records.free_place import require_writable
from cxr.records.run_directory import RUNS
from cxr.selftest.check import Check

_ENOUGH_BYTES: Final = 2**30
"""Free space below which a warning is due: some checkpoints of a large model."""

_OTHER_CACHE: Final = "export XDG_CACHE_HOME=DIR"
_OTHER_RUNS: Final = "cxr train --out DIR"


def check_cache() -> Check:
    """Look at the place of decoded images."""
    # Late: it stands on numpy, which may be what is missing.
    from cxr.data.caches.decoded import default_cache_directory

    try:
        directory = default_cache_directory()
    except CxrError as error:
        return _warn_of("cache", error, _OTHER_CACHE)
    return _check_place("cache", directory, _OTHER_CACHE)


def check_runs() -> Check:
    """Look at where ``train`` writes runs that no option names a place for."""
    return _check_place("runs", Path.cwd() / RUNS, _OTHER_RUNS)


def _check_place(name: str, place: Path, elsewhere: str) -> Check:
    """Look at whether ``place`` can be written, and at the space of the disk that it is on."""
    try:
        require_writable(place)
    except CxrError as error:
        return _warn_of(name, error, elsewhere)
    nearest = next(above for above in (place, *place.parents) if above.exists())
    free_bytes = shutil.disk_usage(nearest).free
    found = f"{free_bytes / 2**30:,.1f} GiB free for {_name_place(place)}"
    if free_bytes >= _ENOUGH_BYTES:
        return Check(name, ok=True, found=found)
    return Check(name, ok=False, found=found, mend=f"free space there, or {elsewhere}")


def _warn_of(name: str, error: CxrError, elsewhere: str) -> Check:
    found = f"{error.problem} ({_name_place(Path(error.where))})"
    return Check(name, ok=False, found=found, mend=elsewhere)


def _name_place(place: Path) -> str:
    """Return a path without the name of whose home it is in."""
    with contextlib.suppress(RuntimeError, ValueError):
        return str("~" / place.relative_to(Path.home()))
    return str(place)
