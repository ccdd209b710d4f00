"""Which files pseudonyms stand for, for whoever has the key."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cxr.config.load import load_config
from cxr.data.sources.open import open_source
from cxr.errors import UsageError
from cxr.progress import SILENCE, Progress


def find_names(
    path: Path, wanted: Collection[str], *, progress: Progress = SILENCE
) -> list[tuple[str, Path]]:
    """Return (pseudonym, file) of the images that are wanted, in the order of records.

    Args:
        path: A config.
        wanted: Pseudonyms; none stands for all.
        progress: Told what is worth a note.

    Raises:
        ConfigError: The config or its key is wrong.
        DataError: The images or the key cannot be read.
        UsageError: The config names no key, or no image has one of these names.
    """
    config = load_config(path).data
    if config.pseudonym_key is None:
        raise UsageError(
            "records call these images by their paths: the config has no data.pseudonym_key",
            where=str(path),
            hint="name the config of the run whose records hold pseudonyms",
        )
    found = open_source(config, progress=progress).find()
    if unknown := sorted(set(wanted) - {image.path for image in found}):
        raise UsageError(
            f"no image has the pseudonym {unknown[0]}",
            where=str(path),
            hint="the image is gone or moved, or the pseudonym was made with another key",
        )
    return [(image.path, image.file) for image in found if not wanted or image.path in wanted]
