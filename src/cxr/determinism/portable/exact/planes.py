"""Backends of the exact product: float64 GEMM and int8 GEMM give the same numbers.

A backend rounds numbers to a grid of at most ``2^19`` steps either way, splits them into planes
that its GEMM takes, multiplies planes, and scales the product. Which one runs is a matter of speed
alone (`backend_choice`).

**float64.** One plane, of the numbers on the grid: integers of at most ``2^19`` times a power of
two that a row of A, or a column of B, has in common. A product of two integers is at most ``2^38``,
and any sum of at most ``2^14`` of them at most ``2^52``; every integer up to ``2^53`` is a float64,
and so is such an integer times the two powers, which together lie within ``2^-336`` and ``2^218``.
So each partial sum is exact, whatever the order, the blocking and the fusing of multiplication and
addition, and needs no scaling.

**int8.** Three planes of digits of the integers (`digits`); the product of the integers is exact,
and is scaled by the two powers, exactly again. So it is what the float64 backend gives.
"""

from __future__ import annotations

from typing import Final, Protocol

import torch

from cxr.determinism.portable.exact.digits import multiply_digits, split_digits
from cxr.determinism.portable.exact.scaling import (
    OPERAND_BITS,
    power_of_two,
    quantise,
    round_to_grid,
)


class Backend(Protocol):
    """Multiplies numbers on grids without an error."""

    @property
    def name(self) -> str:
        """What ``use_backend`` calls it."""

    @property
    def dtype(self) -> torch.dtype:
        """What ``split`` takes without a conversion."""

    def round(self, x: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
        """Return float32 ``x`` on the grid of ``2^(exponents - 19)``, laid out like ``x``."""

    def split(self, rounded: torch.Tensor, *, inside: bool = False) -> torch.Tensor:
        """Return planes of shape ``(D, *rounded.shape)``, each laid out like what was rounded.

        Args:
            rounded: Of ``round``, or integers of at most ``2^19``.
            inside: Whether the planes of a row stand side by side; for contiguous ``rounded``.
        """

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the product, float64 ``(M, N)``, of planes ``(D, M, K)`` and ``(D, K, N)``.

        K is at most ``CHUNK``. Zeros are positive.
        """

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the products, float64 ``(B, M, N)``, of ``(D, B, M, K)`` and ``(D, B, K, N)``."""

    def rescale(self, product: torch.Tensor, *exponents: torch.Tensor) -> torch.Tensor:
        """Return the product of what was rounded from that of its planes, which is overwritten.

        Args:
            product: Of ``multiply``, float64.
            exponents: Of the operands, each broadcastable to ``product``.
        """


class _Float64:
    """One GEMM in float64."""

    name: Final = "float64"
    dtype: Final = torch.float64

    def round(self, x: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
        return round_to_grid(x, exponents)

    def split(self, rounded: torch.Tensor, *, inside: bool = False) -> torch.Tensor:
        del inside  # there is one plane
        return rounded.to(torch.float64).unsqueeze(0)

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        # -1 * 0 is a negative zero, which one library keeps and another adds to a positive one.
        return torch.mm(a[0], b[0]).add_(0.0)

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a[0], b[0]).add_(0.0)

    def rescale(self, product: torch.Tensor, *exponents: torch.Tensor) -> torch.Tensor:
        del exponents  # the planes are scaled
        return product


class _Int8:
    """The nine products of digits by GEMMs of int8 with sums in int32."""

    name: Final = "int8"
    dtype: Final = torch.int32

    def round(self, x: torch.Tensor, exponents: torch.Tensor) -> torch.Tensor:
        return quantise(x, exponents)

    def split(self, rounded: torch.Tensor, *, inside: bool = False) -> torch.Tensor:
        return split_digits(rounded, inside=inside)

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return multiply_digits(a, b)

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        _, num_matrices, num_rows, _ = a.shape
        products = a.new_empty((num_matrices, num_rows, b.shape[3]), dtype=torch.float64)
        for index, product in enumerate(products):
            product.copy_(self.multiply(a[:, index], b[:, index]))
        return products

    def rescale(self, product: torch.Tensor, *exponents: torch.Tensor) -> torch.Tensor:
        for each in exponents:
            product *= power_of_two(each - OPERAND_BITS)
        return product


FLOAT64: Final[Backend] = _Float64()
INT8: Final[Backend] = _Int8()
BACKENDS: Final = {backend.name: backend for backend in (FLOAT64, INT8)}
"""The backends by their names."""


def backend_of(planes: torch.Tensor) -> Backend:
    """Return the backend that split ``planes``."""
    return FLOAT64 if len(planes) == 1 else INT8
