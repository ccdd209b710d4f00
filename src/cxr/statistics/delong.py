"""DeLong's variance of an AUROC, and of the difference of two AUROCs of the same images.

Everything up to the variance is a quotient of whole numbers, so it is exact and rounded once. Only
where each patient has one image: images of one patient are not independent, and the variance would
be too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

from cxr.errors import DataError
from cxr.statistics.intervals import CONFIDENCE, Interval
from cxr.statistics.quantiles import normal_probability, normal_quantile

PLAIN: Final = "DeLong, plain"

NO_VARIANCE: Final = "an AUROC of 0 or 1, or a single image of a side, has no variance"
"""Why there is no interval, though there is an AUROC."""

RANKED_ALIKE: Final = "both rank every pair alike"
SAME_DIFFERENCE: Final = "the difference is the same for every image"
"""Why there is no test, though each side has two images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceTest:
    """A test of no difference between two AUROCs.

    Attributes:
        difference: Second minus first, with its interval.
        z: The difference over its standard error; None where that is 0 or undefined.
        p_value: Two-sided; None likewise.
    """

    difference: Interval
    z: float | None
    p_value: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wins:
    """Doubled counts of pairs won, image by image; of two models, their differences.

    Attributes:
        positive: By positive: twice the negatives below it, plus those that tie.
        negative: By negative: twice the positives above it, plus those that tie.
    """

    positive: tuple[int, ...]
    negative: tuple[int, ...]

    def minus(self, other: _Wins) -> _Wins:
        return _Wins(
            positive=tuple(a - b for a, b in zip(self.positive, other.positive, strict=True)),
            negative=tuple(a - b for a, b in zip(self.negative, other.negative, strict=True)),
        )

    def share(self) -> Fraction:
        """Return the AUROC."""
        return Fraction(sum(self.positive), 2 * len(self.positive) * len(self.negative))

    def variance(self) -> Fraction | None:
        """Return the variance of the AUROC; None where a side has fewer than two images."""
        num_positive, num_negative = len(self.positive), len(self.negative)
        if min(num_positive, num_negative) <= 1:
            return None
        positive = _sample_variance(self.positive) / (2 * num_negative) ** 2
        negative = _sample_variance(self.negative) / (2 * num_positive) ** 2
        return positive / num_positive + negative / num_negative

    def explain_no_variance(self) -> str:
        """Return why the difference of two models, whose variance is 0 or undefined, has no test.

        Two orders in which each image wins equally often are alike in every pair: of all ways to
        share out the wins, an order's own gives the greatest sum of wins times scores.
        """
        if min(len(self.positive), len(self.negative)) <= 1:
            return NO_VARIANCE
        return SAME_DIFFERENCE if any((*self.positive, *self.negative)) else RANKED_ALIKE


def delong_interval(
    is_positive: Sequence[bool],
    scores: Sequence[float],
    groups: Sequence[object],
    *,
    level: float = CONFIDENCE,
    on_logit_scale: bool = True,
) -> Interval:
    """Return an AUROC with DeLong's interval.

    On the logit scale the ends are ``1 / (1 + ((1 - A) / A) exp(-+ z s / (A (1 - A))))``, with s
    the standard error: they stay in (0, 1), and near 1 they hold the truth more often than the
    plain ``A -+ z s``. Undefined without two images on each side, and for an AUROC of 0 or 1, where
    the variance is 0 and says nothing.

    Source: DeLong, DeLong, Clarke-Pearson, Biometrics 1988; Pepe, "The statistical evaluation of
    medical tests for classification and prediction", 2003, section 5.2 for the logit.

    Args:
        is_positive: Side of each image.
        scores: Score of each; higher means positive.
        groups: Patient of each.
        level: Share of samples whose interval should hold the truth.
        on_logit_scale: Whether the interval is taken there, or plainly.

    Raises:
        DataError: A patient has more than one image.
    """
    _refuse_repeated(groups)
    found = _count_wins(is_positive, scores)
    method = "DeLong, logit scale" if on_logit_scale else PLAIN
    area = None if found is None else found.share()
    variance = None if found is None else found.variance()
    if area is None or not variance:
        estimate = None if area is None else float(area)
        return Interval(
            estimate=estimate,
            low=None,
            high=None,
            level=level,
            method=method,
            reason=None if estimate is None else NO_VARIANCE,
        )
    reach = normal_quantile((1 + level) / 2) * math.sqrt(variance)
    if on_logit_scale and 0 < area < 1:
        odds, spread = (1 - area) / area, math.exp(reach / float(area * (1 - area)))
        low, high = 1 / (1 + float(odds) * spread), 1 / (1 + float(odds) / spread)
    else:
        low, high = float(area) - reach, float(area) + reach
    return Interval(estimate=float(area), low=low, high=high, level=level, method=method)


def delong_test(
    is_positive: Sequence[bool],
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[object],
    *,
    level: float = CONFIDENCE,
) -> DifferenceTest:
    """Return the difference of two AUROCs of the same images, its interval and a test of none.

    The interval is plain: a difference has no logit scale. Undefined without two images on each
    side, and where the variance is 0: for equal ranks, or a difference that is the same for every
    image.

    Source: DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 1988.

    Args:
        is_positive: Side of each image.
        first: One model's scores; higher means positive.
        second: The other's, in the same order.
        groups: Patient of each image.
        level: Share of samples whose interval should hold the truth.

    Raises:
        DataError: A patient has more than one image.
    """
    _refuse_repeated(groups)
    one, other = _count_wins(is_positive, first), _count_wins(is_positive, second)
    found = None if one is None or other is None else other.minus(one)
    variance = None if found is None else found.variance()
    estimate = None if found is None else float(found.share())
    if found is None or estimate is None or not variance:
        nothing = Interval(
            estimate=estimate,
            low=None,
            high=None,
            level=level,
            method=PLAIN,
            reason=None if found is None else found.explain_no_variance(),
        )
        return DifferenceTest(difference=nothing, z=None, p_value=None)
    error = math.sqrt(variance)
    reach = normal_quantile((1 + level) / 2) * error
    difference = Interval(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        level=level,
        method=PLAIN,
    )
    z = estimate / error
    return DifferenceTest(difference=difference, z=z, p_value=2 * normal_probability(-abs(z)))


def _refuse_repeated(groups: Sequence[object]) -> None:
    repeated = len(groups) - len(set(groups))
    if repeated:
        raise DataError(
            "DeLong's variance needs one image a patient",
            where=f"{repeated} of {len(groups)} images are of a patient who has another one",
            hint="use the bootstrap over patients",
        )


def _count_wins(is_positive: Sequence[bool], scores: Sequence[float]) -> _Wins | None:
    """Return the wins of each image, or None where a side is empty.

    Twice the wins of a positive are its doubled midrank among all images minus that among the
    positives, so two sorts find those of every image.

    Source: Sun and Xu, "Fast implementation of DeLong's algorithm for comparing the areas under
    correlated receiver operating characteristic curves", IEEE Signal Processing Letters 2014.
    """
    import numpy as np

    sides, values = np.asarray(is_positive, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    positives, negatives = values[sides], values[~sides]
    if not (len(positives) and len(negatives)):
        return None
    below, above = np.sort(negatives), np.sort(positives)
    won = np.searchsorted(below, positives, "left") + np.searchsorted(below, positives, "right")
    lost = np.searchsorted(above, negatives, "left") + np.searchsorted(above, negatives, "right")
    return _Wins(positive=tuple(won.tolist()), negative=tuple((2 * len(above) - lost).tolist()))


def _sample_variance(values: Sequence[int]) -> Fraction:
    """Return the variance of whole numbers, with the divisor n - 1."""
    num = len(values)
    squares = sum(value * value for value in values)
    return Fraction(num * squares - sum(values) ** 2, num * (num - 1))
