"""AUROC and average precision of weighted images, from whole counts along one sort.

Shapes: B resamples, G groups, U distinct scores of positives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr.statistics.fixed_point import choose_fraction_bits, round_to_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Images of one column, sorted by score once; resamples only give them other weights.

    Attributes:
        negative_groups: Group of each negative image, by rising score. Shape (N0,).
        positive_groups: Group of each positive image, by rising score. Shape (N1,).
        starts: Where each distinct score of positives begins among them. Shape (U,).
        below: Negatives that score less than it. Shape (U,).
        not_above: Negatives that score no more than it. Shape (U,).
        fraction_bits: Bits after the binary point that precision is rounded to.
    """

    negative_groups: NDArray[np.intp]
    positive_groups: NDArray[np.intp]
    starts: NDArray[np.intp]
    below: NDArray[np.intp]
    not_above: NDArray[np.intp]
    fraction_bits: int


def rank_images(
    present: NDArray[np.bool_],
    scores: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    most_images: int,
) -> Ranking:
    """Sort the images of one column.

    Args:
        present: Which of them are positive. Shape (N,).
        scores: Shape (N,), no NaN.
        groups: Number of the group of each. Shape (N,).
        most_images: No resample has more images.
    """
    order = np.argsort(scores, kind="stable")
    sides, ranked, owners = present[order], scores[order], groups[order]
    distinct, starts = np.unique(ranked[sides], return_index=True)
    negatives = ranked[~sides]
    return Ranking(
        negative_groups=owners[~sides],
        positive_groups=owners[sides],
        starts=starts,
        below=np.searchsorted(negatives, distinct, side="left"),
        not_above=np.searchsorted(negatives, distinct, side="right"),
        fraction_bits=choose_fraction_bits(1.0, most_images),
    )


def compute_rank_figures(
    ranking: Ranking, multiplicities: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AUROC and average precision of each resample; NaN where undefined.

    AUROC is the share of pairs in which the positive scores higher, ties counted half: one quotient
    of whole numbers, rounded once. Average precision is the mean, over positives, of the precision
    at their score; each precision is rounded to ``fraction_bits`` bits after the binary point, so
    it is off by at most 2^-(fraction_bits + 1). It needs a positive, and AUROC a negative as well.

    Args:
        ranking: From `rank_images`.
        multiplicities: How often each group was taken. Shape (B, G).

    Returns:
        Two arrays of shape (B,), float64.
    """
    num = len(multiplicities)
    empty = np.full(num, np.nan)
    if not len(ranking.starts):
        return empty, empty
    negatives = np.zeros((num, len(ranking.negative_groups) + 1), dtype=np.int64)
    np.cumsum(multiplicities[:, ranking.negative_groups], axis=1, out=negatives[:, 1:])
    weights = multiplicities[:, ranking.positive_groups].astype(np.int64)
    distinct = np.add.reduceat(weights, ranking.starts, axis=1)
    below = negatives[:, ranking.below]
    doubled_wins = (distinct * (below + negatives[:, ranking.not_above])).sum(axis=1)
    num_positive, num_negative = distinct.sum(axis=1), negatives[:, -1]
    with np.errstate(invalid="ignore"):
        auroc = doubled_wins / (2 * num_positive * num_negative)
    found = np.cumsum(distinct[:, ::-1], axis=1)[:, ::-1]
    called = np.maximum(found + num_negative[:, None] - below, 1)
    precision = round_to_fraction(found / called, ranking.fraction_bits).astype(np.int64)
    with np.errstate(invalid="ignore"):
        mean = (distinct * precision).sum(axis=1) / num_positive
    return auroc, np.ldexp(mean, -ranking.fraction_bits)
