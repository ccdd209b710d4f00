"""Figures computed from predictions: exact counts and exactly rounded sums, so their bits repeat.

A figure that is not defined (no image of a class, no prediction of it) is None and stays so: it is
never a silent zero. scikit-learn is the oracle in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any, Final

from cxr.records.figures import SCALARS
from cxr.records.predictions import Prediction

# Below it the logarithm would be infinite. Source: float64's smallest normal number.
_SMALLEST_PROBABILITY: Final = 2.0**-1022


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """Figures of one class against all others; None where undefined.

    Attributes:
        support: Images of the class.
        precision: Share of its predictions that are right.
        recall: Share of its images that are found.
        f1: 2 TP / (2 TP + FP + FN).
        auroc: Probability that an image of the class scores above one of another, ties half.
    """

    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures of one split; None where undefined.

    Attributes:
        num_images: Images predicted.
        loss: Mean cross-entropy, in nats.
        accuracy: Share of right decisions.
        balanced_accuracy: Mean recall of the classes that have images.
        macro_f1: Mean F1 of the classes that have images or predictions.
        auroc: Mean one-vs-rest AUROC, defined when every class's is.
        per_class: By class name.
        confusion: Rows are true classes, columns are decisions, in class order.
    """

    num_images: int
    loss: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    macro_f1: float | None
    auroc: float | None
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            **self.scalars(),
            "num_images": self.num_images,
            "per_class": {
                name: {field: getattr(found, field) for field in found.__dataclass_fields__}
                for name, found in self.per_class.items()
            },
            "confusion": [list(row) for row in self.confusion],
        }

    def scalars(self) -> dict[str, float | None]:
        """Return the figures of the whole split that are single numbers."""
        return {name: getattr(self, name) for name in SCALARS}


def compute_metrics(classes: Sequence[str], predictions: Sequence[Prediction]) -> Metrics:
    """Compute every figure of a split.

    Args:
        classes: Class names in label order.
        predictions: One an image.
    """
    numbers = {name: index for index, name in enumerate(classes)}
    confusion = [[0] * len(classes) for _ in classes]
    for row in predictions:
        confusion[numbers[row.label]][numbers[row.decision]] += 1
    per_class = {
        name: _compute_class(index, confusion, predictions, name)
        for index, name in enumerate(classes)
    }
    num = len(predictions)
    right = sum(confusion[index][index] for index in range(len(classes)))
    surprises = [
        -math.log(max(row.probabilities[numbers[row.label]], _SMALLEST_PROBABILITY))
        for row in predictions
    ]
    aurocs = [found.auroc for found in per_class.values()]
    return Metrics(
        num_images=num,
        loss=math.fsum(surprises) / num if num else None,
        accuracy=divide(right, num),
        balanced_accuracy=_mean([found.recall for found in per_class.values()]),
        macro_f1=_mean([found.f1 for found in per_class.values()]),
        auroc=None if None in aurocs else _mean(aurocs),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion),
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


def divide(numerator: int, denominator: int) -> float | None:
    """Return a ratio of counts, rounded once; None where the denominator is 0."""
    return float(Fraction(numerator, denominator)) if denominator else None


def _compute_class(
    index: int, confusion: list[list[int]], predictions: Sequence[Prediction], name: str
) -> ClassMetrics:
    """Compute the figures of one class against all others."""
    support = sum(confusion[index])
    predicted = sum(row[index] for row in confusion)
    right = confusion[index][index]
    return ClassMetrics(
        support=support,
        precision=divide(right, predicted),
        recall=divide(right, support),
        f1=divide(2 * right, support + predicted),
        auroc=compute_auroc(
            [row.probabilities[index] for row in predictions if row.label == name],
            [row.probabilities[index] for row in predictions if row.label != name],
        ),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the defined values."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None
