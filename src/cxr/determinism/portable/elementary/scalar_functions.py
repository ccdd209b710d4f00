"""Elementary functions of Python's floats, the same bits on every machine: no C library takes part.

Fixed sequences of IEEE additions, multiplications and divisions, the same as for tensors, so that
`exp`, `log` and their relatives agree with the float64 functions bit for bit; and integers where
more digits are needed. ``math.ldexp`` and ``math.frexp`` only move exponents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from cxr.determinism.portable.elementary.constants import (
    COS_SERIES,
    EXP_TAYLOR,
    HALF_PI_BITS,
    HALF_PI_SCALED,
    HALF_ROOT,
    LN2_HI,
    LN2_LO,
    LOG2_E,
    LOG_SERIES,
    SIN_SERIES,
)

_ROUNDING: Final = 1.5 * 2.0**52
_EXP_LEAST: Final = -746.0
_EXP_MOST: Final = 710.0
_EXPM1_LEAST: Final = -40.0
_EXPM1_EXACT: Final = 60
_EIGHTH_TURN: Final = 0.7853981633974483
_ANGLE_MOST: Final = 2.0**40
_POWER_BITS: Final = 160
_FLOAT_EXPONENTS: Final = 1100
"""No float is as great as 2 to this, or as small as 2 to its negative."""


def exp(x: float) -> float:
    """Return the exponential, within 1 ulp; infinite above float64's range."""
    if math.isnan(x):
        return x
    k, rest = _reduce(min(max(x, _EXP_LEAST), _EXP_MOST))
    value = _horner(rest, EXP_TAYLOR)
    return _scale(value * rest * rest + rest + 1.0, k)


def expm1(x: float) -> float:
    """Return exp(x) - 1, relative error at most 4e-16, small x included."""
    if math.isnan(x) or x == 0.0:
        return x
    k, rest = _reduce(min(max(x, _EXPM1_LEAST), _EXP_MOST))
    value = _horner(rest, EXP_TAYLOR)
    value = value * rest * rest + rest
    return _scale(value + (1.0 - math.ldexp(1.0, -min(k, _EXPM1_EXACT))), k)


def log(x: float) -> float:
    """Return ln(x), within 1 ulp.

    Raises:
        ValueError: x is 0 or less.
    """
    if x <= 0.0:
        raise ValueError(f"logarithm of {x}")
    if math.isnan(x) or x == math.inf:
        return x
    k, mantissa = _split(x)
    return _log_of_parts(k, mantissa - 1.0, 0.0)


def log1p(x: float) -> float:
    """Return ln(1 + x), relative error at most 3e-16, small x included.

    Raises:
        ValueError: x is -1 or less.
    """
    if x <= -1.0:
        raise ValueError(f"logarithm of 1 + {x}")
    if math.isnan(x) or x in {0.0, math.inf}:
        return x
    total = 1.0 + x
    k, mantissa = _split(total)
    if k == 0:
        return _log_of_parts(0, x, 0.0)
    lost = (1.0 - (total - x) if k > 0 else x - (total - 1.0)) / total
    return _log_of_parts(k, mantissa - 1.0, lost)


def cos(x: float) -> float:
    """Return the cosine, within 1 ulp.

    Raises:
        ValueError: x is beyond 2^40 either way.
    """
    quadrant, rest, low = _reduce_angle(x)
    value = _sin_of_eighth(rest, low) if quadrant % 2 else _cos_of_eighth(rest, low)
    return -value if quadrant in {1, 2} else value


def sin(x: float) -> float:
    """Return the sine, within 1 ulp.

    Raises:
        ValueError: x is beyond 2^40 either way.
    """
    quadrant, rest, low = _reduce_angle(x)
    value = _cos_of_eighth(rest, low) if quadrant % 2 else _sin_of_eighth(rest, low)
    return -value if quadrant in {2, 3} else value


def power(base: float, exponent: int) -> float:
    """Return base^exponent, correctly rounded but for one case in 10^30; infinite beyond range.

    Squares and products are integers cut to 160 bits, so that their errors stay below 2^-120 for
    exponents up to 2^32.

    Raises:
        ValueError: The base is not finite.
        ZeroDivisionError: The base is 0 and the exponent negative.
    """
    if not math.isfinite(base):
        raise ValueError(f"power of {base}")
    if base == 0.0:
        if exponent < 0:
            raise ZeroDivisionError("0 to a negative power")
        return 1.0 if exponent == 0 else base if exponent % 2 else 0.0
    numerator, denominator = abs(base).as_integer_ratio()
    square, place = numerator, 1 - denominator.bit_length()
    value, value_place = 1, 0
    count = abs(exponent)
    while count:
        if count & 1:
            value, value_place = _cut(value * square, value_place + place)
        square, place = _cut(square * square, 2 * place)
        count >>= 1
    negative = base < 0.0 and exponent % 2 == 1
    found = _to_float(value, value_place, inverse=exponent < 0)
    return -found if negative else found


def _horner(x: float, coefficients: Sequence[float]) -> float:
    """Return c_0 + x (c_1 + x (c_2 + ...))."""
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def _reduce(x: float) -> tuple[int, float]:
    """Return k and r with x = k ln(2) + r, k the nearest integer."""
    k = (x * LOG2_E + _ROUNDING) - _ROUNDING
    return int(k), (x - k * LN2_HI) - k * LN2_LO


def _scale(value: float, k: int) -> float:
    """Return value 2^k, in two steps, of which only the last may round."""
    first = k >> 1
    return value * math.ldexp(1.0, first) * math.ldexp(1.0, k - first)


def _split(x: float) -> tuple[int, float]:
    """Return k and m with x = 2^k m and m from sqrt(1/2) to sqrt(2)."""
    mantissa, k = math.frexp(x)
    return (k - 1, mantissa * 2.0) if mantissa < HALF_ROOT else (k, mantissa)


def _log_of_parts(k: int, f: float, lost: float) -> float:
    """Return k ln(2) + ln(1 + f) + lost. Source: fdlibm, e_log.c and s_log1p.c."""
    half_square = f * f * 0.5
    s = f / (f + 2.0)
    square = s * s
    series = (_horner(square, LOG_SERIES) * square + half_square) * s
    return k * LN2_HI - ((half_square - (series + (k * LN2_LO + lost))) - f)


def _reduce_angle(x: float) -> tuple[int, float, float]:
    """Return the quadrant, modulo 4, and what is left of x as a sum of two floats.

    The first of them is at most pi/4 either way, the second is what rounding it has left out.
    """
    if not abs(x) <= _ANGLE_MOST:
        raise ValueError(f"cosine or sine of {x}")
    if abs(x) <= _EIGHTH_TURN:
        return 0, x, 0.0
    # Integers with 192 binary places: near a multiple of pi/2 all digits of the rest are right.
    numerator, denominator = x.as_integer_ratio()
    angle = (numerator << HALF_PI_BITS) // denominator
    count = (2 * angle + HALF_PI_SCALED) // (2 * HALF_PI_SCALED)
    rest = angle - count * HALF_PI_SCALED
    # Python rounds the quotient of two integers correctly.
    high = rest / (1 << HALF_PI_BITS)
    numerator, denominator = high.as_integer_ratio()
    low = rest - (numerator << HALF_PI_BITS) // denominator
    return count % 4, high, low / (1 << HALF_PI_BITS)


def _sin_of_eighth(r: float, low: float) -> float:
    """Return the sine of r + low. Source: fdlibm, k_sin.c."""
    square = r * r
    return r + (square * r * _horner(square, SIN_SERIES) + low * (1.0 - 0.5 * square))


def _cos_of_eighth(r: float, low: float) -> float:
    """Return the cosine of r + low. Source: fdlibm, k_cos.c."""
    square = r * r
    half = 0.5 * square
    most = 1.0 - half
    series = square * square * _horner(square, COS_SERIES) - r * low
    return most + (((1.0 - most) - half) + series)


def _cut(value: int, place: int) -> tuple[int, int]:
    """Return value 2^place with no more than so many bits, the others left out."""
    excess = max(value.bit_length() - _POWER_BITS, 0)
    return value >> excess, place + excess


def _to_float(value: int, place: int, *, inverse: bool) -> float:
    """Return value 2^place, or 1 over it, rounded once."""
    size = value.bit_length() + place
    if abs(size) > _FLOAT_EXPONENTS:
        return math.inf if (size > 0) is not inverse else 0.0
    upper, lower = (value << place, 1) if place >= 0 else (value, 1 << -place)
    try:
        return lower / upper if inverse else upper / lower
    except OverflowError:
        return math.inf
