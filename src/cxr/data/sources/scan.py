"""Hashing every sample of a source: what a run's lock says of its data."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cxr.data.prefetch import prefetch
from cxr.data.sources.source import FoundImage, Source
from cxr.digests.canonical import digest_bytes
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock, Sample


def hash_samples(
    source: Source, found: Sequence[FoundImage], *, progress: Progress = SILENCE
) -> DataLock:
    """Hash every sample that a source found.

    hashlib lets go of the interpreter while it works, so all cores hash.

    Args:
        source: Reads one image.
        found: What it found.
        progress: Told how far it is.

    Returns:
        The samples, in the order of ``found``.

    Raises:
        DataError: One cannot be read.
    """

    def hash_image(image: FoundImage) -> tuple[int, str]:
        content = source.read(image)
        return len(content), digest_bytes(content)

    hashes: list[tuple[int, str]] = []
    for one in prefetch(hash_image, found, workers=os.cpu_count() or 1):
        hashes.append(one)
        progress.advance("hashing images", len(hashes), len(found))
    return derive_data_lock(source, found, hashes)


def derive_data_lock(
    source: Source, found: Sequence[FoundImage], hashes: Sequence[tuple[int, str]]
) -> DataLock:
    """Return what a run's lock says of samples.

    Args:
        source: Where they come from.
        found: The samples.
        hashes: Size in bytes and digest of each.
    """
    samples = tuple(
        Sample(
            path=image.path,
            bytes=num_bytes,
            sha256=digest,
            label=image.label,
            group=image.group,
            split=image.split,
        )
        for image, (num_bytes, digest) in zip(found, hashes, strict=True)
    )
    return DataLock(classes=source.classes, samples=samples)
