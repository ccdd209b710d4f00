"""Making a data set ready before it is trained on: checked, decoded, and in the cache."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cxr.config.data_section import DataConfig
from cxr.data.caches.decoded import choose_cache_directory, prepare_decoded
from cxr.data.checks.soundness import look_and_require_sound
from cxr.data.preprocessing import derive_decode_plan
from cxr.data.sources.open import open_source
from cxr.data.sources.scan import derive_data_lock
from cxr.progress import SILENCE, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """The answer of ``cxr data prepare``.

    Attributes:
        cache: The decode cache's directory.
        images: How many it holds.
        bytes: Size of their pixels.
        decoded: Images that were decoded now; the others were there.
    """

    cache: str
    images: int
    bytes: int
    decoded: int

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        return asdict(self)


def prepare_data(config: DataConfig, *, progress: Progress = SILENCE) -> PreparedData:
    """Check the set of a data section and decode every image, unless that was done before.

    Args:
        config: The data section, with absolute paths.
        progress: Told how far it is.

    Raises:
        ConfigError: The source stores nothing, or the config accepts what nobody can.
        DataError: Something is wrong with the set, or it is not that of ``data.lock``.
        RecordError: ``data.lock`` is missing or cannot be read.
        StorageError: The decode cache cannot be written.
    """
    source = open_source(config, progress=progress)
    # As training does, so that what is prepared here is not refused there.
    found, looks = look_and_require_sound(source, config, progress)
    lock = derive_data_lock(source.classes, found, looks)
    directory = choose_cache_directory(config)
    plan = derive_decode_plan(config)
    cache = prepare_decoded(source, found, lock, plan, directory, progress=progress)
    num, height, width, channels = cache.shape
    return PreparedData(
        cache=str(cache.place),
        images=num,
        bytes=num * height * width * channels,
        decoded=cache.num_decoded,
    )
