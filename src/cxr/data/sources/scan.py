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

    samples: list[Sample] = []
    hashed = prefetch(hash_image, found, workers=os.cpu_count() or 1)
    for image, (num_bytes, digest) in zip(found, hashed, strict=True):
        samples.append(
            Sample(
                path=image.path,
                bytes=num_bytes,
                sha256=digest,
                label=image.label,
                group=image.group,
                split=image.split,
            )
        )
        progress.advance("hashing images", len(samples), len(found))
    return DataLock(classes=source.classes, samples=tuple(samples))
