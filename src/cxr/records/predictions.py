"""Predictions of a split: one CSV line an image, with numbers that read back to the same bits."""

from __future__ import annotations

import csv
import io
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from cxr.atomic import write_bytes
from cxr.bounded_file import read_regular
from cxr.digests.canonical import digest_bytes
from cxr.errors import RecordError

HALF: Final = 0.5
"""Least probability of a label that is decided for, where each is asked for by itself."""

_LOGIT: Final = "logit:"
_PROBABILITY: Final = "probability:"
_ONE: Final = ("label", "decision")
_SEVERAL: Final = ("labels", "decisions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        path: POSIX path below the data set's root.
        label: The true class; of several labels, as `cxr.label_text` writes them; empty where
            nobody knows it.
        decision: The class with the largest logit, the first of equals; of several labels, those
            with a probability of `HALF` or more.
        logits: One a class, as text that reads back to the same float32.
        probabilities: One a class, float64.
        asks_each_label: Whether each label is decided by itself, so that there may be any number.
    """

    path: str
    label: str
    decision: str
    logits: tuple[str, ...]
    probabilities: tuple[float, ...]
    asks_each_label: bool = False


def write_predictions(path: Path, classes: Sequence[str], predictions: Sequence[Prediction]) -> str:
    """Write predictions, all of one kind, and return the digest of the file's bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    asks_each_label = any(row.asks_each_label for row in predictions)
    writer.writerow(_describe_head(classes, asks_each_label=asks_each_label))
    for row in predictions:
        writer.writerow([row.path, row.label, row.decision, *_list_numbers(row)])
    content = text.getvalue().encode("utf-8")
    write_bytes(path, content)
    return digest_bytes(content)


def open_unlabelled_rows(
    stream: IO[bytes], classes: Sequence[str], *, asks_each_label: bool
) -> Callable[[Prediction], None]:
    """Write the columns of predictions but for the true label, which nobody knows here.

    Args:
        stream: Where to.
        classes: Class names in label order.
        asks_each_label: Whether each label is decided by itself.

    Returns:
        What writes one line more.
    """

    def write(cells: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(cells)
        stream.write(text.getvalue().encode("utf-8"))

    path, _, decision, *numbers = _describe_head(classes, asks_each_label=asks_each_label)
    write([path, decision, *numbers])
    return lambda row: write([row.path, row.decision, *_list_numbers(row)])


def _list_numbers(row: Prediction) -> list[str]:
    """Return logits and probabilities as text that reads back to the same bits."""
    return [*row.logits, *map(repr, row.probabilities)]


def load_predictions(path: Path) -> tuple[tuple[str, ...], list[Prediction]]:
    """Read class names and predictions.

    Raises:
        RecordError: The file is missing, cut short, no predictions, or holds what no model says: a
            logit that is no float32, or a probability that is none.
    """
    try:
        text = read_regular(path).decode("utf-8")
        if not text.endswith("\n"):
            raise ValueError("the last line has no end")
        head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        classes, asks_each_label = _read_head(head)
        return classes, [
            _read_row(row, len(classes), asks_each_label=asks_each_label) for row in rows
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise RecordError(
            f"cannot read the predictions: {error}",
            where=str(path),
            hint="restore the file, or evaluate again",
        ) from error


def _describe_head(classes: Sequence[str], *, asks_each_label: bool) -> list[str]:
    """Return the names of the columns; the second and third say how many labels there may be."""
    said = _SEVERAL if asks_each_label else _ONE
    logits = [f"{_LOGIT}{name}" for name in classes]
    return ["path", *said, *logits, *(f"{_PROBABILITY}{name}" for name in classes)]


def _read_head(head: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return the class names that the columns name, and whether there may be several labels.

    Raises:
        ValueError: These are not the columns of predictions.
    """
    classes = tuple(name.removeprefix(_LOGIT) for name in head if name.startswith(_LOGIT))
    asks_each_label = tuple(head[1:3]) == _SEVERAL
    if not classes or list(head) != _describe_head(classes, asks_each_label=asks_each_label):
        raise ValueError("the first line does not name the columns of predictions")
    return classes, asks_each_label


def _read_row(row: Sequence[str], num_classes: int, *, asks_each_label: bool) -> Prediction:
    """Return what one line says.

    Raises:
        ValueError: It has other columns, or no numbers in them that a model gives.
    """
    path, label, decision, *numbers = row
    if len(numbers) != 2 * num_classes:
        raise ValueError(f"a line has {len(row)} columns")
    logits = tuple(numbers[:num_classes])
    if not all(map(_is_float32, logits)):
        raise ValueError(f"a logit of {path!r} is none")
    probabilities = tuple(float(value) for value in numbers[num_classes:])
    # A comparison with what is not a number is false.
    if not all(0 <= value <= 1 for value in probabilities):
        raise ValueError(f"a probability of {path!r} is none")
    return Prediction(
        path=path,
        label=label,
        decision=decision,
        logits=logits,
        probabilities=probabilities,
        asks_each_label=asks_each_label,
    )


def _is_float32(text: str) -> bool:
    """Say whether a text stands for a finite float32.

    Raises:
        ValueError: It stands for no number at all.
    """
    value = float(text)
    try:
        # It is rounded, as by whoever computes with it; a comparison would refuse the largest.
        struct.pack("<f", value)
    except OverflowError:
        return False
    return math.isfinite(value)
