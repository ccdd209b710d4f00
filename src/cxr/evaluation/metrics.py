"""Figures computed from predictions: exact counts and exactly rounded sums, so their bits repeat.

A figure that is not defined (no image of a class, no prediction of it) is None and stays so: it is
never a silent zero. scikit-learn is the oracle in the tests.

Ranks and losses come from the logits, not from the probabilities: those of an overconfident model
round to 0 and 1, and images that it tells apart would be ties. Decisions, counts and ranks of two
classes are the same on every machine for the same predictions. Beyond that the exponential and the
logarithm of the mathematics library act, whose last bit may differ between machines: on the loss,
and on the rank of two images whose log-odds of three or more classes are that close.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress, groupby
from typing import Any

from cxr.records.figures import SCALARS
from cxr.records.predictions import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """Figures of one class against all others; None where undefined.

    Attributes:
        support: Images of the class.
        precision: Share of its predictions that are right.
        recall: Share of its images that are found.
        f1: 2 TP / (2 TP + FP + FN).
        auroc: Share of pairs in which an image of the class has higher log-odds of it than one of
            another class, ties half.
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
    labels = [numbers[row.label] for row in predictions]
    logits = [_read_logits(row) for row in predictions]
    per_class = {
        name: _compute_class(index, confusion, labels, logits) for index, name in enumerate(classes)
    }
    num = len(predictions)
    right = sum(confusion[index][index] for index in range(len(classes)))
    surprises = [derive_surprise(row, label) for row, label in zip(logits, labels, strict=True)]
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


def derive_log_odds(logits: Sequence[float], index: int) -> float:
    """Return ``z_k - log(sum of exp(z_j), j != k)``: the logarithm of p_k / (1 - p_k).

    Of two classes it is the difference of the logits, rounded once. What all logits have in common
    is taken off before anything is rounded to less than it is, and the sum does not depend on its
    order, so images that should tie do.

    Args:
        logits: Of one image, one a class.
        index: k.
    """
    others = [*logits[:index], *logits[index + 1 :]]
    return (logits[index] - max(others)) - _excess(others)


def derive_surprise(logits: Sequence[float], index: int) -> float:
    """Return ``-log(p_k)`` in nats, the cross-entropy of one image of class k; always finite."""
    return (max(logits) - logits[index]) + _excess(logits)


def _excess(logits: Sequence[float]) -> float:
    """Return how far the logarithm of the sum of exponentials lies above the largest logit."""
    largest, *rest = sorted(logits, reverse=True)
    return math.log1p(math.fsum(math.exp(value - largest) for value in rest))


def _read_logits(row: Prediction) -> tuple[float, ...]:
    """Return the very float32 values that the texts stand for."""
    layout = f"<{len(row.logits)}f"
    return struct.unpack(layout, struct.pack(layout, *map(float, row.logits)))


def divide(numerator: int, denominator: int) -> float | None:
    """Return a ratio of counts, rounded once; None where the denominator is 0."""
    return float(Fraction(numerator, denominator)) if denominator else None


def _compute_class(
    index: int,
    confusion: Sequence[Sequence[int]],
    labels: Sequence[int],
    logits: Sequence[Sequence[float]],
) -> ClassMetrics:
    """Compute the figures of one class against all others."""
    support = sum(confusion[index])
    predicted = sum(row[index] for row in confusion)
    right = confusion[index][index]
    scores = [derive_log_odds(row, index) for row in logits]
    is_positive = [label == index for label in labels]
    is_negative = [label != index for label in labels]
    return ClassMetrics(
        support=support,
        precision=divide(right, predicted),
        recall=divide(right, support),
        f1=divide(2 * right, support + predicted),
        auroc=compute_auroc(
            list(compress(scores, is_positive)), list(compress(scores, is_negative))
        ),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the defined values."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None
