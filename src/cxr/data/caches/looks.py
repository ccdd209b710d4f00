"""Looking at every image of a set, and remembering what was seen.

What is remembered has two levels. A file that the system says did not change keeps the digest of
its bytes; only those who ask for it trust that. Bytes that were looked at keep what was seen, as
long as the same decoders and the same code look.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cxr.data.caches.file_stat import is_settled, pack_stat
from cxr.data.caches.looked_with import digest_inspection
from cxr.data.caches.store import Store
from cxr.data.inspection.inspectors import Inspectors
from cxr.data.inspection.look import Look
from cxr.data.inspection.look_text import dump_look, parse_look
from cxr.data.prefetch import count_workers, prefetch
from cxr.data.sources.scan import describe_unreadable, find_own_files
from cxr.data.sources.source import FoundImage, Source
from cxr.digests.canonical import PREFIX
from cxr.errors import DataError
from cxr.progress import SILENCE, Progress

_AT_ONCE: Final = 32
_WAITING_BYTES: Final = 2**22
_SAVED_AT_ONCE: Final = 5_000


def look_at_images(
    source: Source,
    found: Sequence[FoundImage],
    *,
    trust_stat: bool = False,
    full: bool = False,
    progress: Progress = SILENCE,
    inspectors: Inspectors | None = None,
) -> list[Look]:
    """Read and inspect every image, on all cores, or remember what was seen of it.

    Args:
        source: Reads and inspects one image.
        found: The images.
        trust_stat: Whether a file that the system says did not change is taken for unchanged.
            Otherwise all bytes are read and hashed.
        full: Whether everything is read and inspected as if nothing were remembered.
        progress: Told how far it is.
        inspectors: Processes that were started ahead; they end with this.

    Returns:
        What was seen, in the order of ``found``; an image that cannot be read is a finding. Each
        look's size and digest are those of its bytes, so that nothing need be hashed again.
    """
    store = Store.open()
    inspectors = inspectors or Inspectors()
    memory = _Memory(store=store, source=source, inspectors=inspectors, is_used=not full)
    looks: list[Look] = []
    try:
        own = find_own_files(found)
        known = memory.recall_unchanged(found, own) if trust_stat and not full else {}
        memory.num_unknown = len(found) - len(known)
        jobs = [
            (image, known.get(place), is_own)
            for place, (image, is_own) in enumerate(zip(found, own, strict=True))
        ]
        batches = [jobs[start : start + _AT_ONCE] for start in range(0, len(jobs), _AT_ONCE)]
        # Closed last: threads that wait for a process are freed by its end.
        ahead = contextlib.closing(prefetch(memory.look, batches, workers=count_workers()))
        with ahead as looked_at, inspectors, warnings.catch_warnings():
            # Pillow warns of large images; they are findings of our own.
            warnings.simplefilter("ignore")
            for batch in looked_at:
                for seen in batch:
                    looks.append(seen.look)
                    memory.keep(seen)
                    progress.advance("looking at images", len(looks), len(found))
    finally:
        # Also when it is interrupted: what was seen need not be looked at again.
        memory.save()
        if store is not None:
            store.close()
    return looks


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of one image, and which rows would spare seeing it again."""

    look: Look
    file_row: tuple[bytes, bytes] | None = None
    look_row: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """The bytes of one image, and what its rows will be."""

    image: FoundImage
    content: bytes
    sha256: str
    key: bytes
    file_row: tuple[bytes, bytes] | None


_Job = tuple[FoundImage, Look | None, bool]
"""An image, what is known of it, and whether its file is its own."""


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What is known of images, and what is new.

    Attributes:
        store: Where it is kept; None where nothing can be.
        source: Whose images they are.
        inspectors: Inspect the bytes of files.
        is_used: Whether what is known is made use of; what is new is kept at any rate.
        num_unknown: Images whose files may have changed.
        files: Rows to be written: by place, what the system said of a file, and its digest.
        looks: Rows to be written: by digest, what was seen.
    """

    store: Store | None
    source: Source
    inspectors: Inspectors
    is_used: bool
    num_unknown: int = 0
    files: list[tuple[bytes, bytes]] = field(default_factory=list)
    looks: list[tuple[bytes, bytes]] = field(default_factory=list)

    def recall_unchanged(self, found: Sequence[FoundImage], own: Sequence[bool]) -> dict[int, Look]:
        """Return, by its place in ``found``, what was seen of each file that did not change.

        Args:
            found: The images.
            own: See `find_own_files`.
        """
        if self.store is None:
            return {}
        named = {i: digest_place(image.file) for i, image in enumerate(found) if own[i]}
        rows = self.store.get("files", list(named.values()))
        digests: dict[int, bytes] = {}
        for i, name in named.items():
            row = rows.get(name)
            with contextlib.suppress(OSError):
                if row is not None and row[:-32] == pack_stat(os.stat(found[i].file)):  # noqa: PTH116
                    digests[i] = row[-32:]
        keys = {i: self._derive_key(found[i], digest) for i, digest in digests.items()}
        seen = self.store.get("looks", list(set(keys.values())))
        return {
            i: parse_look(seen[key], sha256=PREFIX + digests[i].hex())
            for i, key in keys.items()
            if key in seen
        }

    def look(self, jobs: Sequence[_Job]) -> list[_Seen]:
        """Return what is known of images, or read them, and inspect bytes that are unknown.

        Of those that were read, not many wait in memory, unless a single one is large.
        """
        seen: dict[int, _Seen] = {}
        waiting: dict[int, _Read] = {}
        num_bytes = 0
        for place, job in enumerate(jobs):
            found = self._read(job)
            if isinstance(found, _Seen):
                seen[place] = found
                continue
            waiting[place] = found
            num_bytes += len(found.content)
            if num_bytes > _WAITING_BYTES:
                seen |= self._settle(waiting)
                waiting, num_bytes = {}, 0
        seen |= self._settle(waiting)
        return [seen[place] for place in range(len(jobs))]

    def _settle(self, waiting: Mapping[int, _Read]) -> dict[int, _Seen]:
        """Return what is known of bytes that were read, or inspect them, under the same numbers."""
        seen: dict[int, _Seen] = {}
        if self.is_used and self.store is not None:
            rows = self.store.get("looks", [read.key for read in waiting.values()])
            for place, read in waiting.items():
                if (row := rows.get(read.key)) is not None:
                    seen[place] = _Seen(parse_look(row, sha256=read.sha256), read.file_row)
        unknown = {place: read for place, read in waiting.items() if place not in seen}
        if unknown and not seen:
            # Where all of these are new, so are the others, most likely.
            self.inspectors.expect(self.num_unknown)
        return seen | self._inspect(unknown)

    def _read(self, job: _Job) -> _Seen | _Read:
        """Return what is known of one image, or its bytes."""
        image, known, is_own = job
        if known is not None:
            return _Seen(known)
        try:
            # Asked before the bytes are read: if it changes meanwhile, it will differ later.
            file_stat = _stat_settled(image.file) if is_own else None
            content = self.source.read(image)
        except DataError as error:
            return _Seen(describe_unreadable(error))
        digest = hashlib.sha256(content).digest()
        file_row = None
        if file_stat is not None:
            file_row = digest_place(image.file), file_stat + digest
        key = self._derive_key(image, digest)
        return _Read(image, content, PREFIX + digest.hex(), key, file_row)

    def _inspect(self, unknown: Mapping[int, _Read]) -> dict[int, _Seen]:
        """Return what is seen of images, under the same numbers."""
        samples = [(read.image, read.content) for read in unknown.values()]
        looks = self.source.inspect(samples, self.inspectors.inspect)
        return {
            place: _Seen(
                look, read.file_row, (read.key, dump_look(look)) if look.is_of_the_file else None
            )
            for (place, read), look in zip(unknown.items(), looks, strict=True)
        }

    def keep(self, seen: _Seen) -> None:
        """Note what is new, and write it once there is enough of it."""
        if seen.file_row is not None:
            self.files.append(seen.file_row)
        if seen.look_row is not None:
            self.looks.append(seen.look_row)
        if max(len(self.files), len(self.looks)) >= _SAVED_AT_ONCE:
            self.save()

    def save(self) -> None:
        """Write what is new."""
        if self.store is not None:
            self.store.put("looks", self.looks)
            self.store.put("files", self.files)
        self.looks, self.files = [], []

    def _derive_key(self, image: FoundImage, digest: bytes) -> bytes:
        """Return what a look is kept under: everything that it depends on."""
        parts = (digest_inspection(), type(self.source).__name__, image.file.suffix)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape") + digest).digest()


def digest_place(file: Path) -> bytes:
    """Return what stands for a file's absolute path: a path may name a patient."""
    return hashlib.sha256(os.fsencode(os.path.abspath(file))).digest()  # noqa: PTH100


def _stat_settled(file: Path) -> bytes | None:
    """Return what the system says of a file, None where that could hide a change."""
    now_ns = time.time_ns()
    try:
        found = os.stat(file)  # noqa: PTH116 - pathlib's takes twice as long
    except OSError:
        return None
    return pack_stat(found) if is_settled(found, now_ns=now_ns) else None
