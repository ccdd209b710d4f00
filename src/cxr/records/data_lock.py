"""The samples that a run used: path, size, digest, label, group and split of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cxr.atomic import write_bytes
from cxr.digests.canonical import canonical_json, digest_json
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.label_text import parse_labels

SCHEMA: Final = "cxr.data-lock/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image of a data set.

    Attributes:
        path: POSIX path below the data set's root.
        bytes: Size of the file in bytes.
        sha256: ``sha256:<hex>`` of the file's bytes.
        label: Name of its class; of several labels, as `cxr.label_text` writes them.
        group: What must not be split between training and validation: the patient.
        split: ``train``, ``val`` or ``test``.
    """

    path: str
    bytes: int
    sha256: str
    label: str
    group: str
    split: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLock:
    """Every sample of a data set and the class names in label order."""

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over class names and, sorted, path, digest, label and split of each sample."""
        rows = sorted([s.path, s.sha256, s.label, s.split] for s in self.samples)
        return digest_json({"classes": list(self.classes), "samples": rows})

    def of_split(self, split: str) -> list[Sample]:
        """Return the samples of one split, in the order that indices count them."""
        return [sample for sample in self.samples if sample.split == split]

    def count_labels(self, split: str) -> dict[str, int]:
        """Return how many samples of a split each class has.

        Raises:
            ValueError: A label names no class.
        """
        return {name: count for name, (count, _) in self.count_answers(split).items()}

    def count_answers(self, split: str) -> dict[str, tuple[int, int]]:
        """Return, for each class, how many samples of a split have it and how many have it not.

        Those of which nobody knows are in neither number.

        Raises:
            ValueError: A label names no class.
        """
        texts = Counter(sample.label for sample in self.of_split(split))
        has, lacks = Counter[str](), Counter[str]()
        for text, num in texts.items():
            for name, answer in zip(self.classes, parse_labels(self.classes, text), strict=True):
                if answer is not None:
                    (has if answer else lacks)[name] += num
        return {name: (has[name], lacks[name]) for name in self.classes}


def write_data_lock(path: Path, lock: DataLock) -> None:
    """Write a lock as JSON with one sample a line, so that versions of it diff well.

    Raises:
        StorageError: It cannot be written.
    """
    head = canonical_json({"classes": list(lock.classes), "schema": SCHEMA})[:-1]
    lines = b",\n".join(canonical_json(asdict(sample)) for sample in lock.samples)
    write_bytes(path, head + b',"samples":[\n' + lines + b"\n]}\n")


def load_data_lock(path: Path) -> DataLock:
    """Read a lock.

    Raises:
        RecordError: It is missing, unreadable, or not a lock.
    """
    content = load_json_object(path)
    if content.get("schema") != SCHEMA:
        raise RecordError(
            f"not a data lock: its schema is {content.get('schema')!r}",
            where=str(path),
            hint=f"name a data.lock.json of the schema {SCHEMA}",
        )
    try:
        samples = _read_samples(content["samples"])
        classes = content["classes"]
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise TypeError("classes is not a list of names")
        return DataLock(classes=tuple(classes), samples=samples)
    except (KeyError, TypeError) as error:
        raise RecordError(
            f"the data lock lacks or misspells a field: {error}",
            where=str(path),
            hint="it was edited; restore it from the run that wrote it",
        ) from error


def _read_samples(rows: Sequence[dict[str, Any]]) -> tuple[Sample, ...]:
    """Build samples from JSON objects, checking the types that are relied on."""
    samples = tuple(Sample(**row) for row in rows)
    seen: set[str] = set()
    for sample in samples:
        if not isinstance(sample.bytes, int) or not all(
            isinstance(value, str)
            for value in (sample.path, sample.sha256, sample.label, sample.group, sample.split)
        ):
            raise TypeError(f"a sample with a field of the wrong type: {sample.path!r}")
        if sample.path in seen:
            raise TypeError(f"two samples with the path {sample.path!r}")
        seen.add(sample.path)
    return samples
