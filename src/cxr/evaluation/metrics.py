"""Figures computed from predictions: exact counts and exactly rounded sums, so their bits repeat.

A figure that is not defined (no image of a class, no prediction of it) is None and stays so: it is
never a silent zero. scikit-learn is the oracle in the tests.

Ranks and losses come from the logits, not from the probabilities: those of an overconfident model
round to 0 and 1, and images that it tells apart would be ties. Decisions, counts and ranks of two
classes are the same on every machine for the same predictions. Beyond that the exponential and the
logarithm of the mathematics library act, whose last bit may differ between machines: on the loss,
and on the rank of two images whose log-odds of three or more classes are that close. At the level
``portable`` they are those of the portable arithmetic, and every figure is the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress

from cxr.determinism.levels import Level
from cxr.evaluation.elementary import Elementary, choose_elementary
from cxr.evaluation.figures import (
    ClassMetrics,
    Metrics,
    derive_class_metrics,
    divide,
    mean,
    mean_of_all,
    read_logits,
)
from cxr.evaluation.label_metrics import compute_label_metrics
from cxr.evaluation.log_odds import derive_log_odds, derive_surprise
from cxr.records.predictions import Prediction


def compute_metrics(
    classes: Sequence[str],
    predictions: Sequence[Prediction],
    *,
    level: Level,
) -> Metrics:
    """Compute every figure of a split.

    Of one class an image: ``loss`` is the mean cross-entropy, ``balanced_accuracy`` the mean recall
    of the classes that have images, ``macro_f1`` the mean F1 of those that have images or
    predictions, ``auroc`` the mean one-vs-rest AUROC, defined when every class's is. Where each
    label is decided by itself, see `compute_label_metrics`.

    Args:
        classes: Class names in label order.
        predictions: One an image.
        level: The promise; it chooses the exponential and the logarithm.
    """
    functions = choose_elementary(level)
    if any(row.asks_each_label for row in predictions):
        return compute_label_metrics(classes, predictions, functions)
    numbers = {name: index for index, name in enumerate(classes)}
    confusion = [[0] * len(classes) for _ in classes]
    for row in predictions:
        confusion[numbers[row.label]][numbers[row.decision]] += 1
    labels = [numbers[row.label] for row in predictions]
    logits = [read_logits(row) for row in predictions]
    per_class = {
        name: _compute_class(index, confusion, labels, logits, functions)
        for index, name in enumerate(classes)
    }
    num = len(predictions)
    right = sum(confusion[index][index] for index in range(len(classes)))
    surprises = [
        derive_surprise(row, label, functions) for row, label in zip(logits, labels, strict=True)
    ]
    return Metrics(
        num_images=num,
        loss=math.fsum(surprises) / num if num else None,
        accuracy=divide(right, num),
        balanced_accuracy=mean([found.recall for found in per_class.values()]),
        macro_f1=mean([found.f1 for found in per_class.values()]),
        auroc=mean_of_all([found.auroc for found in per_class.values()]),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion),
    )


def _compute_class(
    index: int,
    confusion: Sequence[Sequence[int]],
    labels: Sequence[int],
    logits: Sequence[Sequence[float]],
    functions: Elementary,
) -> ClassMetrics:
    """Compute the figures of one class against all others."""
    support = sum(confusion[index])
    predicted = sum(row[index] for row in confusion)
    right = confusion[index][index]
    scores = [derive_log_odds(row, index, functions) for row in logits]
    is_positive = [label == index for label in labels]
    is_negative = [label != index for label in labels]
    return derive_class_metrics(
        right=right,
        support=support,
        predicted=predicted,
        positives=list(compress(scores, is_positive)),
        negatives=list(compress(scores, is_negative)),
    )
