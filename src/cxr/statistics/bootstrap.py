"""Bootstrap over groups: intervals of a split's figures, and of differences between two models.

Whole groups (patients) are drawn with replacement, because images of one patient resemble each
other: drawn one by one they would promise more than they know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.statistics.cases import Cases, number_groups
from cxr.statistics.intervals import LEVEL, Interval, derive_percentile_interval
from cxr.statistics.resampled_figures import (
    Figure,
    FigureComputer,
    Replicates,
    prepare_resampling,
)
from cxr.statistics.resampling import draw_multiplicities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

REPLICATES: Final = 2000
"""Resamples drawn unless told otherwise."""

_BLOCK_CELLS: Final = 2**20
"""Images times resamples held at once; a few arrays of 8 bytes a cell."""


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
    level: float = LEVEL,
    block: int | None = None,
) -> FigureIntervals:
    """Return the interval of each figure of a split.

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
    drawn = _join(
        computer.compute(multiplicities)
        for multiplicities in _draw_blocks(root, replicates, num_groups, len(cases), block)
    )
    return _read_intervals(computer.sample, drawn, num_groups, len(cases), level)


def bootstrap_differences(
    first: Cases,
    second: Cases,
    groups: ArrayLike,
    *,
    root: int,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    block: int | None = None,
) -> FigureIntervals:
    """Return the interval of second minus first of each figure that both have.

    Both are taken of the same resamples, so what makes a resample easy or hard for both cancels.

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
    drawn = _join(
        _subtract(*(computer.compute(multiplicities) for computer in computers))
        for multiplicities in _draw_blocks(root, replicates, num_groups, len(first), block)
    )
    one, other = (computer.sample for computer in computers)
    sample = {figure: other[figure] - one[figure] for figure in drawn}
    return _read_intervals(sample, drawn, num_groups, len(first), level)


def _number(groups: ArrayLike, cases: Cases) -> tuple[NDArray[np.int64], int]:
    numbers, num_groups = number_groups(groups)
    if len(numbers) != len(cases) or not num_groups:
        raise ValueError("there must be one group an image, and an image")
    return numbers, num_groups


def _draw_blocks(
    root: int, replicates: int, num_groups: int, num_images: int, block: int | None
) -> Iterator[NDArray[np.int32]]:
    size = block or max(1, _BLOCK_CELLS // max(num_groups, num_images))
    for start in range(0, replicates, size):
        chosen = range(start, min(start + size, replicates))
        yield draw_multiplicities(root, chosen, num_groups)


def _join(blocks: Iterator[Replicates]) -> Replicates:
    parts = list(blocks)
    return {figure: np.concatenate([part[figure] for part in parts]) for figure in parts[0]}


def _subtract(first: Replicates, second: Replicates) -> Replicates:
    return {figure: second[figure] - first[figure] for figure in first if figure in second}


def _read_intervals(
    sample: dict[Figure, float], drawn: Replicates, num_groups: int, num_images: int, level: float
) -> FigureIntervals:
    whole: dict[str, Interval] = {}
    per_class: dict[str, list[Interval]] = {}
    for (name, index), values in drawn.items():
        estimate = sample[name, index]
        interval = derive_percentile_interval(
            None if np.isnan(estimate) else estimate,
            values.tolist(),
            num_units=num_groups,
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
