"""Matrix products with one result on every machine: exact inside, rounded once at the end.

``C = A B`` is computed from integers and powers of two: ``a_ik`` is within ``2^(e_i - 20)`` of
``q_ik 2^(e_i - 19)`` and ``b_kj`` within ``2^(f_j - 20)`` of ``r_kj 2^(f_j - 19)``, for the least
exponents above each row of A and each column of B. The sum of ``q_ik r_kj`` is exact, chunk by
chunk, so that, with K the inner length,

    |C - A B| <= 2^(e_i - 20) sum_k |b_kj| + 2^(f_j - 20) sum_k |a_ik| + K 2^(e_i + f_j - 40)
                 + (ceil(K / 2^14) - 1) K 2^(e_i + f_j - 53) + 2^-24 |C| + 2^-150.

With two slices an operand ``2^-20`` becomes ``2^-40`` and ``2^-40`` becomes ``2^-80``, and the sums
of the four products add ``2^-52 K 2^(e_i + f_j)``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.exact.backend_choice import chosen_backend
from cxr.determinism.portable.exact.planes import FLOAT64, Backend, backend_of
from cxr.determinism.portable.exact.scaling import (
    CHUNK,
    LOW_BITS,
    find_exponents,
    quantise_twice,
    scale_back,
)

_MATRIX: Final = 2
"""Dimensions of a matrix; its planes have one more, and those of a batch two."""


def multiply_planes(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the product of planes for any inner length, by the backend that split them.

    The inner length is cut into chunks of ``CHUNK``, each of them exact, added in their order.

    Args:
        a: Planes ``(D, M, K)``, or ``(D, B, M, K)``.
        b: Planes ``(D, K, N)``, or ``(D, B, K, N)``.

    Returns:
        float64 ``(M, N)``, or ``(B, M, N)``; zeros are positive.

    Raises:
        ValueError: The inner lengths differ.
    """
    inner = a.shape[-1]
    if b.shape[-2] != inner:
        raise ValueError(f"inner lengths of a product differ: {inner} and {b.shape[-2]}")
    backend = backend_of(a)
    multiply = backend.multiply_batched if a.ndim > _MATRIX + 1 else backend.multiply
    total = multiply(a[..., :CHUNK], b[..., :CHUNK, :])
    for start in range(CHUNK, inner, CHUNK):
        total += multiply(a[..., start : start + CHUNK], b[..., start : start + CHUNK, :])
    return total


def matmul(a: torch.Tensor, b: torch.Tensor, *, slices: int = 1) -> torch.Tensor:
    """Return ``a @ b`` for float32 ``(M, K)`` and ``(K, N)``, of any layout.

    Each row of ``a`` and each column of ``b`` has an exponent of its own.

    Args:
        a: The rows.
        b: The columns.
        slices: One, or two for about the accuracy of a float64 product at four times the work.

    Returns:
        float32 ``(M, N)``, contiguous; zeros where K is zero.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
        UnsupportedError: An operand is not float32.
        ValueError: The inner lengths differ.
    """
    for operand in (a, b):
        if operand.dtype != torch.float32:
            raise UnsupportedError(f"a product of {operand.dtype}")
    with _choose_backend(a, b) as backend:
        row_exponents = find_exponents(a, (-1,))
        column_exponents = find_exponents(b, (-2,))
        if slices == 1:
            a_planes = backend.split(backend.round(a, row_exponents))
            b_planes = backend.split(backend.round(b, column_exponents))
            product = multiply_planes(a_planes, b_planes)
            return backend.rescale(product, row_exponents, column_exponents).to(torch.float32)
        product = _multiply_two_slices(backend, a, row_exponents, b, column_exponents)
        return scale_back(product, row_exponents, column_exponents)


def batched_matmul(a: torch.Tensor, b: torch.Tensor, *, slices: int = 1) -> torch.Tensor:
    """Return ``a @ b`` for float32 ``(B, M, K)`` and ``(B, K, N)``; otherwise as ``matmul``."""
    if len(a) != len(b):
        raise ValueError(f"batches of a product differ: {len(a)} and {len(b)}")
    return matmul(a, b, slices=slices)


def _choose_backend(a: torch.Tensor, b: torch.Tensor) -> contextlib.AbstractContextManager[Backend]:
    """Return what multiplies: there is no int8 GEMM of a batch, so a batch is float64."""
    if a.ndim > _MATRIX:
        return contextlib.nullcontext(FLOAT64)
    return chosen_backend("matrix", *a.shape, b.shape[1])


def _multiply_two_slices(
    backend: Backend,
    a: torch.Tensor,
    row_exponents: torch.Tensor,
    b: torch.Tensor,
    column_exponents: torch.Tensor,
) -> torch.Tensor:
    """Return the product of the operands as integers and fractions of ``2^-20``, least part first.

    The products of one high and one low part are at most ``2^52`` a chunk: their sum is exact.
    """
    a_high, a_low = (backend.split(part) for part in quantise_twice(a, row_exponents))
    b_high, b_low = (backend.split(part) for part in quantise_twice(b, column_exponents))
    total = multiply_planes(a_low, b_low).mul_(2.0**-LOW_BITS)
    total += multiply_planes(a_high, b_low).add_(multiply_planes(a_low, b_high))
    return total.mul_(2.0**-LOW_BITS).add_(multiply_planes(a_high, b_high))


def _mm(self: torch.Tensor, mat2: torch.Tensor, *, slices: int) -> torch.Tensor:
    return matmul(self, mat2, slices=slices)


def _bmm(self: torch.Tensor, mat2: torch.Tensor, *, slices: int) -> torch.Tensor:
    return batched_matmul(self, mat2, slices=slices)


def _mv(self: torch.Tensor, vec: torch.Tensor, *, slices: int) -> torch.Tensor:
    return matmul(self, vec.unsqueeze(1), slices=slices).squeeze(1)


def _dot(self: torch.Tensor, tensor: torch.Tensor, *, slices: int) -> torch.Tensor:
    return matmul(self.unsqueeze(0), tensor.unsqueeze(1), slices=slices).reshape(())


def _add_product(
    self: torch.Tensor, product: torch.Tensor, beta: float, alpha: float
) -> torch.Tensor:
    """Return ``beta * self + alpha * product`` by single steps; beta 0 leaves it out."""
    if self.dtype != torch.float32 or product.dtype != torch.float32:
        raise UnsupportedError(f"a product of {product.dtype} added to {self.dtype}")
    if alpha != 1:
        product *= _single(alpha)
    if beta != 0:
        product += self if beta == 1 else self * _single(beta)
    return product


def _single(factor: float) -> torch.Tensor:
    """Return ``factor`` rounded to float32, which kernels do not all do before they multiply."""
    return torch.tensor(factor, dtype=torch.float32)


def _addmm(
    self: torch.Tensor,
    mat1: torch.Tensor,
    mat2: torch.Tensor,
    *,
    slices: int,
    beta: float = 1,
    alpha: float = 1,
) -> torch.Tensor:
    return _add_product(self, matmul(mat1, mat2, slices=slices), beta, alpha)


def _baddbmm(
    self: torch.Tensor,
    batch1: torch.Tensor,
    batch2: torch.Tensor,
    *,
    slices: int,
    beta: float = 1,
    alpha: float = 1,
) -> torch.Tensor:
    return _add_product(self, batched_matmul(batch1, batch2, slices=slices), beta, alpha)


def _addmv(
    self: torch.Tensor,
    mat: torch.Tensor,
    vec: torch.Tensor,
    *,
    slices: int,
    beta: float = 1,
    alpha: float = 1,
) -> torch.Tensor:
    return _add_product(self, _mv(mat, vec, slices=slices), beta, alpha)


def _addr(
    self: torch.Tensor, vec1: torch.Tensor, vec2: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    return _add_product(self, vec1.unsqueeze(1) * vec2, beta, alpha)


def _writing(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return ``function`` in the form that writes to ``out``."""

    def write(*operands: Any, out: torch.Tensor, **options: Any) -> torch.Tensor:
        result = function(*operands, **options)
        if out.dtype != result.dtype:
            raise UnsupportedError(f"a product written as {out.dtype}")
        if out.shape != result.shape:
            out.resize_(result.shape)
        return out.copy_(result)

    return write


def _in_place(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return ``function`` in the form that overwrites its first operand."""

    def overwrite(self: torch.Tensor, *operands: Any, **options: Any) -> torch.Tensor:
        return self.copy_(function(self, *operands, **options))

    return overwrite


_PLAIN: Final = {"mm": _mm, "bmm": _bmm, "mv": _mv, "dot": _dot, "vdot": _dot}
_ADDING: Final = {"addmm": _addmm, "baddbmm": _baddbmm, "addmv": _addmv}


def _list_products(slices: int) -> dict[str, Callable[..., Any]]:
    """Return the products with so many slices an operand, by the names of their overloads."""
    plain: dict[str, Callable[..., torch.Tensor]]
    adding: dict[str, Callable[..., torch.Tensor]]
    plain = {name: functools.partial(product, slices=slices) for name, product in _PLAIN.items()}
    adding = {name: functools.partial(product, slices=slices) for name, product in _ADDING.items()}
    # An outer product has a single term: nothing is added up.
    adding["addr"] = _addr
    return {
        **{f"aten.{name}.default": function for name, function in (plain | adding).items()},
        **{f"aten.{name}.out": _writing(function) for name, function in (plain | adding).items()},
        **{f"aten.{name}_.default": _in_place(function) for name, function in adding.items()},
    }


REPLACED: Final = _list_products(1)
"""The products of matrices and vectors, by the names of their overloads."""

REPLACED_WITH_TWO_SLICES: Final = _list_products(2)
"""The same with two slices an operand."""
