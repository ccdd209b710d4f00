"""Backends of the exact product of integers: float64 GEMM and int8 GEMM give the same numbers.

A backend splits integers of at most ``2^19`` in magnitude into planes that its GEMM takes, and
multiplies planes. Which one runs is a matter of speed alone.

**float64.** One plane. A product of two operands is at most ``2^38``, and any sum of at most
``2^14`` of them at most ``2^52``; every integer up to ``2^53`` is a float64. So each partial sum is
exact, whatever the order, the blocking and the fusing of multiply and add.

**int8.** Three planes of digits to base 128, ``q = d0 + 128 d1 + 2^14 d2``, each in [-64, 63], d2 in
[-32, 32]. (Of ``u = q + 64 + 64 * 128`` the lowest seven bits less 64 are d0, the next less 64 are
d1, the rest is d2; from ``|q| <= 2^19`` follows ``-32 <= (q + 8256) >> 14 <= 32``.) Within these
bounds no instruction saturates: pairs of int8 products add up in 16 bits on older CPUs, and
``2 * 127 * 64 < 2^15`` even where one operand is shifted to [0, 127]. A sum of ``2^14`` products of
digits is at most ``2^12 * 2^14 = 2^26``, and the sums of equal weight, ``S_s`` over ``i + j = s``, at
most three times that: exact in int32. Last, ``S_0 + 2^7 S_1 + 2^14 S_2 + 2^21 S_3 + 2^28 S_4`` is
added from the right in float64: each partial result is an integer below ``2^53``, for the terms are
at most ``2^26, 2^34, 2^41.6, 2^47, 2^52``. So it is exact too, and it is the number that the float64
backend gives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final, Protocol

import torch

_DIGIT_BITS: Final = 7
_NUM_DIGITS: Final = 3
_HALF: Final = 2 ** (_DIGIT_BITS - 1)
_DIGIT_MASK: Final = 2**_DIGIT_BITS - 1
_OFFSET: Final = _HALF + (_HALF << _DIGIT_BITS)


class Backend(Protocol):
    """Multiplies integers of at most ``2^19`` in magnitude without an error."""

    @property
    def name(self) -> str:
        """What ``use_backend`` calls it."""

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        """Return planes of shape ``(D, *integers.shape)`` from int32 integers."""

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the product, float64 ``(M, N)``, of planes ``(D, M, K)`` and ``(D, K, N)``.

        K is at most ``CHUNK``. Zeros are positive.
        """

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the products, float64 ``(B, M, N)``, of ``(D, B, M, K)`` and ``(D, B, K, N)``."""


class _Float64:
    """One GEMM in float64."""

    name: Final = "float64"

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        return integers.to(torch.float64).unsqueeze(0)

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        # -1 * 0 is a negative zero, which some libraries keep and others add to a positive one.
        return torch.mm(a[0], b[0]).add_(0.0)

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a[0], b[0]).add_(0.0)


class _Int8:
    """Nine int8 GEMMs with int32 sums, as one."""

    name: Final = "int8"

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        shifted = integers + _OFFSET
        planes = shifted.new_empty((_NUM_DIGITS, *integers.shape), dtype=torch.int8)
        planes[0] = (shifted & _DIGIT_MASK) - _HALF
        planes[1] = ((shifted >> _DIGIT_BITS) & _DIGIT_MASK) - _HALF
        planes[2] = shifted >> (2 * _DIGIT_BITS)
        return planes

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        num_rows, num_columns = a.shape[1], b.shape[2]
        if not a.numel() or not b.numel():
            return a.new_zeros((num_rows, num_columns), dtype=torch.float64)
        wide = b.permute(1, 0, 2).reshape(b.shape[1], -1)
        rows = a.reshape(-1, a.shape[2]).contiguous()
        products = torch._int_mm(rows, wide.contiguous())
        return _recombine(products.view(_NUM_DIGITS, num_rows, _NUM_DIGITS, num_columns))

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        products = a.new_empty((a.shape[1], a.shape[2], b.shape[3]), dtype=torch.float64)
        for index in range(a.shape[1]):
            products[index] = self.multiply(a[:, index], b[:, index])
        return products


FLOAT64: Final[Backend] = _Float64()
INT8: Final[Backend] = _Int8()
_BACKENDS: Final = {backend.name: backend for backend in (FLOAT64, INT8)}


class _Choice:
    """The backend of this process; one for all threads, for autograd has threads of its own."""

    backend: Backend | None = None


def current_backend() -> Backend:
    """Return the backend that products are computed with."""
    return _Choice.backend or FLOAT64


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute the block with the backend ``name``: ``float64`` or ``int8``.

    Raises:
        KeyError: There is none of that name.
    """
    before = _Choice.backend
    _Choice.backend = _BACKENDS[name]
    try:
        yield
    finally:
        _Choice.backend = before


def _recombine(products: torch.Tensor) -> torch.Tensor:
    """Return the sum of ``2^(7 (i + j)) * products[i, :, j]``, int32 ``(3, M, 3, N)``, in float64."""
    sums = [
        products[0, :, 0],
        products[0, :, 1] + products[1, :, 0],
        products[0, :, 2] + products[1, :, 1] + products[2, :, 0],
        products[1, :, 2] + products[2, :, 1],
        products[2, :, 2],
    ]
    total = sums.pop().to(torch.float64)
    while sums:
        total = total.mul_(2**_DIGIT_BITS).add_(sums.pop())
    return total
