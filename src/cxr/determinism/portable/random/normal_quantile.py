"""The quantile of the normal distribution, as a fixed sequence of float64 steps.

Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
Statistics 37, 1988, PPND16: relative error about 1e-16. Its third interval, tails below exp(-25),
is left out: no number of 32 random bits comes near it.
"""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.logarithms import log64
from cxr.determinism.portable.elementary.polynomials import horner
from cxr.determinism.portable.elementary.quantiles import CENTRE, NEAR_TAIL, Rational
from cxr.determinism.portable.elementary.square_roots import sqrt64

_CENTRE_LIMIT: Final = 0.425
_CENTRE_ORIGIN: Final = 0.180625
_TAIL_ORIGIN: Final = 1.6


def normal_quantile64(offset: torch.Tensor) -> torch.Tensor:
    """Return the standard normal's quantile at the probability ``1/2 + offset``.

    Logarithm and root, which cost most, are taken only of the 15 % that lie in the tails.

    Args:
        offset: Shape (n,), float64, at least 2^-35 inside -1/2 and 1/2.

    Returns:
        Shape (n,), float64.
    """
    found = _divide(CENTRE, _CENTRE_ORIGIN - offset * offset).mul_(offset)
    magnitude = offset.abs()
    tail = (magnitude > _CENTRE_LIMIT).nonzero().view(-1)
    distance = sqrt64(-log64(0.5 - magnitude[tail]))
    far = _divide(NEAR_TAIL, distance - _TAIL_ORIGIN)
    found[tail] = torch.where(offset[tail] < 0, -far, far)
    return found


def _divide(rational: Rational, x: torch.Tensor) -> torch.Tensor:
    """Return a rational function's value."""
    return horner(x, rational.numerator).div_(horner(x, rational.denominator))
