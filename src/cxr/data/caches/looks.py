"""Looking at every image of a set, and remembering what was seen."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cxr.data.inspection.look import Look
from cxr.data.prefetch import prefetch
from cxr.data.sources.source import FoundImage, Source
from cxr.errors import DataError
from cxr.progress import SILENCE, Progress


def look_at_images(
    source: Source, found: Sequence[FoundImage], *, progress: Progress = SILENCE
) -> list[Look]:
    """Read and inspect every image, on all cores.

    Args:
        source: Reads and inspects one image.
        found: The images.
        progress: Told how far it is.

    Returns:
        What was seen, in the order of ``found``; an image that cannot be read is a finding.
    """

    def look(image: FoundImage) -> Look:
        try:
            content = source.read(image)
        except DataError as error:
            return Look(num_bytes=0, sha256="", findings=(("unreadable", error.problem),))
        return source.inspect(image, content)

    looks: list[Look] = []
    for one in prefetch(look, found, workers=os.cpu_count() or 1):
        looks.append(one)
        progress.advance("looking at images", len(looks), len(found))
    return looks
