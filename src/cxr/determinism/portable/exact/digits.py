"""Digits of integers, and exact products of them by GEMMs of int8 with sums in int32.

An integer of at most ``2^19`` is three digits to base 128, ``q = d0 + 2^7 d1 + 2^14 d2``: of ``u =
q + 64 + 64 * 128`` the lowest seven bits less 64 are d0, the next seven less 64 are d1, the rest is
d2. d0 and d1 lie in [-64, 63] by that, and d2 in [-32, 32], because ``2^19 + 8256 < 33 * 2^14``. No
instruction saturates within these bounds: those that add pairs of products in 16 bits take one
operand without a sign, which libraries shift by 128, and ``2 * (63 + 128) * 64 < 2^15``. A sum of K
products of digits is at most ``2^12 K``; with ``S_s`` the sum of the products whose digits ``i + j
= s``,

    |S_0| <= 2^12 K,  |S_1|, |S_2| <= 2^13 K,  |S_3| <= 2^12 K,  |S_4| <= 2^10 K,

all below ``2^31`` for ``K <= 2^14``: exact in int32, in any order. The product is ``S_0 + 2^7 S_1 +
2^14 S_2 + 2^21 S_3 + 2^28 S_4``. Added in float64 from the right, each partial result is an integer
of at most ``2^38 K (1 + 2^-4) < 2^53``, so that a fused multiplication and addition gives it as
well. ``S_0 + 2^7 S_1`` and ``S_2 + 2^7 S_3`` may first be added in int32 where
``2^12 K (1 + 2^8) < 2^31``.
"""

from __future__ import annotations

from typing import Final

import torch

DIGIT_BITS: Final = 7
NUM_DIGITS: Final = 3
_BASE: Final = 2**DIGIT_BITS
_HALF: Final = _BASE // 2

OFFSET: Final = _HALF + _HALF * _BASE
"""What makes the lower digits of an integer positive: the lower digits of ``-OFFSET`` are -64."""

LARGEST: Final = (_HALF - 1) * (1 + _BASE)
"""The integer whose lower digits are 63."""

_LONGEST_IN_PAIRS: Final = (2**31 - 1) // (2**12 * (1 + 2**8))
"""Inner length up to which the sums of two weights are added in int32."""

_WIDE_ABOVE: Final = 8
_WIDE_ABOVE_LYING: Final = 4
"""Inner lengths of so many times the columns, or the rows where the columns' digits lie side by
side: nine narrow sums then cost less than copies."""


def split_digits(integers: torch.Tensor, *, inside: bool = False) -> torch.Tensor:
    """Return the three digits of integers of at most ``2^19``.

    Args:
        integers: int32 of any shape, without gaps in memory.
        inside: Whether the digits of a row stand side by side; otherwise a plane is laid out like
            the integers. The integers are then contiguous.

    Returns:
        int8 of shape ``(3, *integers.shape)``.
    """
    shifted = integers + OFFSET
    if inside:
        *places, last = shifted.shape
        beside = torch.empty((*places, NUM_DIGITS, last), dtype=torch.int8, device=shifted.device)
        digits = beside.movedim(-2, 0)
    else:
        digits = torch.empty_strided(
            (NUM_DIGITS, *shifted.shape),
            (shifted.numel(), *shifted.stride()),
            dtype=torch.int8,
            device=shifted.device,
        )
    for plane in digits[:-1]:
        # The conversion keeps the lowest eight bits.
        plane.copy_(shifted).bitwise_and_(_BASE - 1).sub_(_HALF)
        shifted >>= DIGIT_BITS
    digits[-1].copy_(shifted)
    return digits


def multiply_digits(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the product of integers from their digits.

    Args:
        a: Digits ``(3, M, K)`` of the rows, K at most ``CHUNK``.
        b: Digits ``(3, K, N)`` of the columns.

    Returns:
        float64 ``(M, N)``; zeros are positive.
    """
    _, num_rows, inner = a.shape
    num_columns = b.shape[2]
    if not a.numel() or not b.numel():
        return a.new_zeros((num_rows, num_columns), dtype=torch.float64)
    # Digits that lie side by side already, as those of windows do, need no copy.
    rows_lie, columns_lie = a.stride(0) < a.stride(1), b.stride(0) < b.stride(1)
    if columns_lie:
        is_wide = inner > _WIDE_ABOVE_LYING * num_rows
    else:
        is_wide = inner > _WIDE_ABOVE * num_columns and not rows_lie
    add = _add_wide if is_wide else _add_side_by_side
    return _recombine(add(a, b), inner)


def _multiply_int8(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the int32 product of int8 matrices."""
    return torch._int_mm(rows, columns)  # noqa: SLF001  # it has no public name


def _add_wide(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Return ``S_0 ... S_4`` from one GEMM of all rows and all columns; for small results.

    Digits that lie side by side, of rows or of columns, are taken as they lie.
    """
    num_rows, num_columns = a.shape[1], b.shape[2]
    rows = a.reshape(-1, a.shape[2])
    columns = b.transpose(0, 1).reshape(b.shape[1], -1)
    nine = _multiply_int8(rows, columns).view(NUM_DIGITS, num_rows, NUM_DIGITS, num_columns)
    return [
        nine[0, :, 0],
        nine[0, :, 1] + nine[1, :, 0],
        (nine[0, :, 2] + nine[1, :, 1]).add_(nine[2, :, 0]),
        nine[1, :, 2] + nine[2, :, 1],
        nine[2, :, 2],
    ]


def _add_side_by_side(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Return ``S_0 ... S_4`` from five GEMMs, with the digits side by side in the inner dimension.

    The rows hold digits 0, 1, 2 and the columns 2, 1, 0: what stands face to face has one weight.
    """
    inner = a.shape[2]
    rows = a.transpose(0, 1).reshape(a.shape[1], -1)
    # Columns that lie one after the other stay so: bytes are slow to transpose.
    if b.stride(1) == 1:
        columns = torch.cat([plane.t() for plane in b.unbind()[::-1]], dim=1).t()
    else:
        columns = torch.cat(b.unbind()[::-1])
    sums = []
    for weight in range(-2, 3):
        first, last = max(0, weight) * inner, (NUM_DIGITS + min(0, weight)) * inner
        facing = max(0, -weight) * inner
        length = last - first
        sums.append(_multiply_int8(rows[:, first:last], columns[facing : facing + length]))
    return sums


def _recombine(sums: list[torch.Tensor], inner: int) -> torch.Tensor:
    """Return ``S_0 + 2^7 S_1 + ...`` in float64.

    Steps may be fused or not: each one's result is exact.
    """
    base = _BASE
    if inner <= _LONGEST_IN_PAIRS:
        sums = [sums[0].add(sums[1], alpha=base), sums[2].add(sums[3], alpha=base), sums[4]]
        base = _BASE**2
    total = sums[-1].to(torch.float64)
    for part in reversed(sums[:-1]):
        total = part.to(torch.float64).add_(total, alpha=base)
    return total
