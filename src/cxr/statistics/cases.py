"""What the figures of a split are computed from: one row an image, one column a class or label.

Two questions have one form here. Where an image has one class, each column is "this class or
another"; where each label is decided by itself, each column is a label, known or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SHAPES: Final = "labels, decisions and scores have different shapes"

_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """A split in arrays; N images, C classes or labels.

    Attributes:
        present: What is true. Shape (N, C), bool.
        decided: What was decided. Shape (N, C), bool.
        known: Whether the truth is known; the rest is not counted. Shape (N, C), bool.
        scores: What images are ranked by within a column; only its order counts. Shape (N, C),
            float64.
        right: Right decisions of an image. Shape (N,), int64.
        asked: What ``right`` and ``sums`` are shares of: 1 where an image has one class, else its
            known labels. Shape (N,), int64.
        sums: Further figures that are means: by name what each image adds, over all that is
            asked of it. Shape (N,), float64, finite.
        bins: Bin of the reliability curve; negative: not counted. Shape (N, K), int64.
        gaps: Probability minus 1 if it came true, else minus 0. Shape (N, K), float64, in [-1, 1].
        is_exclusive: Whether each image has exactly one class.
    """

    present: NDArray[np.bool_]
    decided: NDArray[np.bool_]
    known: NDArray[np.bool_]
    scores: NDArray[np.float64]
    right: NDArray[np.int64]
    asked: NDArray[np.int64]
    sums: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    bins: NDArray[np.int64] | None = None
    gaps: NDArray[np.float64] | None = None
    is_exclusive: bool = True

    def __len__(self) -> int:
        """Return N."""
        return len(self.asked)

    @property
    def num_classes(self) -> int:
        """C."""
        return int(self.present.shape[1])


def build_class_cases(
    labels: ArrayLike,
    decisions: ArrayLike,
    scores: ArrayLike,
    *,
    sums: Mapping[str, ArrayLike] | None = None,
    bins: ArrayLike | None = None,
    gaps: ArrayLike | None = None,
) -> Cases:
    """Return the cases of a split in which each image has one class.

    Args:
        labels: Class of each image. Shape (N,), in [0, C).
        decisions: Class decided for. Shape (N,), in [0, C).
        scores: What images are ranked by, such as log-odds of each class. Shape (N, C).
        sums: Further means by name, such as the loss: shape (N,).
        bins: Bin of each decision's probability. Shape (N,) or (N, K).
        gaps: That probability minus 1 where it came true. Shape as ``bins``.

    Raises:
        ValueError: Shapes do not fit, a label is out of range, or a number is not finite.
    """
    table = np.asarray(scores, dtype=np.float64)
    truth, chosen = np.asarray(labels, dtype=np.int64), np.asarray(decisions, dtype=np.int64)
    if truth.shape != chosen.shape or table.shape[:1] != truth.shape:
        raise ValueError(_SHAPES)
    classes = np.arange(table.shape[1])
    cases = Cases(
        present=truth[:, None] == classes,
        decided=chosen[:, None] == classes,
        known=np.ones(table.shape, dtype=np.bool_),
        scores=table,
        right=(truth == chosen).astype(np.int64),
        asked=np.ones(len(truth), dtype=np.int64),
        sums=_read_sums(sums),
        bins=None if bins is None else _as_columns(np.asarray(bins, dtype=np.int64)),
        gaps=None if gaps is None else _as_columns(np.asarray(gaps, dtype=np.float64)),
    )
    _check(cases)
    if not (cases.present.any(axis=1).all() and cases.decided.any(axis=1).all()):
        raise ValueError("a label or a decision names no column of the scores")
    return cases


def build_label_cases(
    labels: ArrayLike,
    decisions: ArrayLike,
    scores: ArrayLike,
    *,
    sums: Mapping[str, ArrayLike] | None = None,
    bins: ArrayLike | None = None,
    gaps: ArrayLike | None = None,
) -> Cases:
    """Return the cases of a split in which each label is decided by itself.

    Args:
        labels: 1 present, 0 absent, negative unknown. Shape (N, C).
        decisions: Whether each label was decided for. Shape (N, C).
        scores: What images are ranked by. Shape (N, C).
        sums: Further means by name: what an image adds over its known labels. Shape (N,).
        bins: Bin of each label's probability; negative where unknown. Shape (N, C).
        gaps: That probability minus 1 where the label is present. Shape (N, C).

    Raises:
        ValueError: Shapes do not fit, or a number is not finite.
    """
    truth = np.asarray(labels, dtype=np.int64)
    chosen = np.asarray(decisions, dtype=np.bool_)
    if truth.shape != chosen.shape:
        raise ValueError(_SHAPES)
    known = truth >= 0
    present = truth > 0
    cases = Cases(
        present=present,
        decided=chosen,
        known=known,
        scores=np.asarray(scores, dtype=np.float64),
        right=((present == chosen) & known).sum(axis=1, dtype=np.int64),
        asked=known.sum(axis=1, dtype=np.int64),
        sums=_read_sums(sums),
        bins=None if bins is None else _as_columns(np.asarray(bins, dtype=np.int64)),
        gaps=None if gaps is None else _as_columns(np.asarray(gaps, dtype=np.float64)),
        is_exclusive=False,
    )
    _check(cases)
    return cases


def number_groups(groups: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Return the number of each image's group, and how many groups there are.

    Groups are numbered in the order of their names, so the order of images does not matter.

    Args:
        groups: Names or numbers of groups, such as patients. Shape (N,).
    """
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    return numbers.astype(np.int64).reshape(-1), len(names)


def _read_sums(sums: Mapping[str, ArrayLike] | None) -> dict[str, NDArray[np.float64]]:
    return {name: np.asarray(values, dtype=np.float64) for name, values in (sums or {}).items()}


def _as_columns(table: NDArray[_Number]) -> NDArray[_Number]:
    return table[:, None] if table.ndim == 1 else table


def _check(cases: Cases) -> None:
    """Raise ValueError where shapes do not fit or a number is not finite."""
    num, shape = len(cases.asked), cases.scores.shape
    if {cases.present.shape, cases.decided.shape, cases.known.shape} != {shape} or len(shape) != 2:  # noqa: PLR2004
        raise ValueError(_SHAPES)
    if any(values.shape != (num,) for values in cases.sums.values()):
        raise ValueError("a sum has not one value an image")
    if (cases.bins is None) != (cases.gaps is None):
        raise ValueError("bins and gaps come together")
    numbers = [cases.scores[cases.known], *cases.sums.values()]
    if cases.bins is not None and cases.gaps is not None:
        if cases.bins.shape != cases.gaps.shape or len(cases.bins) != num:
            raise ValueError("bins and gaps have different shapes")
        numbers.append(cases.gaps[cases.bins >= 0])
    if np.isnan(numbers[0]).any() or not all(np.isfinite(row).all() for row in numbers[1:]):
        raise ValueError("a score, sum or gap is not a number")
