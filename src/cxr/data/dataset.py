"""A data set ready to train on: its samples, decoded pixels and numeric labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr.config.data_section import DataConfig
from cxr.data.caches.decoded import default_cache_directory, open_decoded
from cxr.data.checks.soundness import look_and_require_sound
from cxr.data.decoding.decode import DecodePlan
from cxr.data.sources.open import open_source
from cxr.data.sources.scan import derive_data_lock
from cxr.data.sources.vectors import draw_vectors
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The samples of one split; a sample's index counts within its split.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        paths: POSIX path of each sample.
        images_NHWC: Decoded pixels, shape (N, size, size, channels), dtype uint8, read-only.
        labels: Class indices, shape (N,), dtype int64.
    """

    name: str
    paths: tuple[str, ...]
    images_NHWC: NDArray[np.uint8]  # noqa: N815 - the suffix names the axes
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Every split of a data set, and the lock that says what is in it."""

    lock: DataLock
    images_NHWC: NDArray[np.uint8]  # noqa: N815 - the suffix names the axes

    def split(self, name: str) -> Split:
        """Return one split; splits lie one after another in the lock."""
        places = [i for i, sample in enumerate(self.lock.samples) if sample.split == name]
        samples = [self.lock.samples[i] for i in places]
        start, stop = (places[0], places[-1] + 1) if places else (0, 0)
        numbers = {label: index for index, label in enumerate(self.lock.classes)}
        return Split(
            name=name,
            paths=tuple(sample.path for sample in samples),
            images_NHWC=self.images_NHWC[start:stop],
            labels=np.array([numbers[sample.label] for sample in samples], dtype=np.int64),
        )


def derive_decode_plan(config: DataConfig) -> DecodePlan:
    """Return how the data section says that images are decoded."""
    return DecodePlan(size_px=config.image_size, channels=config.channels, resample=config.resample)


def load_dataset(config: DataConfig, *, progress: Progress = SILENCE) -> Dataset:
    """Find, check and decode a data set.

    Args:
        config: The data section, with absolute paths.
        progress: Told how far it is.

    Raises:
        ConfigError: The config accepts what nobody can.
        DataError: The images or labels cannot be used, or are not those of ``data.lock``.
        RecordError: ``data.lock`` is missing or cannot be read.
        StorageError: No sound decode cache is there, and none can be written.
    """
    if config.source == "synthetic":
        lock, pixels = draw_vectors(config.synthetic)
        return Dataset(lock=lock, images_NHWC=pixels)
    source = open_source(config)
    found, looks = look_and_require_sound(source, config, progress)
    lock = derive_data_lock(source, found, [(look.num_bytes, look.sha256) for look in looks])
    directory = Path(config.cache_dir) if config.cache_dir else default_cache_directory()
    plan = derive_decode_plan(config)
    pixels = open_decoded(source, found, lock, plan, directory, progress=progress)
    return Dataset(lock=lock, images_NHWC=pixels)
