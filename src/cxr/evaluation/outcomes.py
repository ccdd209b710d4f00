"""What is true and what was said of one class or label, image by image.

Every figure of a class against all others, or of a label by itself, is computed from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cxr.evaluation.elementary import Elementary
from cxr.evaluation.figures import read_logits
from cxr.evaluation.log_odds import derive_log_odds
from cxr.label_text import parse_labels
from cxr.records.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Outcome:
    """One class of one image, where it is known.

    Attributes:
        is_true: Whether the image has it.
        is_decided: Whether it was decided for.
        score: Its log-odds; of a label that is decided by itself, the logit.
        probability: Its probability.
    """

    is_true: bool
    is_decided: bool
    score: float
    probability: float


def list_outcomes(
    classes: Sequence[str], predictions: Sequence[Prediction], functions: Elementary
) -> dict[str, list[Outcome]]:
    """Return the outcomes of each class against all others, or of each label, in image order.

    Args:
        classes: Class names in label order.
        predictions: One an image, all of one kind.
        functions: The exponential and the logarithm of the level.

    Raises:
        KeyError: A text names what is no class.
    """
    if any(row.asks_each_label for row in predictions):
        return list_label_outcomes(classes, predictions)
    known = set(classes)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in classes}
    for row in predictions:
        for text in (row.label, row.decision):
            if text not in known:
                raise KeyError(text)
        logits = read_logits(row)
        for index, name in enumerate(classes):
            score = derive_log_odds(logits, index, functions)
            outcomes[name].append(
                Outcome(row.label == name, row.decision == name, score, row.probabilities[index])
            )
    return outcomes


def list_label_outcomes(
    classes: Sequence[str], predictions: Sequence[Prediction]
) -> dict[str, list[Outcome]]:
    """Return the outcomes of labels that are each decided by itself; those known, no others.

    Raises:
        KeyError: A text names what is no label.
    """
    outcomes: dict[str, list[Outcome]] = {name: [] for name in classes}
    for row in predictions:
        try:
            true, decided = (parse_labels(classes, text) for text in (row.label, row.decision))
        except ValueError as error:
            raise KeyError(str(error)) from error
        for name, is_true, is_decided, logit, probability in zip(
            classes, true, decided, read_logits(row), row.probabilities, strict=True
        ):
            if is_true is not None:
                outcomes[name].append(Outcome(is_true, bool(is_decided), logit, probability))
    return outcomes
