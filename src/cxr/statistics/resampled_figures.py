"""Every figure of a split, for any number of resamples of its groups.

Shapes: B resamples, G groups, C classes or labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr.statistics.cases import Cases
from cxr.statistics.counted import (
    Counts,
    compute_counted_figures,
    count_contributors,
    count_groups,
)
from cxr.statistics.ranking import Ranking, compute_rank_figures, rank_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

Figure = tuple[str, int | None]
"""Name of a figure, and the class it is of; None: of the whole split."""

Replicates = dict[Figure, "NDArray[np.float64]"]
"""By figure, its value in each resample. Shape (B,), NaN where undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """A split, made ready for resamples of its groups.

    Attributes:
        counts: Sums of each group.
        rankings: One a class.
        is_exclusive: Whether each image has exactly one class.
        num_groups: G.
    """

    counts: Counts
    rankings: tuple[Ranking, ...]
    is_exclusive: bool
    num_groups: int


def prepare_resampling(cases: Cases, groups: NDArray[np.int64], num_groups: int) -> Resampled:
    """Sort and add up what no resample changes.

    Args:
        cases: The split, at least one image.
        groups: Number of the group of each image. Shape (N,), in [0, num_groups).
        num_groups: How many there are, each with an image.
    """
    most = num_groups * int(np.max(np.bincount(groups)))
    rankings = []
    for index in range(cases.num_classes):
        rows = cases.known[:, index]
        present, scores = cases.present[rows, index], cases.scores[rows, index]
        rankings.append(rank_images(present, scores, groups[rows], most_images=most))
    return Resampled(
        counts=count_groups(cases, groups, num_groups),
        rankings=tuple(rankings),
        is_exclusive=cases.is_exclusive,
        num_groups=num_groups,
    )


class FigureComputer:
    """Computes the figures of resamples of one split.

    ``balanced_accuracy``, ``macro_f1``, ``auroc`` and ``average_precision`` of the whole are means
    over those classes that have the figure in the sample itself. Without one of these they are
    undefined in a resample, because a mean over fewer classes is another figure. Where each image
    has one class, the last two are undefined unless every class has them.

    Attributes:
        sample: The figures of the sample itself; NaN where undefined.
        num_counted: How many groups each figure counts: those of its denominator; of an AUROC those
            of the smaller side, and of a mean over classes those of the class with the fewest.
    """

    def __init__(self, split: Resampled) -> None:
        self._split = split
        whole, per_class = self._compute_parts(np.ones((1, split.num_groups), dtype=np.int32))
        self._averaged = {
            name: self._choose_classes(name, ~np.isnan(values[0]))
            for name, values in self._list_averaged(per_class).items()
        }
        found = self._collect(whole, per_class)
        self.sample = {figure: float(values[0]) for figure, values in found.items()}
        self.num_counted = self._count_groups()

    def compute(self, multiplicities: NDArray[np.int32]) -> Replicates:
        """Return every figure of each resample.

        Args:
            multiplicities: How often each resample takes each group. Shape (B, G).
        """
        return self._collect(*self._compute_parts(multiplicities))

    def _compute_parts(self, multiplicities: NDArray[np.int32]) -> tuple[_Parts, _Parts]:
        """Return the figures of the whole, shape (B,), and of each class, shape (B, C)."""
        whole, per_class = compute_counted_figures(self._split.counts, multiplicities)
        ranked = [compute_rank_figures(one, multiplicities) for one in self._split.rankings]
        per_class["auroc"] = np.stack([auroc for auroc, _ in ranked], axis=1)
        per_class["average_precision"] = np.stack([mean for _, mean in ranked], axis=1)
        return whole, per_class

    def _count_groups(self) -> dict[Figure, int]:
        whole, per_class = count_contributors(self._split.counts)
        support, absent = per_class["recall"], per_class["specificity"]
        per_class["auroc"] = np.minimum(support, absent)
        per_class["average_precision"] = support
        balance = support if self._split.is_exclusive else per_class["auroc"]
        averaged = per_class | {"balanced_accuracy": balance, "macro_f1": per_class["f1"]}
        found: dict[Figure, int] = {(name, None): num for name, num in whole.items()}
        for name, chosen in self._averaged.items():
            fewest = min(averaged[name][chosen].tolist(), default=self._split.num_groups)
            found[name, None] = fewest
        for name, nums in per_class.items():
            found |= {(name, index): num for index, num in enumerate(nums.tolist())}
        return found

    def _list_averaged(self, per_class: _Parts) -> _Parts:
        """Return what each mean over classes is a mean of."""
        balance = per_class["recall"]
        if not self._split.is_exclusive:
            balance = (balance + per_class["specificity"]) / 2
        return {
            "balanced_accuracy": balance,
            "macro_f1": per_class["f1"],
            "auroc": per_class["auroc"],
            "average_precision": per_class["average_precision"],
        }

    def _choose_classes(self, name: str, is_defined: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which classes a mean is taken over."""
        needs_all = self._split.is_exclusive and name in {"auroc", "average_precision"}
        return is_defined & is_defined.all() if needs_all else is_defined

    def _collect(self, whole: _Parts, per_class: _Parts) -> Replicates:
        found: Replicates = {(name, None): values for name, values in whole.items()}
        for name, values in self._list_averaged(per_class).items():
            found[name, None] = _average(values[:, self._averaged[name]])
        for name, values in per_class.items():
            found |= {(name, index): column for index, column in enumerate(values.T)}
        return found


_Parts = dict[str, "NDArray[np.float64]"]


def _average(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exactly rounded mean of each row; NaN where a part is, or where there is none."""
    num = values.shape[1]
    if not num:
        return np.full(len(values), np.nan)
    return np.array([math.fsum(row) / num for row in values.tolist()])
