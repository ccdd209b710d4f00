"""Installed files against the list that each distribution came with.

A package that was edited in place keeps its name and version. What is compared is what its own
``RECORD`` lists; files that somebody added, a ``RECORD`` that was edited too, and bytecode are not
seen. Bytecode is made after installation and has no digest there; compiling a source again does not
always give the same bytes, so that it cannot be held against its source.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.digests.canonical import digest_json
from cxr.digests.files import SETTLED_NS
from cxr.environment.installed_cache import InstalledCache
from cxr.environment.packages import Installed, find_distributions
from cxr.environment.record_file import Listing, RecordedFile, read_listing
from cxr.progress import SILENCE, Progress

_MAX_NAMED: Final = 20
_CHUNK: Final = 100
_MAX_THREADS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkable:
    """A distribution whose files are to be compared.

    Attributes:
        listing: What was installed.
        stats: Of each file; None where there is none to be had.
        key: Digest of all that the comparison depends on, were no file to change unseen.
        settled: Whether no file changed only just now.
    """

    listing: Listing
    stats: tuple[os.stat_result | None, ...]
    key: str
    settled: bool


def capture_installed(
    progress: Progress = SILENCE, found: Mapping[str, Installed] | None = None
) -> dict[str, list[str]]:
    """Compare the files of every distribution with its ``RECORD``.

    Args:
        progress: Told how many files are done.
        found: What `find_distributions` returned, so that it need not look twice.

    Returns:
        By name, what is wrong with the files; an empty list where they are as installed. Paths are
        relative to the directory of the packages.

    Raises:
        Interrupted: A signal came.
    """
    distributions = find_distributions() if found is None else found
    problems: dict[str, list[str]] = {}
    checkable: dict[str, _Checkable] = {}
    for name, installed in distributions.items():
        listing = read_listing(installed.distribution)
        if isinstance(listing, str):
            problems[name] = [listing]
        else:
            checkable[name] = _prepare(listing)
    cache = InstalledCache.load()
    known = {name: cache.get(name, one.key) for name, one in checkable.items()}
    unknown = {name: one for name, one in checkable.items() if known[name] is None}
    checked = _check_all(unknown, progress, num_total=sum(len(c.stats) for c in checkable.values()))
    for name, one in checkable.items():
        problems[name] = known[name] or checked.get(name, [])
        if one.settled:
            cache.put(name, one.key, problems[name])
    cache.save()
    return dict(sorted(problems.items()))


def _prepare(listing: Listing) -> _Checkable:
    """Look at the time stamps of all files, before any is read."""
    stats = tuple(_stat(file.place) for file in listing.files)
    latest_ns = max((found.st_ctime_ns for found in stats if found is not None), default=0)
    facts = [
        found and [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
        for found in stats
    ]
    return _Checkable(
        listing=listing,
        stats=stats,
        key=digest_json([listing.digest, listing.base, facts]),
        settled=latest_ns < time.time_ns() - SETTLED_NS,
    )


def _stat(place: str) -> os.stat_result | None:
    """Return a file's size and time stamps, where it is there."""
    try:
        return os.stat(place)  # noqa: PTH116 - forty thousand of them
    except (OSError, ValueError):
        return None


def _check_all(
    checkable: Mapping[str, _Checkable], progress: Progress, *, num_total: int
) -> dict[str, list[str]]:
    """Compare all files of some distributions, on several cores."""
    what = "checking installed files"
    done = num_total - sum(len(one.stats) for one in checkable.values())
    progress.advance(what, done, num_total)
    found: dict[str, list[str]] = {name: [] for name in checkable}
    pool = ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, _MAX_THREADS))
    try:
        chunks = list(_cut(checkable))
        for (name, files), problems in zip(
            chunks, pool.map(_check_chunk, [files for _, files in chunks]), strict=True
        ):
            found[name] += problems
            done += len(files)
            progress.advance(what, done, num_total)
    finally:
        # Whoever stops here does not wait for gigabytes.
        pool.shutdown(cancel_futures=True)
    return {name: _summarise(found[name], one.listing) for name, one in checkable.items()}


_Pair = tuple[RecordedFile, os.stat_result | None]


def _cut(checkable: Mapping[str, _Checkable]) -> Iterator[tuple[str, Sequence[_Pair]]]:
    """Yield the files to check in pieces that are worth a task."""
    for name, one in checkable.items():
        pairs = list(zip(one.listing.files, one.stats, strict=True))
        for start in range(0, len(pairs), _CHUNK):
            yield name, pairs[start : start + _CHUNK]


def _check_chunk(pairs: Sequence[_Pair]) -> list[str]:
    """Return what is wrong with some files."""
    found = (_check_file(file, known) for file, known in pairs)
    return [problem for problem in found if problem is not None]


def _check_file(file: RecordedFile, known: os.stat_result | None) -> str | None:
    """Return what is wrong with a file, or None."""
    try:
        facts = known or Path(file.place).stat()
        if not stat.S_ISREG(facts.st_mode):
            return f"{file.name} is not a file any more"
        if file.size_bytes is not None and facts.st_size != file.size_bytes:
            return f"{file.name} was changed"
        if file.algorithm is None:
            return None
        with Path(file.place).open("rb") as stream:
            digest = hashlib.file_digest(stream, file.algorithm).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return f"{file.name} is missing"
    except OSError as error:
        return f"{file.name} cannot be read: {error.strerror or type(error).__name__}"
    return None if digest == file.digest else f"{file.name} was changed"


def _summarise(problems: Sequence[str], listing: Listing) -> list[str]:
    """Return the first problems, how many more there are, and what was not looked at."""
    told = list(problems[:_MAX_NAMED])
    if len(problems) > _MAX_NAMED:
        told.append(f"and {len(problems) - _MAX_NAMED} more")
    if listing.num_outside:
        told.append(f"files outside of the environment, not looked at: {listing.num_outside}")
    return told
