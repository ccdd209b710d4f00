"""A test of whether probabilities mean what they say, for images of patients who may have several.

It draws nothing. Terms of sums over patients are whole multiples of a power of two, and the other
sums are exactly rounded, so its bits do not depend on the order of the images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.statistics.cases import number_groups
from cxr.statistics.fixed_point import choose_fraction_bits, round_to_fraction
from cxr.statistics.quantiles import normal_probability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SIGNIFICANCE: Final = 0.05
"""Share of calibrated models that may be rejected, at most and about."""

_NUM_TESTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTest:
    """What a test of calibration found; positive: less came true than was said.

    Attributes:
        z_mean: Of what was said minus what came true, over its standard error: calibration in the
            large. None where that error is 0.
        z_spread: Spiegelhalter's: of the squared errors, minus what they should be. Positive: the
            probabilities are too near 0 and 1. None likewise.
        p_value: Of both together, two-sided.
    """

    z_mean: float | None
    z_spread: float | None
    p_value: float

    @property
    def is_rejected(self) -> bool:
        """Whether a calibrated model would seldom be so far off."""
        return self.p_value < SIGNIFICANCE


def derive_calibration_test(
    probabilities: ArrayLike, came_true: ArrayLike, groups: ArrayLike
) -> CalibrationTest:
    """Test whether what is said with probability p comes true with probability p.

    With y 1 for what came true and else 0, the sums of ``w (p - y)`` for w = 1 and for w = 2 p - 1
    have mean 0 if it does, and variance ``sum of w^2 p (1 - p)`` if images are independent. The
    second is Spiegelhalter's: the Brier score minus its expectation. It alone would be blind to
    probabilities that are all too high, where as many lie above one half as below. Of the two
    p-values the lesser one counts, doubled (Bonferroni).

    Images of one patient are not independent, nor labels of one image. So the products of two
    different terms of one patient are added to the variance, where they add up to more than 0. A
    patient's own squares are not taken: of a model that is sure and rightly so there may be no
    error in the sample, and squares would then promise that none can be.

    Something that was said to be impossible, and came true, rejects by itself.

    Source: Spiegelhalter, "Probabilistic prediction in patient management and clinical trials",
    Statistics in Medicine 1986, for the second sum; Cox, "Two further applications of a model for
    binary regression", Biometrika 1958, for the first; Liang and Zeger, "Longitudinal data analysis
    using generalized linear models", Biometrika 1986, for the products.

    Args:
        probabilities: What was said, from 0 to 1. Shape (N,).
        came_true: Whether it came true. Shape (N,).
        groups: Name or number of the patient of each. Shape (N,).

    Raises:
        ValueError: The three have different lengths.
    """
    said = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(came_true, dtype=np.bool_)
    numbers, num_groups = number_groups(groups)
    if not len(said) == len(truth) == len(numbers):
        raise ValueError("probabilities, outcomes and groups have different lengths")
    weights = (np.ones_like(said), 2 * said - 1)
    z_mean, z_spread = (_derive_z(said, truth, one, numbers, num_groups) for one in weights)
    is_impossible = bool(np.any(np.abs(said - truth) >= 1))
    least = min(
        (2 * normal_probability(-abs(z)) for z in (z_mean, z_spread) if z is not None), default=1.0
    )
    return CalibrationTest(
        z_mean=z_mean,
        z_spread=z_spread,
        p_value=0.0 if is_impossible else min(1.0, _NUM_TESTS * least),
    )


def _derive_z(
    said: NDArray[np.float64],
    truth: NDArray[np.bool_],
    weights: NDArray[np.float64],
    numbers: NDArray[np.int64],
    num_groups: int,
) -> float | None:
    """Return the sum of ``weights (said - truth)`` over its standard error, None where 0."""
    bits = choose_fraction_bits(1.0, max(len(said), 1))
    terms = round_to_fraction(weights * (said - truth), bits)
    of_groups = np.bincount(numbers, weights=terms, minlength=num_groups)
    terms, of_groups = np.ldexp(terms, -bits), np.ldexp(of_groups, -bits)
    independent = math.fsum((weights**2 * said * (1 - said)).tolist())
    # The square of a patient's sum less the squares of its terms: products of different terms.
    shared = math.fsum([*(of_groups**2).tolist(), *(-(terms**2)).tolist()])
    variance = independent + max(shared, 0.0)
    return math.fsum(of_groups.tolist()) / math.sqrt(variance) if variance > 0 else None
