"""Hashing every sample of a source: what a run's lock says of its data."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from cxr.data.decoding.image_file import BLOCK_BYTES, digest_image_file
from cxr.data.inspection.look import Look
from cxr.data.prefetch import count_workers, prefetch
from cxr.data.sources.source import FoundImage, Source
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock, Sample

_AT_ONCE: Final = 16
_SHARED_FILE: Final = ".npz"


def hash_samples(
    source: Source, found: Sequence[FoundImage], *, progress: Progress = SILENCE
) -> DataLock:
    """Hash every sample that a source found.

    Args:
        source: Reads one image.
        found: What it found.
        progress: Told how far it is.

    Returns:
        The samples, in the order of ``found``.

    Raises:
        DataError: One cannot be read.
    """
    looks: list[Look] = []
    for look in _hash_all(source, found, progress):
        if isinstance(look, DataError):
            raise look
        looks.append(look)
    return derive_data_lock(source.classes, found, looks)


def hash_images(
    source: Source, found: Sequence[FoundImage], *, progress: Progress = SILENCE
) -> list[Look]:
    """Read and hash every image, and look at nothing: as fast as the disk and the cores allow.

    Args:
        source: Reads those that share a file.
        found: The images.
        progress: Told how far it is.

    Returns:
        Size and digest of each, in the order of ``found``; one that cannot be read is a finding.
    """
    return [
        describe_unreadable(look) if isinstance(look, DataError) else look
        for look in _hash_all(source, found, progress)
    ]


def derive_data_lock(
    classes: Sequence[str], found: Sequence[FoundImage], looks: Sequence[Look]
) -> DataLock:
    """Return what a run's lock says of images that were looked at.

    Args:
        classes: Class names in label order.
        found: The images.
        looks: What was seen of each, all of them readable.
    """
    return DataLock(
        classes=tuple(classes),
        samples=tuple(
            Sample(
                path=image.path,
                bytes=look.num_bytes,
                sha256=look.sha256,
                label=image.label,
                group=image.group,
                split=image.split,
            )
            for image, look in zip(found, looks, strict=True)
        ),
    )


def find_own_files(found: Sequence[FoundImage]) -> list[bool]:
    """Say of each image whether it has a file of its own, whose bytes are the image's.

    An image that shares its file with others, as the rows of an npz do, is none of the file's.
    """
    files = [str(image.file) for image in found]
    times = Counter(files)
    return [times[file] == 1 and not file.lower().endswith(_SHARED_FILE) for file in files]


def describe_unreadable(error: DataError) -> Look:
    """Return what is to be seen of an image that cannot be read."""
    return Look(num_bytes=0, sha256="", findings=(("unreadable", error.problem),))


def _hash_all(
    source: Source, found: Sequence[FoundImage], progress: Progress
) -> Iterator[Look | DataError]:
    """Yield size and digest of each image, in order, or why it cannot be read.

    hashlib lets go of the interpreter while it works, so all cores hash.
    """
    buffers: dict[int, bytearray] = {}

    def digest(job: tuple[FoundImage, bool]) -> Look | DataError:
        image, is_own = job
        try:
            if is_own:
                thread = threading.get_ident()
                if thread not in buffers:
                    buffers[thread] = bytearray(BLOCK_BYTES)
                num_bytes, sha256 = digest_image_file(image.file, buffers[thread])
            else:
                content = source.read(image)
                num_bytes, sha256 = len(content), digest_bytes(content)
        except DataError as error:
            return error
        return Look(num_bytes=num_bytes, sha256=sha256)

    jobs = zip(found, find_own_files(found), strict=True)
    workers = count_workers()
    for done, look in enumerate(prefetch(digest, jobs, workers=workers, at_once=_AT_ONCE), start=1):
        yield look
        progress.advance("hashing images", done, len(found))
