"""The normal distribution's and Student's t: probabilities and quantiles, from SciPy.

Their last bit may differ between versions of SciPy. Imported when they are called: SciPy takes a
tenth of a second.
"""

from __future__ import annotations


def normal_probability(x: float) -> float:
    """Return the probability that a standard normal number is at most ``x``."""
    from scipy.special import ndtr

    return float(ndtr(x))


def normal_quantile(probability: float) -> float:
    """Return the number that a standard normal one stays below with ``probability``."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def student_quantile(probability: float, freedom: int) -> float:
    """Return the number that one of Student's distribution stays below with ``probability``.

    Args:
        probability: In (0, 1).
        freedom: Degrees of freedom, at least 1.
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))
