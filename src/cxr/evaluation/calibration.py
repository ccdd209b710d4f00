"""Whether probabilities mean what they say: Brier score, reliability curve, calibration error.

Differences are of float64 and sums exactly rounded, so the bits depend on the probabilities alone:
not on the order of the images, nor on the machine.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

NUM_BINS: Final = 15
"""Bins of a reliability curve.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

EDGES: Final = tuple(number / NUM_BINS for number in range(NUM_BINS + 1))
"""Where bins end: equal widths of [0, 1], each end rounded once to float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Probabilities above ``low`` and up to ``high``; the first bin holds 0 as well.

    Attributes:
        low: Where it begins.
        high: Where it ends.
        count: Probabilities in it.
        mean_confidence: Their mean; None where there is none.
        accuracy: The share of them that came true; None where there is none.
    """

    low: float
    high: float
    count: int
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A reliability curve and what it comes to.

    Attributes:
        error: Expected calibration error: the mean over the probabilities of the distance between
            accuracy and mean confidence in their bin; None where there is no probability.
        bins: All `NUM_BINS`, empty ones included.
    """

    error: float | None
    bins: tuple[ReliabilityBin, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the curve as plain JSON values."""
        return [asdict(one) for one in self.bins]


def compute_calibration(confidences: Sequence[float], hits: Sequence[bool]) -> Calibration:
    """Return the reliability curve of probabilities, and its expected calibration error.

    Args:
        confidences: Probabilities, from 0 to 1.
        hits: Whether what each was said of came true.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015. As in ``sklearn.calibration.calibration_curve`` a probability at an edge
    lies in the bin below it; edges here are rounded once, where those of ``numpy.linspace`` may be
    off by a last bit.
    """
    members: list[list[float]] = [[] for _ in range(NUM_BINS)]
    right = [0] * NUM_BINS
    for confidence, hit in zip(confidences, hits, strict=True):
        place = find_bin(confidence)
        members[place].append(confidence)
        right[place] += hit
    # |accuracy - mean| weighted by its count is the distance of the two sums: no division before.
    gaps = [abs(num - math.fsum(found)) for num, found in zip(right, members, strict=True)]
    bins = tuple(
        ReliabilityBin(
            low=EDGES[place],
            high=EDGES[place + 1],
            count=len(found),
            mean_confidence=math.fsum(found) / len(found) if found else None,
            accuracy=right[place] / len(found) if found else None,
        )
        for place, found in enumerate(members)
    )
    num = len(confidences)
    return Calibration(error=math.fsum(gaps) / num if num else None, bins=bins)


def find_bin(probability: float) -> int:
    """Return the number of the bin that a probability lies in; see `ReliabilityBin`."""
    return bisect_left(EDGES, probability, lo=1, hi=NUM_BINS) - 1


def compute_brier(probabilities: Sequence[float], truths: Sequence[bool]) -> float | None:
    """Return the mean squared distance of probabilities from what came true, 0 or 1.

    None where there is no probability.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 1950, as it is used of one event: half of his sum over two outcomes.
    """
    if not probabilities:
        return None
    return math.fsum(_list_squares(probabilities, truths)) / len(probabilities)


def compute_brier_of_classes(
    probabilities: Sequence[Sequence[float]], labels: Sequence[int]
) -> float | None:
    """Return the Brier score of classes that exclude each other.

    Of three and more it is Brier's own: the mean over images of the sum over classes of (p - y)^2,
    from 0 to 2. Of two it is the mean of (p - y)^2 of one of them, from 0 to 1, which is half of
    that. Both are what ``sklearn.metrics.brier_score_loss`` gives by default.

    Args:
        probabilities: One row an image, one probability a class.
        labels: Number of the true class of each image.
    """
    if not labels:
        return None
    squares = [
        square
        for row, label in zip(probabilities, labels, strict=True)
        for square in _list_squares(row, [index == label for index in range(len(row))])
    ]
    score = math.fsum(squares) / len(labels)
    return score / 2 if len(probabilities[0]) <= 2 else score  # noqa: PLR2004 - two classes


def square_gap(probability: float, truth: bool) -> float:  # noqa: FBT001 - a value, no switch
    """Return the squared distance of a probability from what came true.

    A product is rounded alike everywhere; a power is the mathematics library's.
    """
    gap = probability - truth
    return gap * gap


def _list_squares(probabilities: Sequence[float], truths: Sequence[bool]) -> list[float]:
    return [square_gap(*pair) for pair in zip(probabilities, truths, strict=True)]
