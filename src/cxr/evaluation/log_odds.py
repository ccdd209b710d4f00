"""Log-odds and surprise of one class among several, and the probability of one label.

The first two do not saturate: probabilities near 0 and 1 are rounded, and would make ties of images
that the model tells apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cxr.evaluation.elementary import PLATFORM, Elementary


def derive_log_odds(logits: Sequence[float], index: int, functions: Elementary = PLATFORM) -> float:
    """Return ``z_k - log(sum of exp(z_j), j != k)``: the logarithm of p_k / (1 - p_k).

    Of two classes it is the difference of the logits, rounded once. What all logits have in common
    is taken off before anything is rounded to less than it is, and the sum does not depend on its
    order, so images that should tie do.

    Args:
        logits: Of one image, one a class.
        index: k.
        functions: Of the level.
    """
    others = [*logits[:index], *logits[index + 1 :]]
    return (logits[index] - max(others)) - _excess(others, functions)


def derive_surprise(logits: Sequence[float], index: int, functions: Elementary = PLATFORM) -> float:
    """Return ``-log(p_k)`` in nats, the cross-entropy of one image of class k; always finite."""
    return (max(logits) - logits[index]) + _excess(logits, functions)


def _excess(logits: Sequence[float], functions: Elementary) -> float:
    """Return how far the logarithm of the sum of exponentials lies above the largest logit."""
    largest, *rest = sorted(logits, reverse=True)
    return functions.log1p(math.fsum(functions.exp(value - largest) for value in rest))


def sigmoid(logit: float, functions: Elementary = PLATFORM) -> float:
    """Return the probability of one label; the exponential never overflows."""
    power = functions.exp(-abs(logit))
    return (1.0 if logit >= 0 else power) / (1.0 + power)
