"""`matmul` of many rows and one vector: always one product of a matrix and that vector.

torch makes one matrix of the rows where they lie side by side in memory, and a batch of products
where they do not. The gradients of the two are rounded differently, so the memory layout would
show in the bits.
"""

from __future__ import annotations

from typing import Final

import torch

Tensor = torch.Tensor
_MATRIX: Final = 2
"""Dimensions of one matrix."""


def multiply(one: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``one @ other``, as `torch.matmul`.

    Args:
        one: Shape (..., n, k), or (k,).
        other: Shape (..., k, m), or (k,).
        out: Where the result is written, if not to a tensor of its own.
    """
    if out is None and one.ndim > _MATRIX and other.ndim == 1:
        return _multiply_by_vector(one, other)
    if out is None and one.ndim == 1 and other.ndim > _MATRIX:
        return _multiply_by_vector(other.mT, one)
    return torch.matmul(one, other) if out is None else torch.matmul(one, other, out=out)


def multiply_from_right(one: Tensor, other: Tensor) -> Tensor:
    """Return ``other @ one``."""
    return multiply(other, one)


def project(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight^T + bias``, as `torch.nn.functional.linear`."""
    if weight.ndim > 1 or bias is not None:
        return torch.nn.functional.linear(x, weight, bias)
    return multiply(x, weight)


def _multiply_by_vector(rows: Tensor, vector: Tensor) -> Tensor:
    return torch.mv(rows.reshape(-1, rows.shape[-1]), vector).view(rows.shape[:-1])
