"""A data set ready to train on: its samples, decoded pixels and numeric labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr.config.data_section import DataConfig
from cxr.data.caches.decoded import choose_cache_directory, open_decoded
from cxr.data.checks.soundness import look_and_require_sound
from cxr.data.groups import list_other_groups
from cxr.data.labels import (
    derive_answers,
    derive_indices,
    have_one_each,
)
from cxr.data.preprocessing import derive_decode_plan
from cxr.data.sources.open import open_source
from cxr.data.sources.other_key import require_same_key
from cxr.data.sources.scan import derive_data_lock
from cxr.data.sources.vectors import draw_vectors
from cxr.errors import DataError
from cxr.progress import SILENCE, Progress
from cxr.records.data_lock import DataLock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The samples of one split; a sample's index counts within its split.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        classes: Class names in label order.
        paths: POSIX path of each sample.
        label_texts: Label of each sample, as records write it.
        images_NHWC: Decoded pixels, shape (N, size, size, channels), dtype uint8, read-only.
        labels: Class indices, shape (N,), dtype int64. Where samples have any number of labels:
            1 for one that a sample has, else 0; shape (N, classes), dtype float32.
        known: Which of these are known, shape (N, classes), dtype bool; None where every sample
            has one class.
    """

    name: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    label_texts: tuple[str, ...]
    images_NHWC: NDArray[np.uint8]  # noqa: N815 - the suffix names the axes
    labels: NDArray[np.int64] | NDArray[np.float32]
    known: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.paths)

    def derive_answers(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return what is known of every label, of one class each as well; see `derive_answers`."""
        return derive_answers(self.label_texts, self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Every split of a data set, and the lock that says what is in it."""

    lock: DataLock
    images_NHWC: NDArray[np.uint8]  # noqa: N815 - the suffix names the axes

    @property
    def has_several_labels(self) -> bool:
        """Whether samples have any number of labels, rather than one class each."""
        return not have_one_each([sample.label for sample in self.lock.samples], self.lock.classes)

    def split(self, name: str) -> Split:
        """Return one split; splits lie one after another in the lock."""
        places = [i for i, sample in enumerate(self.lock.samples) if sample.split == name]
        samples = [self.lock.samples[i] for i in places]
        start, stop = (places[0], places[-1] + 1) if places else (0, 0)
        texts = tuple(sample.label for sample in samples)
        labels: NDArray[np.int64] | NDArray[np.float32]
        if self.has_several_labels:
            labels, known = derive_answers(texts, self.lock.classes)
        else:
            labels, known = derive_indices(texts, self.lock.classes), None
        return Split(
            name=name,
            classes=self.lock.classes,
            paths=tuple(sample.path for sample in samples),
            label_texts=texts,
            images_NHWC=self.images_NHWC[start:stop],
            labels=labels,
            known=known,
        )


def load_same_dataset(
    config: DataConfig, lock: DataLock, *, progress: Progress = SILENCE
) -> Dataset:
    """Load the data set of a recorded run; see `load_dataset`.

    Args:
        config: The data section, with absolute paths.
        lock: Of the data that the run was trained and tested on.
        progress: Told how far it is.

    Raises:
        DataError: It is other data now, its images are of other patients or have pseudonyms by
            another key, or it cannot be used.
    """
    dataset = load_dataset(config, recorded={lock.digest}, progress=progress)
    if dataset.lock.digest != lock.digest:
        require_same_key(config, lock.samples, dataset.lock.samples)
        raise DataError(
            "the data set is not the one that the run used",
            where=config.root or (config.csv and config.csv.file) or config.source,
            hint="cxr data verify CONFIG --lock RUN/data.lock.json names what differs",
        )
    # The digest tells nothing of patients; intervals and subgroups are taken over them.
    if others := list_other_groups(lock, dataset.lock):
        path, then, now = others[0]
        raise DataError(
            f"images of other patients than when the run was trained: {len(others)}",
            where=f"{path}: {then} in the run's data.lock.json, {now} now",
            hint="restore the patients (a table's column, or the names of files), or train again",
        )
    return dataset


def load_dataset(
    config: DataConfig, *, recorded: Collection[str] = (), progress: Progress = SILENCE
) -> Dataset:
    """Find, check and decode a data set.

    Args:
        config: The data section, with absolute paths.
        recorded: Digests of the data of recorded runs; see `look_and_require_sound`.
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
    source = open_source(config, progress=progress)
    found, looks = look_and_require_sound(source, config, progress, recorded=recorded)
    lock = derive_data_lock(source.classes, found, looks)
    directory = choose_cache_directory(config)
    plan = derive_decode_plan(config)
    pixels = open_decoded(source, found, lock, plan, directory, progress=progress)
    return Dataset(lock=lock, images_NHWC=pixels)
