"""float32 numbers as integers times a common power of two: the first half of an exact product.

A row whose magnitudes lie below ``2^e`` is multiplied by ``2^(19 - e)``, which is exact, and
rounded to integers, half to even. They are at most ``2^19`` in magnitude, so a product of two is at
most ``2^38``, and ``2^14`` of them add up to at most ``2^52``: exact in float64, in any order.

Source: Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using
fast routines of matrix multiplication and its applications", Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from cxr.determinism.portable.errors import NotFiniteError

OPERAND_BITS: Final = 19
"""An operand is at most ``2^19`` in magnitude, which itself is what just below ``2^e`` becomes."""

CHUNK: Final = 2**14
"""Inner length of a product whose every partial sum is exact: 2 * 19 + 14 = 52 bits of 53."""

LEAST_EXPONENT: Final = -149
"""Exponent of a row of zeros: float32 has no magnitude below ``2^-149``."""

LOW_BITS: Final = 20
"""Weight of the second slice: what the first leaves is at most one half, ``2^19 * 2^-20``."""

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

# Rounding to a grid in float32: the grid's constant is finite, and what is left is normal or zero.
_NARROW_GRIDS: Final = range(-106, 123)

# An integer below 2^22 is added to 1.5 * 2^23 without a rounding, and anything between two integers
# is rounded to one of them, half to even; the last bits of the sum are then that integer.
_ROUNDER: Final = 1.5 * 2**23
_ROUNDER_BITS: Final = 0x4B40_0000


def find_exponents(x: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """Return the least ``e`` with ``|x| < 2^e`` over ``dims``, which are kept with length one.

    Args:
        x: float32, of any shape and layout.
        dims: The dimensions that share an exponent; none stands for an exponent an element.

    Returns:
        int32 in [-149, 128]; -149 for zeros, and where ``dims`` hold no element.

    Raises:
        NotFiniteError: ``x`` has an infinity or a NaN.
    """
    dims = tuple(dims)
    if not x.numel():
        shared = {dim % x.ndim for dim in dims}
        kept = [1 if dim in shared else size for dim, size in enumerate(x.shape)]
        return torch.full(kept, LEAST_EXPONENT, dtype=torch.int32, device=x.device)
    # Both hand a NaN on. That they may take either zero of two does not matter: its sign goes.
    largest = x
    if dims:
        largest = torch.maximum(x.amax(dims, keepdim=True), x.amin(dims, keepdim=True).neg_())
    magnitudes = largest.view(torch.int32) & _MAGNITUDE
    least, most = torch.aminmax(magnitudes)
    if int(most) >= _INFINITY:
        raise NotFiniteError("an operand of a product has infinities or NaN")
    exponents = (magnitudes >> _FRACTION_BITS).sub_(_BIAS - 1)
    if int(least) >> _FRACTION_BITS:
        return exponents
    # A subnormal is n * 2^-149; n as a float32 tells how many bits it has.
    lengths = (magnitudes.to(torch.float32).view(torch.int32) >> _FRACTION_BITS).sub_(_BIAS - 1)
    lengths.masked_fill_(magnitudes == 0, 0)
    return torch.where(magnitudes >> _FRACTION_BITS > 0, exponents, lengths + LEAST_EXPONENT)


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
    # Exact as well: whatever becomes subnormal here is far below one half.
    scaled = x * power_of_two(shifts).to(torch.float32)
    return scaled.add_(_ROUNDER).view(torch.int32).sub_(_ROUNDER_BITS)


def round_to_grid(x: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
    """Return ``quantise(x, exponents) * 2^(exponents - 19)``: the same integers, scaled already.

    Of ``c = 1.5 * 2^(e + 4)``, float32's last bit weighs ``2^(e - 19)``, and ``x + c`` stays
    between the same two powers of two, for ``|x| < 2^e``. So the addition rounds ``x`` to a
    multiple of that weight, half to even because ``c`` is an even multiple, and the subtraction is
    exact: two steps where scaling, rounding and scaling back take five.

    Args:
        x: float32, finite, with ``|x| < 2^exponents``.
        exponents: int32, broadcastable to ``x``; of ``find_exponents``.

    Returns:
        float32, or float64 for exponents near the ends of float32's range, laid out like ``x``;
        its zeros are positive.
    """
    is_narrow = True
    if exponents.numel():
        least, most = torch.aminmax(exponents)
        is_narrow = int(least) in _NARROW_GRIDS and int(most) in _NARROW_GRIDS
    wide = x if is_narrow else x.to(torch.float64)
    num_fraction_bits = _FRACTION_BITS if is_narrow else _FRACTION_BITS_64
    constants = power_of_two(exponents + (num_fraction_bits - OPERAND_BITS)).mul_(1.5)
    constants = constants.to(wide.dtype)
    return (wide + constants).sub_(constants)


def quantise_twice(x: torch.Tensor, exponents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two slices of ``x * 2^(19 - exponents)``: about ``high + low * 2^-20``.

    What is left out is at most ``2^-21``, which is ``2^(exponents - 40)`` of ``x``.

    Args:
        x: As for ``quantise``.
        exponents: Likewise.

    Returns:
        Two int32 tensors in [-2^19, 2^19]; the first is ``quantise(x, exponents)``.
    """
    scaled = x.to(torch.float64) * power_of_two(OPERAND_BITS - exponents)
    high = scaled.round()
    # Exact: a multiple of the last bit of scaled, and no larger than scaled.
    low = scaled.sub_(high).mul_(2.0**LOW_BITS).round_()
    return high.to(torch.int32), low.to(torch.int32)


def scale_back(product: torch.Tensor, *exponents: torch.Tensor) -> torch.Tensor:
    """Return ``product * 2^(e - 19)`` for each of ``exponents``, rounded once, to float32.

    Args:
        product: float64 sums of products of integers, which scaling leaves in float64's range;
            overwritten.
        exponents: Of the operands, each broadcastable to ``product``.

    Returns:
        float32 of the shape of ``product``; infinite where that is beyond float32's range.
    """
    for each in exponents:
        product *= power_of_two(each - OPERAND_BITS)
    return product.to(torch.float32)
