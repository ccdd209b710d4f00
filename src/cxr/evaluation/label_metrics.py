"""Figures of predictions in which each label is decided by itself; only known ones are counted.

Ranks and losses come from the logits, as in `cxr.evaluation.metrics`. The exponential and the
logarithm act on the loss alone, whose last bit may differ between machines, but not at the level
``portable``, which has its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from cxr.evaluation.elementary import PLATFORM, Elementary
from cxr.evaluation.figures import (
    ClassMetrics,
    Metrics,
    Table,
    derive_class_metrics,
    divide,
    mean,
    mean_of_all,
)
from cxr.evaluation.outcomes import Outcome, list_label_outcomes
from cxr.records.predictions import Prediction

_SIDES: Final = 2


def compute_label_metrics(
    classes: Sequence[str], predictions: Sequence[Prediction], functions: Elementary
) -> Metrics:
    """Compute every figure of a split.

    ``loss`` is the mean binary cross-entropy and ``accuracy`` the share of right decisions, over
    every label of every image that is known. ``balanced_accuracy`` is the mean over labels of
    (recall + share of the images without it that were decided so) / 2. It, ``macro_f1`` and
    ``auroc`` are means over those labels for which they are defined.

    Args:
        classes: Names of the labels, in order.
        predictions: One an image.
        functions: The exponential and the logarithm of the level.

    Raises:
        KeyError: A text names what is no label.
    """
    entries = list_label_outcomes(classes, predictions)
    confusion = {name: tabulate_decisions(found) for name, found in entries.items()}
    per_class = {name: compare_sides(entries[name], confusion[name]) for name in classes}
    num = sum(len(found) for found in entries.values())
    right = sum(table[side][side] for table in confusion.values() for side in range(_SIDES))
    surprises = [
        derive_label_surprise(entry, functions) for found in entries.values() for entry in found
    ]
    return Metrics(
        num_images=len(predictions),
        loss=math.fsum(surprises) / num if num else None,
        accuracy=divide(right, num),
        balanced_accuracy=mean([balance_sides(table) for table in confusion.values()]),
        macro_f1=mean([found.f1 for found in per_class.values()]),
        auroc=mean([found.auroc for found in per_class.values()]),
        per_class=per_class,
        confusion=confusion,
    )


def derive_label_surprise(entry: Outcome, functions: Elementary = PLATFORM) -> float:
    """Return minus the logarithm of the probability of what is true, in nats; always finite."""
    towards = -entry.score if entry.is_true else entry.score
    return max(towards, 0.0) + functions.log1p(functions.exp(-abs(towards)))


def tabulate_decisions(entries: Sequence[Outcome]) -> Table:
    """Return the table of a class or label: rows are the truth, columns decisions, absent first."""
    table = [[0] * _SIDES for _ in range(_SIDES)]
    for entry in entries:
        table[entry.is_true][entry.is_decided] += 1
    return tuple(tuple(row) for row in table)


def compare_sides(entries: Sequence[Outcome], table: Table) -> ClassMetrics:
    """Return the figures of one class or label, from its outcomes and their table."""
    (_, false_alarms), (misses, right) = table
    return derive_class_metrics(
        right=right,
        support=misses + right,
        predicted=false_alarms + right,
        positives=[entry.score for entry in entries if entry.is_true],
        negatives=[entry.score for entry in entries if not entry.is_true],
    )


def balance_sides(table: Table) -> float | None:
    """Return the mean of the shares decided rightly on both sides; None where a side is empty."""
    return mean_of_all([divide(row[side], sum(row)) for side, row in enumerate(table)])
