"""How far several models agree on the same images: S models or seeds, N images.

Models of equal accuracy may decide differently about many an image; a mean over models hides that.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def find_changing_decisions(decisions: ArrayLike) -> NDArray[np.bool_]:
    """Return for which images not all models decide alike. Shape (N,).

    Args:
        decisions: Class of each image by each model. Shape (S, N), whole numbers.
    """
    import numpy as np

    table = np.asarray(decisions)
    changing: NDArray[np.bool_] = (table != table[:1]).any(axis=0)
    return changing


def share_of_changing_decisions(decisions: ArrayLike) -> float | None:
    """Return the share of images on which not all models decide alike.

    None without an image, or of fewer than two models.

    Args:
        decisions: Class of each image by each model. Shape (S, N), whole numbers.
    """
    changing = find_changing_decisions(decisions)
    if not len(changing) or _count_models(decisions) <= 1:
        return None
    return int(changing.sum()) / len(changing)


def fleiss_kappa(decisions: ArrayLike) -> float | None:
    """Return Fleiss' kappa: agreement of models beyond that of chance; 1 is full agreement.

    A quotient of whole numbers, rounded once. None without an image, of fewer than two models, and
    where all decisions are one class, so that chance agrees as well.

    Source: Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin
    1971.

    Args:
        decisions: Class of each image by each model. Shape (S, N), whole numbers.
    """
    import numpy as np

    table = np.asarray(decisions)
    num_models, num_images = table.shape
    if num_models <= 1 or not num_images:
        return None
    classes: Counter[int] = Counter()
    agreeing_pairs = 0
    for column in table.T.tolist():
        votes = Counter(column)
        classes.update(votes)
        agreeing_pairs += sum(num * (num - 1) for num in votes.values())
    observed = Fraction(agreeing_pairs, num_images * num_models * (num_models - 1))
    all_votes = num_images * num_models
    by_chance = Fraction(sum(num * num for num in classes.values()), all_votes * all_votes)
    if by_chance == 1:
        return None
    return float((observed - by_chance) / (1 - by_chance))


def coefficients_of_variation(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return the standard deviation over the mean of each image's probability, over models.

    The divisor is S - 1. NaN where the mean is 0, and of fewer than two models. Sums run model by
    model, so the bits are the same on every machine.

    Source: Zech, Forde, Littman, "Individual predictions matter: assessing the effect of data
    ordering in training fine-tuned CNNs for medical imaging", arXiv 1912.03606.

    Args:
        probabilities: Probability of one class or label by each model. Shape (S, N), in [0, 1].

    Returns:
        Shape (N,), float64.
    """
    import numpy as np

    table = np.asarray(probabilities, dtype=np.float64)
    num_models, num_images = table.shape
    if num_models <= 1:
        return np.full(num_images, np.nan)
    mean = sum(table[1:], start=table[0]) / num_models
    # Of equal values the rounded mean may be another number; their spread is 0 all the same.
    is_equal = (table == table[:1]).all(axis=0)
    squares = [np.square(row - mean) for row in table]
    variance = sum(squares[1:], start=squares[0]) / (num_models - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mean == 0, np.nan, np.where(is_equal, 0.0, np.sqrt(variance) / mean))


def _count_models(decisions: ArrayLike) -> int:
    import numpy as np

    return len(np.asarray(decisions))
