"""An interval, and how one is read off sorted replicates of a figure.

The ends are replicates themselves, never something between two of them, so they have the bits of a
figure and no rounding can move them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cxr.statistics.quantiles import normal_probability, normal_quantile, student_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

CONFIDENCE: Final = 0.95
"""Share of samples whose interval should hold the truth."""

REPLICATES: Final = 2000
"""Resamples drawn unless told otherwise."""

MOST_DROPPED: Final = 0.05
"""Share of replicates without the figure beyond which its interval is undefined."""

BOOTSTRAP: Final = "bootstrap, expanded BCa"

LEAST_UNITS: Final = 5
"""Patients or seeds below which nothing is read off resamples.

Of n units the most extreme resample, n copies of one, has the chance n^-n. Of four and fewer the
expanded 95 % interval reaches beyond it, so its ends would be the least and the greatest unit.
"""

TOO_FEW: Final = "too few patients or seeds"
TOO_FEW_RESAMPLES: Final = "too few resamples"
TOO_MANY_DROPPED: Final = "undefined in too many resamples"
ALL_EQUAL: Final = "all resamples agree"
ONE_SIDED: Final = "resamples lie to one side of the figure"
NOT_REJECTED: Final = "calibration is not rejected, so the error may be 0"
"""Reasons why an estimate has no interval."""

_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and the interval around it; None where undefined.

    Attributes:
        estimate: The figure of the sample itself.
        low: Lower end.
        high: Upper end.
        level: Share of samples whose interval should hold the truth.
        method: How it was found, in words.
        replicates: Replicates that it was read off; 0 where there are none.
        dropped: Replicates in which the figure was undefined, and which were left out.
        reason: Why there are no ends though there is an estimate; None where there are.
    """

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    replicates: int = 0
    dropped: int = 0
    reason: str | None = None

    @property
    def width(self) -> float | None:
        """High minus low."""
        return None if self.low is None or self.high is None else self.high - self.low

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def derive_bca_interval(
    estimate: float | None,
    replicates: ArrayLike,
    left_out: ArrayLike,
    *,
    num_units: int,
    num_counted: int | None = None,
    level: float = CONFIDENCE,
) -> Interval:
    """Return the bias-corrected and accelerated interval, expanded for few units.

    With a the acceleration and z0 the quantile of the share of replicates below the estimate, the
    ends are the replicates at ``Phi(z0 + (z0 +- q) / (1 - a (z0 +- q)))``. In place of the normal
    quantile q is ``sqrt(n / (n - 1)) t``, with t that of Student's distribution with n - 1 degrees
    of freedom: without it intervals of few units are too narrow. Of B replicates the ends are the
    k-th smallest, with k the probability times B + 1, rounded outwards, and no less than 1 or more
    than B.

    Undefined are: the interval of an undefined estimate; one for which more than `MOST_DROPPED` of
    the replicates are undefined; one of fewer than `LEAST_UNITS` units; one whose q alone lies
    beyond all replicates, because they are too few; one that would not hold the estimate.

    Source: Efron, "Better bootstrap confidence intervals", JASA 1987; Hesterberg, "What teachers
    should know about the bootstrap", The American Statistician 2015, for q.

    Args:
        estimate: The figure of the sample.
        replicates: The figure of each resample, NaN where undefined. Shape (B,).
        left_out: The figure without one unit, for all units or some evenly chosen, NaN where
            undefined. Shape (J,).
        num_units: Groups that each resample was drawn from.
        num_counted: Those of them that the figure counts at all; None: every one.
        level: Share of samples whose interval should hold the truth.
    """
    import numpy as np

    values = np.sort(np.asarray(replicates, dtype=np.float64))
    dropped = int(np.isnan(values).sum())
    used = values[: len(values) - dropped]
    low = high = reason = None
    reach = _derive_reach(num_units, level)
    if dropped > MOST_DROPPED * len(values):
        reason = TOO_MANY_DROPPED
    elif min(num_units, num_units if num_counted is None else num_counted) < LEAST_UNITS:
        reason = TOO_FEW
    elif normal_probability(-reach) * (len(used) + 1) < 1:
        reason = TOO_FEW_RESAMPLES
    if estimate is not None and reason is None:
        bias = _derive_bias(estimate, used)
        acceleration = _derive_acceleration(np.asarray(left_out, dtype=np.float64), num_units)
        lower, upper = (_shift(sign * reach, bias, acceleration) for sign in (-1, 1))
        # The slack keeps a product that is a whole number but for its last bit from moving on.
        first = math.floor(lower * (len(used) + 1) + _SLACK)
        last = math.ceil(upper * (len(used) + 1) - _SLACK)
        low = float(used[max(first, 1) - 1])
        high = float(used[min(max(last, 1), len(used)) - 1])
        if not low <= estimate <= high or (low == high and used[0] != used[-1]):
            # As of a calibration error, which chance gaps in the bins raise in every resample.
            low, high, reason = None, None, ONE_SIDED
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        method=BOOTSTRAP,
        replicates=len(used),
        dropped=dropped,
        reason=reason if estimate is not None else None,
    )


@lru_cache
def _derive_reach(num_units: int, level: float) -> float:
    """Return q; infinite where there are no two units."""
    if num_units <= 1:
        return math.inf
    quantile = student_quantile((1 + level) / 2, num_units - 1)
    return math.sqrt(num_units / (num_units - 1)) * quantile


def _derive_bias(estimate: float, used: NDArray[np.float64]) -> float:
    """Return z0, in which replicates equal to the estimate count half."""
    doubled = int((used < estimate).sum()) + int((used <= estimate).sum())
    # No replicate at all on one side: as if half a one were there.
    inner = min(max(doubled, 1), 2 * len(used) - 1)
    return normal_quantile(inner / (2 * len(used)))


def _derive_acceleration(left_out: NDArray[np.float64], num_units: int) -> float:
    """Return a sixth of the skewness of the units' influences, over the root of their number."""
    found = [value for value in left_out.tolist() if not math.isnan(value)]
    if not found:
        return 0.0
    mean = math.fsum(found) / len(found)
    largest = max(abs(mean - value) for value in found)
    if min(found) == max(found):
        return 0.0
    # In units of the largest, so that no square is too great or small for a float.
    influences = [(mean - value) / largest for value in found]
    squares = math.fsum(one**2 for one in influences)
    cubes = math.fsum(one**3 for one in influences)
    return cubes / (6 * squares * math.sqrt(squares)) * math.sqrt(len(found) / num_units)


def _shift(quantile: float, bias: float, acceleration: float) -> float:
    """Return the probability at which an end is read off."""
    moved = bias + quantile
    scale = 1 - acceleration * moved
    if scale <= 0:
        return 0.0 if moved < 0 else 1.0
    return normal_probability(bias + moved / scale)
