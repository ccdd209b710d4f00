"""Predictions as the arrays that intervals and tests are computed from.

Here stands which figure a sum, a bin and a gap belong to; `cxr.statistics` knows nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cxr.determinism.levels import Level
from cxr.evaluation.calibration import find_bin, square_gap
from cxr.evaluation.elementary import Elementary, choose_elementary
from cxr.evaluation.figures import read_logits
from cxr.evaluation.log_odds import derive_log_odds, derive_surprise
from cxr.label_text import parse_labels
from cxr.records.predictions import Prediction

if TYPE_CHECKING:
    from cxr.statistics.cases import Cases

FIGURE_NAMES: Final = {"calibration_error": "expected_calibration_error"}
"""Names in records of figures that `cxr.statistics` calls otherwise."""


def build_cases(
    classes: Sequence[str], predictions: Sequence[Prediction], *, level: Level = Level.STRICT
) -> Cases:
    """Return the arrays of a split, so that every scalar figure of it can be resampled.

    Args:
        classes: Class names in label order.
        predictions: One an image, all of one kind.
        level: The promise; it chooses the exponential and the logarithm.

    Raises:
        KeyError: A text names what is no class.
    """
    functions = choose_elementary(level)
    if any(row.asks_each_label for row in predictions):
        return _build_label_cases(classes, predictions, functions)
    return _build_class_cases(classes, predictions, functions)


def _build_class_cases(
    classes: Sequence[str], predictions: Sequence[Prediction], functions: Elementary
) -> Cases:
    from cxr.statistics.cases import build_class_cases

    numbers = {name: index for index, name in enumerate(classes)}
    labels = [numbers[row.label] for row in predictions]
    logits = [read_logits(row) for row in predictions]
    # Of two classes each square counts twice; see `compute_brier_of_classes`.
    share = 0.5 if len(classes) <= 2 else 1.0  # noqa: PLR2004 - two classes
    squares = [
        share
        * math.fsum(square_gap(p, index == label) for index, p in enumerate(row.probabilities))
        for row, label in zip(predictions, labels, strict=True)
    ]
    confidences = [max(row.probabilities) for row in predictions]
    return build_class_cases(
        labels,
        [numbers[row.decision] for row in predictions],
        [
            [derive_log_odds(row, index, functions) for index in range(len(classes))]
            for row in logits
        ],
        sums={
            "loss": [
                derive_surprise(row, label, functions)
                for row, label in zip(logits, labels, strict=True)
            ],
            "brier_score": squares,
        },
        bins=[find_bin(confidence) for confidence in confidences],
        gaps=[
            confidence - (row.decision == row.label)
            for row, confidence in zip(predictions, confidences, strict=True)
        ],
    )


def _build_label_cases(
    classes: Sequence[str], predictions: Sequence[Prediction], functions: Elementary
) -> Cases:
    from cxr.evaluation.label_metrics import derive_label_surprise
    from cxr.evaluation.outcomes import list_label_outcomes
    from cxr.statistics.cases import build_label_cases

    labels, decisions, scores, bins, gaps = [], [], [], [], []
    losses, squares = [], []
    for row in predictions:
        try:
            answers = parse_labels(classes, row.label)
            decided = parse_labels(classes, row.decision)
        except ValueError as error:
            raise KeyError(str(error)) from error
        labels.append([-1 if answer is None else int(answer) for answer in answers])
        decisions.append([bool(answer) for answer in decided])
        scores.append(read_logits(row))
        bins.append(
            [
                -1 if answer is None else find_bin(probability)
                for answer, probability in zip(answers, row.probabilities, strict=True)
            ]
        )
        gaps.append(
            [
                probability - bool(answer)
                for answer, probability in zip(answers, row.probabilities, strict=True)
            ]
        )
        known = [one for found in list_label_outcomes(classes, [row]).values() for one in found]
        losses.append(math.fsum(derive_label_surprise(one, functions) for one in known))
        squares.append(math.fsum(square_gap(one.probability, one.is_true) for one in known))
    return build_label_cases(
        labels,
        decisions,
        scores,
        sums={"loss": losses, "brier_score": squares},
        bins=bins,
        gaps=gaps,
    )
