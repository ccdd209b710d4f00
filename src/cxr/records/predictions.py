"""Predictions of a split: one CSV line an image, with numbers that read back to the same bits."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.digests.canonical import digest_bytes
from cxr.errors import RecordError
from cxr.records.atomic import write_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        path: POSIX path below the data set's root.
        label: The true class.
        decision: The class with the largest logit; the first of equals.
        logits: One a class, as text that reads back to the same float32.
        probabilities: One a class, float64.
    """

    path: str
    label: str
    decision: str
    logits: tuple[str, ...]
    probabilities: tuple[float, ...]


def write_predictions(path: Path, classes: Sequence[str], predictions: Sequence[Prediction]) -> str:
    """Write predictions and return the digest of the file's bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "path",
            "label",
            "decision",
            *(f"logit:{name}" for name in classes),
            *(f"probability:{name}" for name in classes),
        ]
    )
    for row in predictions:
        probabilities = map(repr, row.probabilities)
        writer.writerow([row.path, row.label, row.decision, *row.logits, *probabilities])
    content = text.getvalue().encode("utf-8")
    write_bytes(path, content)
    return digest_bytes(content)


def load_predictions(path: Path) -> tuple[tuple[str, ...], list[Prediction]]:
    """Read class names and predictions.

    Raises:
        RecordError: The file is missing, cut short, or no predictions.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        names = rows[0][3:]
        num = len(names) // 2
        classes = tuple(name.removeprefix("logit:") for name in names[:num])
        return classes, [
            Prediction(
                path=row[0],
                label=row[1],
                decision=row[2],
                logits=tuple(row[3 : 3 + num]),
                probabilities=tuple(float(value) for value in row[3 + num :]),
            )
            for row in rows[1:]
        ]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise RecordError(
            f"cannot read the predictions: {error}",
            where=str(path),
            hint="restore the file, or evaluate again",
        ) from error
