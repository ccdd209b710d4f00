"""The quantile of the normal distribution, as a fixed sequence of float64 steps.

Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
Statistics 37, 1988, PPND16: relative error about 1e-16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from cxr.determinism.portable.elementary.logarithms import log64
from cxr.determinism.portable.elementary.polynomials import horner
from cxr.determinism.portable.elementary.square_roots import sqrt64

_CENTRE_LIMIT: Final = 0.425
_CENTRE_ORIGIN: Final = 0.180625
_NEAR_LIMIT: Final = 5.0
_NEAR_ORIGIN: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rational:
    """A quotient of two polynomials, each by rising powers."""

    numerator: tuple[float, ...]
    denominator: tuple[float, ...]


_CENTRE: Final = _Rational(
    numerator=(
        3.3871328727963665,
        133.14166789178438,
        1971.5909503065513,
        13731.69376550946,
        45921.95393154987,
        67265.7709270087,
        33430.57558358813,
        2509.0809287301227,
    ),
    denominator=(
        1.0,
        42.31333070160091,
        687.1870074920579,
        5394.196021424751,
        21213.794301586597,
        39307.89580009271,
        28729.085735721943,
        5226.495278852854,
    ),
)
"""Of 0.180625 - q^2, times q: the quantile of 1/2 + q, for |q| <= 0.425."""

_NEAR_TAIL: Final = _Rational(
    numerator=(
        1.4234371107496835,
        4.630337846156546,
        5.769497221460691,
        3.6478483247632045,
        1.2704582524523684,
        0.2417807251774506,
        0.022723844989269184,
        0.0007745450142783414,
    ),
    denominator=(
        1.0,
        2.053191626637759,
        1.6763848301838038,
        0.6897673349851,
        0.14810397642748008,
        0.015198666563616457,
        0.0005475938084995345,
        1.0507500716444169e-09,
    ),
)
"""Of r - 1.6: the quantile, up to its sign, where the tail is exp(-r^2), r <= 5."""

_FAR_TAIL: Final = _Rational(
    numerator=(
        6.657904643501103,
        5.463784911164114,
        1.7848265399172913,
        0.29656057182850487,
        0.026532189526576124,
        0.0012426609473880784,
        2.7115555687434876e-05,
        2.0103343992922881e-07,
    ),
    denominator=(
        1.0,
        0.599832206555888,
        0.1369298809227358,
        0.014875361290850615,
        0.0007868691311456133,
        1.8463183175100548e-05,
        1.421511758316446e-07,
        2.0442631033899397e-15,
    ),
)
"""Of r - 5, for r > 5."""


def normal_quantile64(offset: torch.Tensor) -> torch.Tensor:
    """Return the standard normal's quantile at the probability ``1/2 + offset``.

    Logarithm and root, which cost most, are taken of tails alone: 15 % of uniform numbers.

    Args:
        offset: float64, of any shape; beyond -1/2 and 1/2 the result is NaN.

    Returns:
        float64, relative error at most 2e-15; infinite at -1/2 and 1/2.
    """
    found = _divide(_CENTRE, _CENTRE_ORIGIN - offset * offset).mul_(offset)
    # A NaN is there too.
    outside = ~(offset.abs() <= _CENTRE_LIMIT)
    found[outside] = _find_tail(offset[outside])
    return found


def _find_tail(offset: torch.Tensor) -> torch.Tensor:
    """Return the quantiles of offsets of more than 0.425, shape (n,), float64."""
    r = sqrt64(-log64(0.5 - offset.abs()))
    near = _divide(_NEAR_TAIL, r - _NEAR_ORIGIN)
    far = torch.where(r <= _NEAR_LIMIT, near, _divide(_FAR_TAIL, r - _NEAR_LIMIT))
    return torch.where(r == torch.inf, r, far).copysign_(offset)


def _divide(rational: _Rational, x: torch.Tensor) -> torch.Tensor:
    """Return a rational function's value."""
    return horner(x, rational.numerator).div_(horner(x, rational.denominator))
