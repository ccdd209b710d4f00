"""Several models as one: the mean of their probabilities, and the figures of that.

A sum over models is exactly rounded and divided once, so neither their order nor the machine acts.
Logits have no mean that means anything here: images are ranked by the mean probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from cxr.determinism.levels import Level
from cxr.evaluation.elementary import Elementary, choose_elementary
from cxr.evaluation.figures import divide, mean, mean_of_all
from cxr.evaluation.label_metrics import balance_sides, compare_sides, tabulate_decisions
from cxr.evaluation.outcomes import Outcome
from cxr.evaluation.split_figures import (
    Figures,
    calibrate_split,
    compute_split_brier,
    describe_class,
)
from cxr.label_text import format_labels, parse_labels
from cxr.records.predictions import HALF, Prediction


def combine_predictions(
    classes: Sequence[str], predictions: Sequence[Sequence[Prediction]]
) -> list[Prediction]:
    """Return what several models say together of the same images, without logits.

    Args:
        classes: Class names in label order.
        predictions: One row a model: its images, the same in each row and in the same order.
    """
    combined = []
    for rows in zip(*predictions, strict=True):
        columns = zip(*(row.probabilities for row in rows), strict=True)
        means = tuple(math.fsum(column) / len(rows) for column in columns)
        decision = _decide(classes, means, asks_each_label=rows[0].asks_each_label)
        combined.append(replace(rows[0], decision=decision, logits=(), probabilities=means))
    return combined


def describe_ensemble(
    classes: Sequence[str], combined: Sequence[Prediction], *, level: Level = Level.STRICT
) -> Figures:
    """Return the figures of combined predictions, named and defined as those of a split.

    ``loss`` is None where an image's true class has the probability 0.

    Args:
        classes: Class names in label order.
        combined: As `combine_predictions` returns them.
        level: The promise; it chooses the logarithm.

    Raises:
        KeyError: A text names what is no class.
    """
    outcomes = _list_outcomes(classes, combined)
    each = any(row.asks_each_label for row in combined)
    tables = {name: tabulate_decisions(found) for name, found in outcomes.items()}
    per_class = {
        name: asdict(compare_sides(found, tables[name])) | describe_class(found)
        for name, found in outcomes.items()
    }
    asked = [one for found in outcomes.values() for one in found]
    if each:
        right, num = sum(one.is_true == one.is_decided for one in asked), len(asked)
        balanced = [balance_sides(table) for table in tables.values()]
    else:
        right, num = sum(row.decision == row.label for row in combined), len(combined)
        balanced = [found["recall"] for found in per_class.values()]
    average = mean if each else mean_of_all
    said = asked if each else [one for one in asked if one.is_true]
    return {
        "accuracy": divide(right, num),
        "balanced_accuracy": mean(balanced),
        "macro_f1": mean([found["f1"] for found in per_class.values()]),
        "auroc": average([found["auroc"] for found in per_class.values()]),
        "average_precision": average([found["average_precision"] for found in per_class.values()]),
        "loss": _compute_loss(said, choose_elementary(level)),
        "brier_score": compute_split_brier(classes, combined, outcomes),
        "expected_calibration_error": calibrate_split(combined, outcomes).error,
        "num_images": len(combined),
        "per_class": per_class,
    }


def _decide(classes: Sequence[str], means: Sequence[float], *, asks_each_label: bool) -> str:
    """Return the class with the largest mean, the first of equals; or the labels of half or more.

    These are the rules that a single model's decisions follow; see `Prediction.decision`.
    """
    if asks_each_label:
        return format_labels(classes, tuple(value >= HALF for value in means))
    return classes[means.index(max(means))]


def _list_outcomes(
    classes: Sequence[str], combined: Sequence[Prediction]
) -> Mapping[str, list[Outcome]]:
    """Return the outcomes of each class or label, ranked by its probability; those known."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in classes}
    for row in combined:
        try:
            true, decided = (_answer(classes, text, row) for text in (row.label, row.decision))
        except ValueError as error:
            raise KeyError(str(error)) from error
        for name, is_true, is_decided, probability in zip(
            classes, true, decided, row.probabilities, strict=True
        ):
            if is_true is not None:
                outcomes[name].append(Outcome(is_true, bool(is_decided), probability, probability))
    return outcomes


def _answer(classes: Sequence[str], text: str, row: Prediction) -> Sequence[bool | None]:
    """Return what a text says of each class.

    Raises:
        KeyError: It is no class.
        ValueError: It is no text of labels.
    """
    if row.asks_each_label:
        return parse_labels(classes, text)
    if text not in classes:
        raise KeyError(text)
    return [name == text for name in classes]


def _compute_loss(outcomes: Sequence[Outcome], functions: Elementary) -> float | None:
    """Return the mean of minus the logarithm of the probability of what is true, in nats."""
    chances = [one.probability if one.is_true else 1.0 - one.probability for one in outcomes]
    if not chances or min(chances) <= 0:
        return None
    # log(p) = -log1p((1 - p) / p): no bits are lost where p is near 0.
    return math.fsum(functions.log1p((1.0 - p) / p) for p in chances) / len(chances)
