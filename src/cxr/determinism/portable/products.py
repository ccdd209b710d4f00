"""Matrix products with one result on every machine: exact inside, rounded once at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.planes import current_backend
from cxr.determinism.portable.scaling import (
    CHUNK,
    OPERAND_BITS,
    find_exponents,
    power_of_two,
    quantise,
)


def multiply_planes(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the product of planes of the current backend for any inner length.

    The inner length is cut into chunks of ``CHUNK``, each of them exact, added in their order.

    Args:
        a: Planes ``(D, M, K)``, or ``(D, B, M, K)``.
        b: Planes ``(D, K, N)``, or ``(D, B, K, N)``.

    Returns:
        float64 ``(M, N)``, or ``(B, M, N)``; zeros are positive.
    """
    backend = current_backend()
    batched = 4  # dimensions
    multiply = backend.multiply_batched if a.ndim == batched else backend.multiply
    inner = a.shape[-1]
    total = multiply(a[..., :CHUNK], b[..., :CHUNK, :])
    for start in range(CHUNK, inner, CHUNK):
        total += multiply(a[..., start : start + CHUNK], b[..., start : start + CHUNK, :])
    return total


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``a @ b`` for float32 ``(M, K)`` and ``(K, N)``, or ``(B, M, K)`` and ``(B, K, N)``.

    Each row of ``a`` and each column of ``b`` has an exponent of its own.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
        UnsupportedError: An operand is not float32.
    """
    for operand in (a, b):
        if operand.dtype != torch.float32:
            raise UnsupportedError(f"a product of {operand.dtype}")
    row_exponents = find_exponents(a, (-1,))
    column_exponents = find_exponents(b, (-2,))
    backend = current_backend()
    product = multiply_planes(
        backend.split(quantise(a, row_exponents)), backend.split(quantise(b, column_exponents))
    )
    product *= power_of_two(row_exponents - OPERAND_BITS)
    product *= power_of_two(column_exponents - OPERAND_BITS)
    return product.to(torch.float32)


batched_matmul = matmul

REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.mm.default": matmul,
    "aten.bmm.default": batched_matmul,
}
"""The rest follows."""
