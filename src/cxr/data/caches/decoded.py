"""The decode cache: every image of a data set, decoded once, as one memory-mapped uint8 array.

A cache is named by the digest of all that its pixels depend on: the files' digests, the decoders'
versions and canaries, the code that decodes, and every preprocessing field. It is written to a
temporary name and renamed, and its content is checked against its own digest whenever it is opened,
so a stale, damaged or half-written cache is never read: it is made again, and one that was not
finished is gone on with. Only whoever makes one holds its lock: a sound one is never written to, so
it may lie where nothing can be written.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxr.atomic import make_directory, storage_errors, write_bytes
from cxr.config.data_section import DataConfig
from cxr.data.caches.growing_file import GrowingFile, name_parts
from cxr.data.caches.looked_with import digest_decoding
from cxr.data.decoding.decode import DecodePlan
from cxr.data.prefetch import count_workers, prefetch
from cxr.data.sources.source import FoundImage, Source
from cxr.digests.canonical import canonical_json, digest_bytes, digest_json
from cxr.digests.files import digest_file
from cxr.errors import DataError, RecordError, StorageError
from cxr.interruption import obey
from cxr.json_file import load_json_object
from cxr.places import find_cache_directory
from cxr.plain_text import list_first
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock, Sample

if TYPE_CHECKING:
    import numpy as np
    from filelock import FileLock
    from numpy.typing import NDArray

FORMAT: Final = "cxr.decoded/1"

_PIXELS: Final = "pixels.u8"
_INDEX: Final = "index.json"
_MAX_NAMED: Final = 5
_TICK_S: Final = 0.5
"""How often somebody who waits for a cache looks whether a signal has come."""
_PART_KEPT_S: Final = 7 * 24 * 3600
"""How long what was not finished waits for somebody who goes on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedCache:
    """A sound decode cache.

    Attributes:
        place: Its directory.
        shape: Of its pixels: (N, size, size, channels), dtype uint8.
        num_decoded: Images that were decoded for it now; the others were there.
    """

    place: Path
    shape: tuple[int, int, int, int]
    num_decoded: int


def default_cache_directory() -> Path:
    """Return the user's cache directory for decoded images, as the XDG convention has it.

    Raises:
        StorageError: The user has no home directory.
    """
    directory = find_cache_directory("decoded")
    if directory is None:
        raise StorageError(
            "there is no place for decoded images: the user has no home directory",
            where="data.cache_dir",
            hint="set data.cache_dir to a directory that can be written, or set HOME",
        )
    return directory


def choose_cache_directory(config: DataConfig) -> Path:
    """Return where the decoded images of a config lie; see `default_cache_directory`."""
    return Path(config.cache_dir) if config.cache_dir else default_cache_directory()


def derive_cache_key(lock: DataLock, plan: DecodePlan) -> str:
    """Return the name of the cache: 32 hex digits over all that its pixels depend on."""
    depends_on = {
        "format": FORMAT,
        "files": [sample.sha256 for sample in lock.samples],
        "decoding": digest_decoding(),
        "plan": plan.describe(),
    }
    return digest_json(depends_on).partition(":")[2][:32]


def open_decoded(
    source: Source,
    found: Sequence[FoundImage],
    lock: DataLock,
    plan: DecodePlan,
    directory: Path,
    *,
    progress: Progress = SILENCE,
) -> NDArray[np.uint8]:
    """Return every image of ``lock``, decoding them unless a sound cache holds them.

    Args:
        source: Reads and decodes one image.
        found: Every image, in the order of ``lock.samples``.
        lock: Their digests.
        plan: How they are decoded.
        directory: Where caches live.
        progress: Told how far it is.

    Returns:
        Shape (N, size, size, channels), dtype uint8, read-only, in the order of ``lock.samples``.

    Raises:
        DataError: An image cannot be decoded, or changed since it was hashed.
        StorageError: No sound cache is there, and none can be written.
    """
    import numpy as np

    cache = prepare_decoded(source, found, lock, plan, directory, progress=progress)
    return np.memmap(cache.place / _PIXELS, dtype=np.uint8, mode="r", shape=cache.shape)


def prepare_decoded(
    source: Source,
    found: Sequence[FoundImage],
    lock: DataLock,
    plan: DecodePlan,
    directory: Path,
    *,
    progress: Progress = SILENCE,
) -> DecodedCache:
    """See to it that there is a sound cache of every image of ``lock``; see `open_decoded`.

    Raises:
        DataError: An image cannot be decoded, or changed since it was hashed.
        StorageError: No sound cache is there, and none can be written.
    """
    place = directory / derive_cache_key(lock, plan)
    shape = (len(lock.samples), plan.size_px, plan.size_px, plan.channels)
    num_decoded = 0
    if not _is_sound(place):
        try:
            make_directory(place)
            _remove_remains(directory)
            with _holding(place, progress):
                # Somebody else may have made it while the lock was waited for.
                if not _is_sound(place):
                    num_decoded = _build(source, found, lock, plan, place, progress)
        except StorageError as error:
            raise StorageError(
                error.problem,
                where=error.where,
                hint="free space there, or set data.cache_dir to a directory that can be written",
            ) from error
    return DecodedCache(place=place, shape=shape, num_decoded=num_decoded)


def _is_sound(place: Path) -> bool:
    """Say whether a cache is whole and holds the bytes that it was written with."""
    try:
        index = load_json_object(place / _INDEX)
        return index.get("pixels") == digest_file(place / _PIXELS)
    except (RecordError, OSError):
        return False


@contextlib.contextmanager
def _holding(place: Path, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock of the cache at ``place``, a file beside it.

    Args:
        place: The cache.
        progress: Told that the lock is waited for; None: it is not waited for.

    Raises:
        Interrupted: A signal came while it was waited for.
        StorageError: The lock cannot be taken, or is another process's and not waited for.
    """
    import filelock

    lock = filelock.FileLock(place.with_name(f"{place.name}.lock"))
    with storage_errors(place):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if progress is None:
                raise
            _wait_for(lock, progress)
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, progress: Progress) -> None:
    """Take a lock that another process holds, as soon as it lets go."""
    progress.note("another process decodes these images: waiting for it")
    while not lock.is_locked:
        obey("waiting for the process that decodes the images")
        with contextlib.suppress(TimeoutError):
            lock.acquire(timeout=_TICK_S)


def _remove_remains(directory: Path) -> None:
    """Remove half-written files of killed processes; one that is writing holds its cache's lock.

    Pixels that were not finished wait for a week: somebody may go on.
    """
    remains = [file for name in (_PIXELS, _INDEX) for file in directory.glob(f"*/.{name}.*.tmp")]
    for part in name_parts(directory / "*" / _PIXELS):
        remains += [file for file in directory.glob(f"*/{part.name}") if _is_given_up(file)]
    for file in remains:
        with contextlib.suppress(OSError, StorageError), _holding(file.parent):
            file.unlink()


def _is_given_up(part: Path) -> bool:
    try:
        return time.time() - part.stat().st_mtime > _PART_KEPT_S
    except OSError:
        return False


def _build(
    source: Source,
    found: Sequence[FoundImage],
    lock: DataLock,
    plan: DecodePlan,
    place: Path,
    progress: Progress,
) -> int:
    """Decode on all cores and write pixels in order, going on where somebody stopped.

    Returns:
        How many images were decoded.
    """
    failures: list[DataError] = []

    def decode(job: tuple[FoundImage, Sample]) -> bytes | DataError:
        try:
            return _decode_sample(source, *job, plan).tobytes()
        except DataError as error:
            return error

    with GrowingFile(place / _PIXELS) as pixels_file, warnings.catch_warnings():
        # Pillow warns of large images; the limit here is an error of our own.
        warnings.simplefilter("ignore")
        kept = done = pixels_file.kept_bytes // (plan.size_px * plan.size_px * plan.channels)
        jobs = zip(found[kept:], lock.samples[kept:], strict=True)
        for pixels in prefetch(decode, jobs, workers=count_workers()):
            if isinstance(pixels, DataError):
                failures.append(pixels)
                continue
            if failures:
                # The others are still tried, so that all bad ones are named; nothing is written.
                continue
            pixels_file.append(pixels)
            done += 1
            progress.advance("decoding images", done, len(lock.samples))
        if failures:
            # Without those images, the others are another set with a cache of its own.
            pixels_file.discard()
            raise _join(failures)
        digest = pixels_file.finish()
    index: dict[str, Any] = {
        "schema": FORMAT,
        "shape": [len(lock.samples), plan.size_px, plan.size_px, plan.channels],
        "pixels": digest,
    }
    write_bytes(place / _INDEX, canonical_json(index) + b"\n")
    return done - kept


def _decode_sample(
    source: Source, image: FoundImage, sample: Sample, plan: DecodePlan
) -> NDArray[np.uint8]:
    """Read, check and decode one image."""
    content = source.read(image)
    if digest_bytes(content) != sample.sha256:
        raise DataError(
            "an image changed while it was being read",
            where=str(image.file),
            hint="stop whatever writes to the data set and start again",
        )
    return source.decode(image, content, plan)


def _join(failures: list[DataError]) -> DataError:
    """Put the first few of many failures into one error."""
    if len(failures) == 1:
        return failures[0]
    lines = list_first([f"{one.where}: {one.problem}" for one in failures], _MAX_NAMED)
    return DataError(
        f"{len(failures)} images cannot be used",
        where="\n         ".join(lines),
        hint="restore them, or move them out of the data set; cxr data verify names every one",
    )
