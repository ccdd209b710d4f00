"""An interval, and how one is read off sorted replicates of a figure.

The ends are replicates themselves, never something between two of them, so they have the bits of a
figure and no rounding can move them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cxr.statistics.quantiles import normal_probability, student_quantile

LEVEL: Final = 0.95
"""Share of samples whose interval should hold the truth."""

MOST_DROPPED: Final = 0.05
"""Share of replicates without the figure beyond which its interval is undefined."""

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
    """

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    replicates: int = 0
    dropped: int = 0

    @property
    def width(self) -> float | None:
        """High minus low."""
        return None if self.low is None or self.high is None else self.high - self.low

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def derive_percentile_interval(
    estimate: float | None,
    replicates: Sequence[float],
    *,
    num_units: int,
    level: float = LEVEL,
) -> Interval:
    """Return the expanded percentile interval.

    A plain percentile interval is too narrow where few units were drawn: it behaves as one with the
    divisor n instead of n - 1, and with the normal distribution instead of Student's t. Its tails
    are therefore taken at ``Phi(-sqrt(n / (n - 1)) t)``, with t the quantile of Student's
    distribution with n - 1 degrees of freedom. Of B replicates the k-th smallest and the k-th
    largest are the ends, with k the tail times B + 1, rounded down.

    Undefined are: the interval of an undefined estimate, that of fewer than two units, one whose
    k is 0, and one for which more than `MOST_DROPPED` of the replicates were undefined.

    Source: Hesterberg, "What teachers should know about the bootstrap", The American Statistician
    2015, section 3.3 and appendix.

    Args:
        estimate: The figure of the sample.
        replicates: The figure of each resample, NaN where undefined.
        num_units: Groups that each resample was drawn from.
        level: Share of samples whose interval should hold the truth.
    """
    used = sorted(value for value in replicates if not math.isnan(value))
    dropped = len(replicates) - len(used)
    rank = _derive_rank(len(used), num_units, level)
    is_defined = estimate is not None and rank > 0 and dropped <= MOST_DROPPED * len(replicates)
    return Interval(
        estimate=estimate,
        low=used[rank - 1] if is_defined else None,
        high=used[len(used) - rank] if is_defined else None,
        level=level,
        method="bootstrap, expanded percentile",
        replicates=len(used),
        dropped=dropped,
    )


def _derive_rank(num_used: int, num_units: int, level: float) -> int:
    """Return how many replicates the lower end counts from the smallest; 0 where there is none."""
    if num_units <= 1:
        return 0
    freedom = num_units - 1
    quantile = student_quantile((1 + level) / 2, freedom)
    tail = normal_probability(-math.sqrt(num_units / freedom) * quantile)
    # The slack keeps a product that is a whole number but for its last bit from being cut.
    return math.floor(tail * (num_used + 1) + _SLACK)
