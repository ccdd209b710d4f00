"""Every figure of a split, as records hold them: those of each epoch, and those of the end alone.

`cxr.evaluation.metrics` has the figures that are taken after each epoch. To these come average
precision, specificity and what probabilities are worth. Counts are exact and sums exactly rounded;
what is not defined is None, and ``undefined`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxr.determinism.levels import Level
from cxr.evaluation.calibration import (
    Calibration,
    compute_brier,
    compute_brier_of_classes,
    compute_calibration,
)
from cxr.evaluation.elementary import choose_elementary
from cxr.evaluation.figures import divide, mean, mean_of_all
from cxr.evaluation.metrics import compute_metrics
from cxr.evaluation.outcomes import Outcome, list_outcomes
from cxr.evaluation.ranking import compute_average_precision
from cxr.evaluation.undefined import explain_undefined
from cxr.records.predictions import Prediction

Figures = dict[str, Any]


def describe_split(
    classes: Sequence[str], predictions: Sequence[Prediction], *, level: Level = Level.STRICT
) -> Figures:
    """Return every figure of a split as plain JSON values.

    Beside those of `compute_metrics`: ``average_precision``, the mean of the classes', defined when
    each class's is, or over the labels for which it is; ``brier_score``; and
    ``expected_calibration_error`` with its ``reliability``. Of classes that exclude each other the
    probability of the decision is held against whether it is right; of labels, the probability of
    each known one against whether it is true. Each class has its own as well, against all others.

    Args:
        classes: Class names in label order.
        predictions: One an image, all of one kind.
        level: The promise; it chooses the exponential and the logarithm.

    Raises:
        KeyError: A text names what is no class.
    """
    figures = compute_metrics(classes, predictions, level=level).to_json()
    outcomes = list_outcomes(classes, predictions, choose_elementary(level))
    for name, found in outcomes.items():
        figures["per_class"][name] |= describe_class(found)
    average = mean if any(row.asks_each_label for row in predictions) else mean_of_all
    precisions = [figures["per_class"][name]["average_precision"] for name in classes]
    calibration = calibrate_split(predictions, outcomes)
    figures |= {
        "average_precision": average(precisions),
        "brier_score": compute_split_brier(classes, predictions, outcomes),
        "expected_calibration_error": calibration.error,
        "reliability": calibration.to_json(),
    }
    return {**figures, "undefined": explain_undefined(figures)}


def describe_class(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the figures of one class that `ClassMetrics` has not, from its outcomes."""
    negatives = [one for one in outcomes if not one.is_true]
    return {
        "specificity": divide(sum(not one.is_decided for one in negatives), len(negatives)),
        "average_precision": compute_average_precision(outcomes),
        "brier_score": compute_brier(
            [one.probability for one in outcomes], [one.is_true for one in outcomes]
        ),
        "expected_calibration_error": calibrate(outcomes).error,
    }


def calibrate(outcomes: Sequence[Outcome]) -> Calibration:
    """Return whether the probabilities of a class, or of several labels, mean what they say."""
    return compute_calibration(
        [one.probability for one in outcomes], [one.is_true for one in outcomes]
    )


def calibrate_split(
    predictions: Sequence[Prediction], outcomes: Mapping[str, Sequence[Outcome]]
) -> Calibration:
    """Return whether probabilities mean what they say: of decisions, or of all known labels."""
    if any(row.asks_each_label for row in predictions):
        return calibrate([one for found in outcomes.values() for one in found])
    return compute_calibration(
        [max(row.probabilities) for row in predictions],
        [row.decision == row.label for row in predictions],
    )


def compute_split_brier(
    classes: Sequence[str],
    predictions: Sequence[Prediction],
    outcomes: Mapping[str, Sequence[Outcome]],
) -> float | None:
    """Return the Brier score of the split: over images, or over all labels that are known."""
    if any(row.asks_each_label for row in predictions):
        known = [one for found in outcomes.values() for one in found]
        return compute_brier([one.probability for one in known], [one.is_true for one in known])
    numbers = {name: index for index, name in enumerate(classes)}
    return compute_brier_of_classes(
        [row.probabilities for row in predictions], [numbers[row.label] for row in predictions]
    )
