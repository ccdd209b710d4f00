"""What figures of predictions there are, and the parts that they are computed from.

Counts are exact and sums exactly rounded, so their bits repeat. A figure that is not defined (no
image of a class, no prediction of it) is None and stays so: it is never a silent zero.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from cxr.records.figures import SCALARS
from cxr.records.predictions import Prediction

Table = tuple[tuple[int, ...], ...]
"""Counts of images: rows are what is true, columns what was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """Figures of one class against all others, or of one label; None where undefined.

    Attributes:
        support: Images of the class, or that have the label.
        precision: Share of its predictions that are right.
        recall: Share of its images that are found.
        f1: 2 TP / (2 TP + FP + FN).
        auroc: Share of pairs in which an image of the class has higher log-odds of it than one
            that is not of it, ties half.
    """

    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures of one split; None where undefined.

    `compute_metrics` says how they are taken of one class an image, `compute_label_metrics` how of
    any number of labels.

    Attributes:
        num_images: Images predicted.
        loss: Mean loss, in nats.
        accuracy: Share of right decisions.
        balanced_accuracy: Accuracy in which the rare count as much as the frequent.
        macro_f1: Mean F1 of the classes.
        auroc: Mean AUROC of the classes.
        per_class: By class name.
        confusion: Rows are true classes, columns are decisions, in class order. Of several labels,
            such a table of 2 x 2 by label name: first that it is absent, then that it is there.
    """

    num_images: int
    loss: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    macro_f1: float | None
    auroc: float | None
    per_class: dict[str, ClassMetrics]
    confusion: Table | dict[str, Table]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            **self.scalars(),
            "num_images": self.num_images,
            "per_class": {
                name: {field: getattr(found, field) for field in found.__dataclass_fields__}
                for name, found in self.per_class.items()
            },
            "confusion": {name: _list(table) for name, table in self.confusion.items()}
            if isinstance(self.confusion, dict)
            else _list(self.confusion),
        }

    def scalars(self) -> dict[str, float | None]:
        """Return the figures of the whole split that are single numbers."""
        return {name: getattr(self, name) for name in SCALARS}


def derive_class_metrics(
    *,
    right: int,
    support: int,
    predicted: int,
    positives: Sequence[float],
    negatives: Sequence[float],
) -> ClassMetrics:
    """Return the figures of one class against all others, or of one label.

    Args:
        right: Its images that were found.
        support: Its images.
        predicted: Images for which it was decided, rightly or not.
        positives: The score of each of its images.
        negatives: The score of each other image.
    """
    return ClassMetrics(
        support=support,
        precision=divide(right, predicted),
        recall=divide(right, support),
        f1=divide(2 * right, support + predicted),
        auroc=compute_auroc(positives, negatives),
    )


def compute_auroc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """Return the share of pairs in which the positive scores higher, ties counted half.

    Computed from whole counts and rounded once; None where a side is empty.

    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 1982.
    """
    ranked = sorted([(score, 1) for score in positives] + [(score, 0) for score in negatives])
    doubled_wins = 0
    below = 0
    for _, tied in groupby(ranked, key=lambda pair: pair[0]):
        sides = [side for _, side in tied]
        num_positive = sum(sides)
        num_negative = len(sides) - num_positive
        doubled_wins += num_positive * (2 * below + num_negative)
        below += num_negative
    return divide(doubled_wins, 2 * len(positives) * len(negatives))


def read_logits(row: Prediction) -> tuple[float, ...]:
    """Return the very float32 values that the texts stand for."""
    layout = f"<{len(row.logits)}f"
    return struct.unpack(layout, struct.pack(layout, *map(float, row.logits)))


def divide(numerator: int, denominator: int) -> float | None:
    """Return a ratio of counts, rounded once; None where the denominator is 0."""
    return float(Fraction(numerator, denominator)) if denominator else None


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the defined values."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def mean_of_all(values: Sequence[float | None]) -> float | None:
    """Return the mean of values; None where one of them is undefined."""
    return None if None in values else mean(values)


def _list(table: Table) -> list[list[int]]:
    return [list(row) for row in table]
