"""What the ranks of scores tell: the points of a curve, average precision, a threshold.

All of it follows from whole counts along one sort. Images with equal scores are one point: no
threshold tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from cxr.evaluation.figures import divide
from cxr.evaluation.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Counts of images that are called positive at one threshold.

    Attributes:
        threshold: The lowest score, as log-odds, that is called positive.
        true_positives: Images of the class among them.
        false_positives: Other images among them.
    """

    threshold: float
    true_positives: int
    false_positives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold, and what it does on the images that it was chosen on.

    Attributes:
        score: An image whose log-odds are this or more is called positive.
        true_positives: Images of the class that are.
        false_positives: Other images that are.
        positives: Images of the class.
        negatives: Other images.
    """

    score: float
    true_positives: int
    false_positives: int
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> float | None:
        """Share of the images of the class that are called positive."""
        return divide(self.true_positives, self.positives)

    @property
    def specificity(self) -> float | None:
        """Share of the other images that are not."""
        return divide(self.negatives - self.false_positives, self.negatives)

    @property
    def youden(self) -> float | None:
        """Sensitivity + specificity - 1, rounded once."""
        return divide(
            self.true_positives * self.negatives - self.false_positives * self.positives,
            self.positives * self.negatives,
        )


def derive_curve(outcomes: Sequence[Outcome]) -> list[CurvePoint]:
    """Return a point for each distinct score, the highest first.

    ROC and precision-recall curves are both made of these counts.
    """
    ranked = sorted(outcomes, key=lambda one: one.score, reverse=True)
    points: list[CurvePoint] = []
    true_positives = false_positives = 0
    for score, tied in groupby(ranked, key=lambda one: one.score):
        sides = [one.is_true for one in tied]
        true_positives += sum(sides)
        false_positives += len(sides) - sum(sides)
        points.append(
            CurvePoint(
                threshold=score, true_positives=true_positives, false_positives=false_positives
            )
        )
    return points


def compute_average_precision(outcomes: Sequence[Outcome]) -> float | None:
    """Return the mean of precision over the images of the class, one step for images that tie.

    That is the sum over thresholds, the highest first, of (recall - recall before) x precision:
    no interpolation. Each term is a ratio of counts rounded once, and their sum is exactly rounded.
    It is None where no image is of the class, for which scikit-learn says 0 with a warning. Where
    every image is of the class it is 1.

    Source: Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section
    8.4; ``sklearn.metrics.average_precision_score``.
    """
    points = derive_curve(outcomes)
    if not points or not points[-1].true_positives:
        return None
    terms: list[float] = []
    before = 0
    for point in points:
        found = point.true_positives
        if found > before:
            # Python divides whole numbers with one rounding, however large they are.
            terms.append((found - before) * found / (found + point.false_positives))
        before = found
    return math.fsum(terms) / before


def choose_threshold(outcomes: Sequence[Outcome]) -> Threshold | None:
    """Return the score with the largest Youden index; of equal ones the highest score.

    The indices are compared as whole numbers, so no rounding makes or breaks a tie. The highest
    score is the one that calls fewest images positive. None where a side has no image.

    Source: Youden, "Index for rating diagnostic tests", Cancer 1950.
    """
    points = derive_curve(outcomes)
    if not points:
        return None
    positives, negatives = points[-1].true_positives, points[-1].false_positives
    if not positives or not negatives:
        return None
    best = max(
        points,
        key=lambda point: point.true_positives * negatives - point.false_positives * positives,
    )
    return Threshold(
        score=best.threshold,
        true_positives=best.true_positives,
        false_positives=best.false_positives,
        positives=positives,
        negatives=negatives,
    )


def apply_threshold(outcomes: Sequence[Outcome], score: float) -> Threshold:
    """Return what a threshold that was chosen elsewhere does on these images."""
    called = [one.is_true for one in outcomes if one.score >= score]
    positives = sum(one.is_true for one in outcomes)
    return Threshold(
        score=score,
        true_positives=sum(called),
        false_positives=len(called) - sum(called),
        positives=positives,
        negatives=len(outcomes) - positives,
    )
