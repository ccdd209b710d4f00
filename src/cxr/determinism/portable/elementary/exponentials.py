"""exp, expm1, tanh and the logistic function in float64, and exp as far as float32 needs it.

x = k ln(2) + r with an integer k and |r| <= ln(2)/2, so exp(x) = 2^k exp(r). k is found by adding
3 x 2^51, which leaves it in the low bits of the sum: no conversion is needed, and NaN does no harm.
"""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.constants import (
    EXP_TAYLOR,
    LN2_HI,
    LN2_LO,
    LOG2_E,
    TWO_TO_FRACTION,
)
from cxr.determinism.portable.elementary.polynomials import horner

_ROUNDING: Final = 1.5 * 2.0**52
_ROUNDING_BITS: Final = 0x4338000000000000
_BIAS: Final = 1023
_BIASED_ROUNDING: Final = _ROUNDING + _BIAS
"""Leaves the exponent of 2^k, as float64 keeps it, in the low bits of the sum."""
_MANTISSA_BITS: Final = 52

_EXP_LEAST: Final = -746.0
_EXP_MOST: Final = 710.0
"""Beyond them exp is 0 or infinite in float64."""

_EXPM1_LEAST: Final = -40.0
"""Below it expm1 is -1 in float64."""

_SINGLE_LIMIT: Final = 200.0
"""Beyond it exp is 0 or infinite in float32; its square is still a normal float64."""


def exp64(x: torch.Tensor) -> torch.Tensor:
    """Return exp(x), float64, within 1 ulp; the least float64 numbers are right as well.

    Args:
        x: float64, of any shape.
    """
    rest, k = _reduce(x.clamp(_EXP_LEAST, _EXP_MOST))
    value = horner(rest, EXP_TAYLOR)
    value.mul_(rest).mul_(rest).add_(rest).add_(1.0)
    return _scale_(value, k)


def expm1_64(x: torch.Tensor) -> torch.Tensor:
    """Return exp(x) - 1, float64, relative error at most 4e-16, small x included.

    Args:
        x: float64, of any shape.
    """
    rest, k = _reduce(x.clamp(_EXPM1_LEAST, _EXP_MOST))
    value = horner(rest, EXP_TAYLOR)
    value.mul_(rest).mul_(rest).add_(rest)
    # 2^k exp(r) - 1 = 2^k (expm1(r) + (1 - 2^-k)); 1 - 2^-k is 1 in float64 from k = 54 on.
    value.add_(1.0 - _power_of_two(-k.clamp(max=60)))
    return _scale_(value, k).copysign_(x)


def tanh64(x: torch.Tensor) -> torch.Tensor:
    """Return tanh(x), float64, relative error at most 5e-16.

    Args:
        x: float64, of any shape.
    """
    t = expm1_64(x.abs().mul_(-2.0))
    return t.neg().div_(t.add_(2.0)).copysign_(x)


def sigmoid64(x: torch.Tensor) -> torch.Tensor:
    """Return 1/(1 + exp(-x)), float64, relative error at most 6e-16 for x >= -700.

    Args:
        x: float64, of any shape.
    """
    return invert(exp64(x.neg()).add_(1.0))


def exp_single(x: torch.Tensor) -> torch.Tensor:
    """Return exp(x) with a relative error below 2^-33: float64 that is to become float32.

    Takes half the steps of `exp64`. Beyond 200 either way x counts as 200, which float32 cannot
    tell from infinity and 0.

    Args:
        x: float64, of any shape; overwritten.
    """
    x.clamp_(-_SINGLE_LIMIT, _SINGLE_LIMIT).mul_(LOG2_E)
    shifted = x + _BIASED_ROUNDING
    x.sub_(shifted - _BIASED_ROUNDING)
    # A normal number here. To add k to the exponent's bits would take three times as long.
    power = shifted.view(torch.int64).bitwise_left_shift_(_MANTISSA_BITS).view(torch.float64)
    return horner(x, TWO_TO_FRACTION).mul_(power)


def sigmoid_single(x: torch.Tensor) -> torch.Tensor:
    """Return 1/(1 + exp(-x)) with a relative error below 2^-33.

    Args:
        x: float64, of any shape; overwritten.
    """
    return invert(exp_single(x.neg_()).add_(1.0))


def invert(x: torch.Tensor) -> torch.Tensor:
    """Return 1/x by a division; torch's reciprocal may be another operation elsewhere."""
    return torch.div(torch.ones((), dtype=x.dtype), x)


def _reduce(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return r, float64, and k, int64, with x = k ln(2) + r; |k| stays below 2^11."""
    shifted = (x * LOG2_E).add_(_ROUNDING)
    k = shifted - _ROUNDING
    # k LN2_HI is exact, and so is the difference: both lie close together.
    rest = x - k * LN2_HI
    rest.sub_(k.mul_(LN2_LO))
    return rest, shifted.view(torch.int64).sub_(_ROUNDING_BITS)


def _scale_(value: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Multiply by 2^k in two steps, of which only the last may round, overflow or underflow."""
    first = k >> 1
    return value.mul_(_power_of_two(first)).mul_(_power_of_two(k - first))


def _power_of_two(k: torch.Tensor) -> torch.Tensor:
    """Return 2^k, float64, for int64 k from -1022 to 1023."""
    return (k + _BIAS).bitwise_left_shift_(_MANTISSA_BITS).view(torch.float64)
