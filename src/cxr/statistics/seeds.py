"""A figure over several seeds: its mean and spread, with intervals of the mean.

Means and standard deviations are exactly rounded, whatever the order of the seeds. Equal values
have a standard deviation and an interval of exactly 0 width; of one value neither is defined.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import mul
from typing import Any

from cxr.statistics.intervals import CONFIDENCE, REPLICATES, TOO_FEW, Interval, derive_bca_interval
from cxr.statistics.quantiles import student_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """One figure over seeds; None where undefined.

    Attributes:
        num: Seeds whose run has the figure.
        mean: Exactly rounded.
        std: Standard deviation with the divisor n - 1, from the exact sum of squares.
        least: The least value.
        most: The greatest value.
        student: Interval of the mean by Student's t.
        bootstrap: Interval of the mean by the bootstrap over seeds.
    """

    num: int
    mean: float | None
    std: float | None
    least: float | None
    most: float | None
    student: Interval
    bootstrap: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def describe_seeds(
    values: Sequence[float | None],
    *,
    root: int,
    replicates: int = REPLICATES,
    level: float = CONFIDENCE,
) -> SeedSpread:
    """Return mean, spread and intervals of one figure over seeds.

    The interval by Student's t holds where the figure is about normal over seeds. That by the
    bootstrap assumes nothing but needs more seeds: of three, only 27 resamples differ.

    Args:
        values: The figure of each seed's run; None, where undefined, is left out.
        root: Root seed of the bootstrap's streams.
        replicates: Resamples to draw.
        level: Share of sets of seeds whose interval should hold the mean over all seeds.
    """
    found = [value for value in values if value is not None]
    mean = statistics.mean(found) if found else None
    std = statistics.stdev(found) if len(found) > 1 else None
    return SeedSpread(
        num=len(found),
        mean=mean,
        std=std,
        least=min(found, default=None),
        most=max(found, default=None),
        student=_derive_student_interval(mean, std, len(found), level),
        bootstrap=_derive_bootstrap_interval(found, mean, root, replicates, level),
    )


def _derive_student_interval(
    mean: float | None, std: float | None, num: int, level: float
) -> Interval:
    """Return mean -+ t s / sqrt(n)."""
    low = high = None
    if mean is not None and std is not None:
        reach = student_quantile((1 + level) / 2, num - 1) * std / math.sqrt(num)
        low, high = mean - reach, mean + reach
    return Interval(
        estimate=mean,
        low=low,
        high=high,
        level=level,
        method="Student's t",
        reason=TOO_FEW if mean is not None and std is None else None,
    )


def _derive_bootstrap_interval(
    values: Sequence[float], mean: float | None, root: int, replicates: int, level: float
) -> Interval:
    """Return the interval of the mean over resamples of seeds."""
    means: list[float] = []
    left_out: list[float] = []
    if mean is not None and len(values) > 1:
        from cxr.statistics.resampling import draw_multiplicities

        # Whole multiples of one power of two, so that sums are exact and a mean is rounded once.
        ratios = [value.as_integer_ratio() for value in sorted(values)]
        unit = max(denominator for _, denominator in ratios)
        parts = [numerator * (unit // denominator) for numerator, denominator in ratios]
        drawn = draw_multiplicities(root, range(replicates), len(parts)).tolist()
        means = [sum(map(mul, parts, row)) / (unit * len(parts)) for row in drawn]
        whole = sum(parts)
        left_out = [(whole - part) / (unit * (len(parts) - 1)) for part in parts]
    return derive_bca_interval(mean, means, left_out, num_units=len(values), level=level)
