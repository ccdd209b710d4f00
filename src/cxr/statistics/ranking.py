"""AUROC and average precision of weighted images, from whole counts along one sort.

Shapes: B resamples, G groups, U distinct scores of positives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.statistics.fixed_point import choose_fraction_bits, round_to_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CACHED_IMAGES: Final = 2**15
"""Images times resamples worked on at once: what a processor's cache holds."""


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
    num_images = len(ranking.negative_groups) + len(ranking.positive_groups)
    size = max(1, _CACHED_IMAGES // max(num_images, 1))
    parts = [
        _compute_rows(ranking, multiplicities[start : start + size].astype(np.float64))
        for start in range(0, len(multiplicities), size)
    ]
    auroc, mean_precision = zip(*parts, strict=True)
    return np.concatenate(auroc), np.concatenate(mean_precision)


def _compute_rows(
    ranking: Ranking, taken: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both figures of a few resamples; every number but the quotients is whole."""
    if not len(ranking.starts):
        return np.full(len(taken), np.nan), np.full(len(taken), np.nan)
    lower = np.zeros((len(taken), len(ranking.negative_groups) + 1))
    np.cumsum(np.take(taken, ranking.negative_groups, axis=1), axis=1, out=lower[:, 1:])
    below = np.take(lower, ranking.below, axis=1)
    weights = np.take(taken, ranking.positive_groups, axis=1)
    if len(ranking.starts) < len(ranking.positive_groups):
        weights = np.add.reduceat(weights, ranking.starts, axis=1)
    up_to = np.cumsum(weights, axis=1)
    num_positive, num_negative = up_to[:, -1:], lower[:, -1:]
    wins = below + np.take(lower, ranking.not_above, axis=1)
    found = num_positive - up_to + weights
    called = np.maximum(found + (num_negative - below), 1)
    precision = round_to_fraction(found / called, ranking.fraction_bits)
    with np.errstate(invalid="ignore"):
        auroc = _dot(weights, wins) / (2 * num_positive * num_negative)[:, 0]
        mean = _dot(weights, precision) / num_positive[:, 0]
    return auroc, np.ldexp(mean, -ranking.fraction_bits)


def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of products of each row: exact, being of whole numbers below 2^53."""
    products: NDArray[np.float64] = np.einsum("bu,bu->b", first, second)
    return products
