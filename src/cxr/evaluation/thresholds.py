"""Thresholds chosen on validation, and what they do on another split.

Chosen on the images that they are then judged by, they would flatter the model. So they come from
the predictions of the validation split under the chosen weights, which a run keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cxr.determinism.levels import Level
from cxr.evaluation.elementary import choose_elementary
from cxr.evaluation.log_odds import sigmoid
from cxr.evaluation.outcomes import list_outcomes
from cxr.evaluation.ranking import Threshold, apply_threshold, choose_threshold
from cxr.records.predictions import Prediction

RULE: Final = "largest Youden index; of equal ones the highest threshold"

Thresholds = dict[str, Threshold | None]


def choose_thresholds(
    classes: Sequence[str],
    validation: Sequence[Prediction],
    *,
    level: Level = Level.STRICT,
) -> Thresholds:
    """Return a threshold on the log-odds of each class; None where a side has no image.

    Args:
        classes: Class names in label order.
        validation: Predictions of the validation split.
        level: The promise; it chooses the exponential and the logarithm.
    """
    outcomes = list_outcomes(classes, validation, choose_elementary(level))
    return {name: choose_threshold(outcomes[name]) for name in classes}


def describe_thresholds(
    classes: Sequence[str],
    validation: Sequence[Prediction] | None,
    predictions: Sequence[Prediction],
    *,
    level: Level = Level.STRICT,
    missing: str = "there is no validation split",
) -> dict[str, Any]:
    """Return, for each class, a threshold chosen on validation and what it does on a split.

    Args:
        classes: Class names in label order.
        validation: Predictions of the validation split; None where there are none.
        predictions: Of the split that is judged.
        level: The promise.
        missing: Why there are no predictions of the validation split.

    Returns:
        ``rule``, ``chosen_on`` (``val``, or None and a ``reason``) and ``per_class``: the
        ``threshold`` as log-odds and as ``probability``, the ``validation`` figures that it was
        chosen by, and ``sensitivity`` and ``specificity`` on the split; None where validation lacks
        a side.
    """
    if not validation:
        return {"rule": RULE, "chosen_on": None, "reason": missing, "per_class": {}}
    chosen = choose_thresholds(classes, validation, level=level)
    return {
        "rule": RULE,
        "chosen_on": "val",
        "per_class": _apply(classes, chosen, predictions, level),
    }


def _apply(
    classes: Sequence[str],
    chosen: Mapping[str, Threshold | None],
    predictions: Sequence[Prediction],
    level: Level,
) -> dict[str, dict[str, Any] | None]:
    """Return what each threshold does on a split, beside what it did on validation."""
    functions = choose_elementary(level)
    outcomes = list_outcomes(classes, predictions, functions)
    described: dict[str, dict[str, Any] | None] = {}
    for name in classes:
        threshold = chosen[name]
        if threshold is None:
            described[name] = None
            continue
        here = apply_threshold(outcomes[name], threshold.score)
        described[name] = {
            "threshold": threshold.score,
            "probability": sigmoid(threshold.score, functions),
            "sensitivity": here.sensitivity,
            "specificity": here.specificity,
            "validation": {
                "positives": threshold.positives,
                "negatives": threshold.negatives,
                "sensitivity": threshold.sensitivity,
                "specificity": threshold.specificity,
                "youden": threshold.youden,
            },
        }
    return described
