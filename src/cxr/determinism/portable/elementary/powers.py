"""Powers: whole and half-whole exponents by multiplication and roots, others by exp and log.

Special values are those of IEEE 754's pow: x^0 is 1 for every x, 1^y is 1 for every y, and a
negative number needs a whole exponent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import (
    canonicalise_nan_,
    map_float32,
    require_float32,
)
from cxr.determinism.portable.elementary.exponentials import exp64, invert
from cxr.determinism.portable.elementary.logarithms import log64
from cxr.determinism.portable.elementary.square_roots import sqrt64

_MOST_FACTORS: Final = 64
"""Up to this exponent powers are products."""


def pow64(base: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    """Return base^exponent, float64, for results within float32's range.

    A number as exponent, whole or half-whole and up to 64, makes products and a root; then the
    relative error is at most 1.2e-16 for each of them. Otherwise it is exp(y ln(x)), with a
    relative error of at most (2 + 2 |y ln(x)|) 1.2e-16, which is 3e-14 in float32's range.

    Args:
        base: float64, of any shape.
        exponent: A number, or float64 of a shape that broadcasts.
    """
    if isinstance(exponent, torch.Tensor):
        return _pow_by_exp(base, exponent)
    if abs(exponent) <= _MOST_FACTORS and (2.0 * exponent).is_integer():
        return _pow_by_products(base, exponent)
    return _pow_by_exp(base, torch.tensor(exponent, dtype=torch.float64))


def pow_scalar(x: torch.Tensor, exponent: float) -> torch.Tensor:
    """Return x^exponent, float32."""
    if exponent == 2:  # noqa: PLR2004 - the square, which float32 rounds rightly by itself
        require_float32(x)
        return canonicalise_nan_(x * x)
    return map_float32(lambda block: pow64(block, float(exponent)), x)


def pow_tensor(x: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """Return x^exponent, float32, both tensors."""
    return map_float32(_pow_by_exp, x, exponent)


def pow_of_scalar(base: float, exponent: torch.Tensor) -> torch.Tensor:
    """Return base^exponent, float32, the base a number."""
    number = torch.tensor(float(base), dtype=torch.float64)
    return map_float32(lambda block: _pow_by_exp(number, block), exponent)


def _pow_by_products(base: torch.Tensor, exponent: float) -> torch.Tensor:
    """Return a whole or half-whole power, by the exponent's binary digits."""
    count = int(abs(exponent))
    if count != abs(exponent):
        # IEEE 754: to a half, -0 counts as 0 and -inf as inf.
        base = torch.where((base == 0.0) | (base == -torch.inf), base.abs(), base)
        value = sqrt64(base)
    else:
        value = torch.ones_like(base)
    square = base
    while count:
        if count & 1:
            value = value * square
        count >>= 1
        if count:
            square = square * square
    return invert(value) if exponent < 0 else value


def _pow_by_exp(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return exp(y ln|x|) with the sign that x and y ask for."""
    value = exp64(y * log64(x.abs()))
    is_whole = y == y.floor()
    is_odd = is_whole & (y - (y * 0.5).floor() * 2.0 == 1.0)
    value = torch.where(is_odd & x.signbit(), -value, value)
    value.masked_fill_((x < 0.0) & (x > -torch.inf) & ~is_whole, torch.nan)
    is_one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & y.isinf())
    return value.masked_fill_(is_one, 1.0)


def _pow_scalar_(x: torch.Tensor, exponent: float) -> torch.Tensor:
    return x.copy_(pow_scalar(x, exponent))


def _pow_tensor_(x: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    return x.copy_(pow_tensor(x, exponent))


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.pow.Tensor_Scalar": pow_scalar,
    "aten.pow.Tensor_Tensor": pow_tensor,
    "aten.pow.Scalar": pow_of_scalar,
    "aten.pow_.Scalar": _pow_scalar_,
    "aten.pow_.Tensor": _pow_tensor_,
}
