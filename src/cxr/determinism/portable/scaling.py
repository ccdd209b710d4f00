"""float32 numbers as integers below a common power of two: the first half of an exact product.

A row whose magnitudes lie below ``2^e`` is multiplied by ``2^(19 - e)``, which is exact, and rounded
to integers, half to even. They are at most ``2^19`` in magnitude, so a product of two has at most 38
bits, and ``2^14`` of them add up to at most ``2^52``: in float64 every partial sum is exact.

Source: Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using fast
routines of matrix multiplication and its applications", Numerical Algorithms 59 (2012), with one
slice an operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from cxr.determinism.portable.errors import NotFiniteError

OPERAND_BITS: Final = 19
"""An operand is at most ``2^19`` in magnitude: that very number is what 0.99999 of a power becomes."""

CHUNK: Final = 2**14
"""Inner length of a product whose every partial sum is exact: 2 * 19 + 14 = 52 bits of 53."""

LEAST_EXPONENT: Final = -149
"""Exponent of a row of zeros: float32 has no magnitude below ``2^-149``."""

# Source: IEEE 754-2019, table 3.5: binary32 has 23 bits of fraction and bias 127, binary64 52 and
# 1023; all ones in the exponent mean infinity and NaN.
_MAGNITUDE: Final = 0x7FFF_FFFF
_INFINITY: Final = 0x7F80_0000
_FRACTION_BITS: Final = 23
_BIAS: Final = 127
_FRACTION_BITS_64: Final = 52
_BIAS_64: Final = 1023

# Below this exponent the power that scales, 2^(19 - e), is beyond float32's largest one, 2^127.
_LEAST_NARROW_EXPONENT: Final = OPERAND_BITS - _BIAS

# To 1.5 * 2^23 an integer below 2^22 is added without a rounding and anything between two integers
# is rounded to one of them; the last bits of the sum are then that integer.
_ROUNDER: Final = 1.5 * 2**23
_ROUNDER_BITS: Final = 0x4B40_0000


def find_exponents(x: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """Return the least ``e`` with ``|x| < 2^e`` over ``dims``; they are kept with length one.

    Args:
        x: float32, of any shape and layout.
        dims: The dimensions that share an exponent; none stands for an exponent an element.

    Returns:
        int32 in [-149, 128]; -149 for zeros, and where ``dims`` hold no element.

    Raises:
        NotFiniteError: ``x`` has an infinity or a NaN.
    """
    magnitudes = x.view(torch.int32) & _MAGNITUDE
    if dims and x.numel():
        magnitudes = magnitudes.amax(tuple(dims), keepdim=True)
    elif dims:
        kept = [1 if dim in _positive(dims, x.ndim) else size for dim, size in enumerate(x.shape)]
        magnitudes = magnitudes.new_zeros(kept)
    if magnitudes.numel() and int(magnitudes.max()) >= _INFINITY:
        raise NotFiniteError("an operand of a product has infinities or NaN")
    exponents = (magnitudes >> _FRACTION_BITS) - (_BIAS - 1)
    # A subnormal is n * 2^-149; as a number n says how many bits it has.
    lengths = (magnitudes.to(torch.float32).view(torch.int32) >> _FRACTION_BITS) - (_BIAS - 1)
    subnormal = torch.where(magnitudes == 0, LEAST_EXPONENT, lengths + LEAST_EXPONENT)
    return torch.where(magnitudes >> _FRACTION_BITS == 0, subnormal, exponents).to(torch.int32)


def power_of_two(exponents: torch.Tensor) -> torch.Tensor:
    """Return ``2^exponents`` in float64, made of its bits; for exponents in [-1022, 1023]."""
    return ((exponents.to(torch.int64) + _BIAS_64) << _FRACTION_BITS_64).view(torch.float64)


def quantise(x: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
    """Return ``x * 2^(19 - exponents)`` rounded half to even.

    Args:
        x: float32, finite, with ``|x| < 2^exponents``.
        exponents: int32, broadcastable to ``x``; of ``find_exponents``.

    Returns:
        int32 in [-2^19, 2^19], laid out like ``x``.
    """
    shifts = OPERAND_BITS - exponents
    if exponents.numel() and int(exponents.min()) < _LEAST_NARROW_EXPONENT:
        return (x.to(torch.float64) * power_of_two(shifts)).round_().to(torch.int32)
    # Exact as well: what becomes subnormal here is far below one half.
    scaled = x * power_of_two(shifts).to(torch.float32)
    return scaled.add_(_ROUNDER).view(torch.int32).sub_(_ROUNDER_BITS)


def _positive(dims: Sequence[int], ndim: int) -> set[int]:
    """Return ``dims`` counted from the front."""
    return {dim % ndim for dim in dims}
