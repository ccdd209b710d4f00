"""Bootstrap over groups: intervals of a split's figures, and of differences between two models.

Whole groups (patients) are drawn with replacement, because images of one patient resemble each
other: drawn one by one they would promise more than they know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.statistics.calibration_tests import derive_calibration_test
from cxr.statistics.cases import Cases, number_groups
from cxr.statistics.counted import CALIBRATION_ERROR
from cxr.statistics.intervals import (
    ALL_EQUAL,
    CONFIDENCE,
    NOT_REJECTED,
    ONE_SIDED,
    REPLICATES,
    Interval,
    derive_bca_interval,
)
from cxr.statistics.resampled_figures import (
    Figure,
    FigureComputer,
    Replicates,
    prepare_resampling,
)
from cxr.statistics.resampling import draw_multiplicities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_BLOCK_CELLS: Final = 2**20
"""Images times resamples held at once; a few arrays of 8 bytes a cell."""

_MOST_LEFT_OUT: Final = 500
"""Groups left out one by one for the acceleration, which matters less the more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureIntervals:
    """Intervals of every figure of a split.

    Attributes:
        whole: By name, of the whole split.
        per_class: By name, one a class.
        num_groups: Groups that were drawn from.
        num_images: Images in them.
    """

    whole: dict[str, Interval]
    per_class: dict[str, tuple[Interval, ...]]
    num_groups: int
    num_images: int


def bootstrap_figures(
    cases: Cases,
    groups: ArrayLike,
    *,
    root: int,
    replicates: int = REPLICATES,
    level: float = CONFIDENCE,
    block: int | None = None,
) -> FigureIntervals:
    """Return the interval of each figure of a split.

    That of the calibration error is there only where calibration is rejected: chance makes the
    figure of a calibrated model, whose error is 0, greater than 0 in every resample.

    The bits do not depend on the block, the order of the images, the number of threads or the
    machine.

    Args:
        cases: The split; at least one image.
        groups: Name or number of each image's group. Shape (N,).
        root: Root seed of the streams.
        replicates: Resamples to draw.
        level: Share of samples whose interval should hold the truth.
        block: Resamples held at once; None: as many as need little memory.

    Raises:
        ValueError: There is no image, or groups and cases do not fit.
    """
    numbers, num_groups = _number(groups, cases)
    computer = FigureComputer(prepare_resampling(cases, numbers, num_groups))
    size = block or _choose_block(num_groups, len(cases))
    drawn = _join(map(computer.compute, _draw_blocks(root, replicates, num_groups, size)))
    left_out = _join(map(computer.compute, _leave_out(num_groups, size)))
    counted = computer.num_counted
    found = _read_intervals(
        computer.sample, drawn, left_out, counted, num_groups, len(cases), level
    )
    return _drop_chance(_drop_degenerate(found), cases, numbers)


def bootstrap_differences(
    first: Cases,
    second: Cases,
    groups: ArrayLike,
    *,
    root: int,
    replicates: int = REPLICATES,
    level: float = CONFIDENCE,
    block: int | None = None,
) -> FigureIntervals:
    """Return the interval of second minus first of each figure that both have.

    Both are taken of the same resamples, so what makes a resample easy or hard for both cancels. A
    model differs from itself by exactly 0; of two models a width of 0 is no interval, as of one.

    Args:
        first: What one model made of the split.
        second: What another made of the same images, in the same order.
        groups: Name or number of each image's group. Shape (N,).
        root: Root seed of the streams.
        replicates: Resamples to draw.
        level: Share of samples whose interval should hold the truth.
        block: Resamples held at once; None: as many as need little memory.

    Raises:
        ValueError: There is no image, or the three do not fit together.
    """
    if not (
        np.array_equal(first.present, second.present) and np.array_equal(first.known, second.known)
    ):
        raise ValueError("the two splits have different labels")
    numbers, num_groups = _number(groups, first)
    computers = [
        FigureComputer(prepare_resampling(cases, numbers, num_groups)) for cases in (first, second)
    ]

    def compute(multiplicities: NDArray[np.int32]) -> Replicates:
        one, other = (computer.compute(multiplicities) for computer in computers)
        return {figure: other[figure] - one[figure] for figure in one if figure in other}

    size = block or _choose_block(num_groups, len(first))
    drawn = _join(map(compute, _draw_blocks(root, replicates, num_groups, size)))
    left_out = _join(map(compute, _leave_out(num_groups, size)))
    one, other = (computer.sample for computer in computers)
    sample = {figure: other[figure] - one[figure] for figure in drawn}
    counts = [computer.num_counted for computer in computers]
    counted = {figure: min(one[figure] for one in counts) for figure in drawn}
    found = _read_intervals(sample, drawn, left_out, counted, num_groups, len(first), level)
    return found if _are_equal(first, second) else _drop_degenerate(found)


def _are_equal(first: Cases, second: Cases) -> bool:
    """Return whether two models said the same of the same images."""
    tables = [
        (one.decided, one.scores, one.bins, one.gaps, *one.sums.values()) for one in (first, second)
    ]
    if first.sums.keys() != second.sums.keys():
        return False
    return all(
        one is other is None or (one is not None and np.array_equal(one, other, equal_nan=True))
        for one, other in zip(*tables, strict=True)
    )


def _number(groups: ArrayLike, cases: Cases) -> tuple[NDArray[np.int64], int]:
    numbers, num_groups = number_groups(groups)
    if len(numbers) != len(cases) or not num_groups:
        raise ValueError("there must be one group an image, and an image")
    return numbers, num_groups


def _choose_block(num_groups: int, num_images: int) -> int:
    return max(1, _BLOCK_CELLS // max(num_groups, num_images))


def _draw_blocks(
    root: int, replicates: int, num_groups: int, size: int
) -> Iterator[NDArray[np.int32]]:
    for start in range(0, replicates, size):
        chosen = range(start, min(start + size, replicates))
        yield draw_multiplicities(root, chosen, num_groups)


def _leave_out(num_groups: int, size: int) -> Iterator[NDArray[np.int32]]:
    """Yield every group once but one, in turn; of many groups only some are left out, evenly."""
    num = min(num_groups, _MOST_LEFT_OUT)
    for start in range(0, num, size):
        chosen = [one * num_groups // num for one in range(start, min(start + size, num))]
        taken = np.ones((len(chosen), num_groups), dtype=np.int32)
        taken[np.arange(len(chosen)), chosen] = 0
        yield taken


def _join(blocks: Iterator[Replicates]) -> Replicates:
    parts = list(blocks)
    return {figure: np.concatenate([part[figure] for part in parts]) for figure in parts[0]}


def _drop_degenerate(found: FigureIntervals) -> FigureIntervals:
    """Return the intervals without those of no width, as of an AUROC of 1.

    If every resample gives the same figure, the resamples do not show how far it may be off.
    """
    return replace(
        found,
        whole={name: _without_ends(interval) for name, interval in found.whole.items()},
        per_class={
            name: tuple(_without_ends(interval) for interval in intervals)
            for name, intervals in found.per_class.items()
        },
    )


def _without_ends(interval: Interval) -> Interval:
    if interval.width != 0:
        return interval
    return replace(interval, low=None, high=None, reason=ALL_EQUAL)


def _drop_chance(
    found: FigureIntervals, cases: Cases, numbers: NDArray[np.int64]
) -> FigureIntervals:
    """Return the intervals without that of a calibration error whose truth may be 0."""
    interval = found.whole.get(CALIBRATION_ERROR)
    if interval is None or cases.bins is None or cases.gaps is None:
        return found
    if interval.low is None and interval.reason != ONE_SIDED:
        return found
    rows, columns = np.nonzero(cases.bins >= 0)
    gaps = cases.gaps[rows, columns]
    # A gap of 0 is a probability of 0 or 1 that was right: it tells the same either way.
    came_true = gaps < 0
    if derive_calibration_test(gaps + came_true, came_true, numbers[rows]).is_rejected:
        return found
    kept = replace(interval, low=None, high=None, reason=NOT_REJECTED)
    return replace(found, whole=found.whole | {CALIBRATION_ERROR: kept})


def _read_intervals(
    sample: dict[Figure, float],
    drawn: Replicates,
    left_out: Replicates,
    counted: dict[Figure, int],
    num_groups: int,
    num_images: int,
    level: float,
) -> FigureIntervals:
    whole: dict[str, Interval] = {}
    per_class: dict[str, list[Interval]] = {}
    for (name, index), values in drawn.items():
        estimate = sample[name, index]
        interval = derive_bca_interval(
            None if np.isnan(estimate) else estimate,
            values,
            left_out[name, index],
            num_units=num_groups,
            num_counted=counted[name, index],
            level=level,
        )
        if index is None:
            whole[name] = interval
        else:
            per_class.setdefault(name, []).append(interval)
    return FigureIntervals(
        whole=whole,
        per_class={name: tuple(found) for name, found in per_class.items()},
        num_groups=num_groups,
        num_images=num_images,
    )
