"""Sums, means, variances and products as torch's operations.

Floats are added by `trees.sums`, along ascending dimensions whatever the order they are named in;
integers are added natively, which is exact modulo 2^64 in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.conversions import require_convertible
from cxr.determinism.portable.elementary.square_roots import sqrt64
from cxr.determinism.portable.trees.dimensions import (
    Dims,
    is_float,
    lift,
    resolve_dims,
    shape_result,
)
from cxr.determinism.portable.trees.standardisation import check_dtype, find_moments
from cxr.determinism.portable.trees.sums import count_tensor, refuse_not_finite, sum_blocks


def reduce_sum(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Add up elements; ``aten.sum``.

    Raises:
        NotFiniteError: A float is infinite or NaN, or the sum overflows.
        UnsupportedError: The floats are neither float32 nor float64, or no integers of ``dtype``.
    """
    x = _convert(x, dtype)
    dims = resolve_dims(x, dim)
    if not is_float(x):
        return shape_result(
            torch.sum(lift(x), dims, keepdim=True, dtype=dtype), x, dims, keepdim=keepdim
        )
    total = _add_up(x, dims, "sum").to(x.dtype)
    refuse_not_finite(total, "sum")
    return shape_result(total, x, dims, keepdim=keepdim)


def reduce_mean(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Average elements; ``aten.mean``.

    Raises:
        NotFiniteError: A float is infinite or NaN, the sum overflows, or there is nothing to add.
        UnsupportedError: The elements are neither float32 nor float64.
    """
    x = x if dtype is None else x.to(dtype)
    dims = resolve_dims(x, dim)
    total = _add_up(x, dims, "mean")
    mean = (total / count_tensor(lift(x), dims, dtype=torch.float64)).to(x.dtype)
    refuse_not_finite(mean, "mean")
    return shape_result(mean, x, dims, keepdim=keepdim)


def reduce_var_mean(
    x: Tensor, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Return variance and mean; ``aten.var_mean.correction``.

    Raises:
        NotFiniteError: An element is infinite or NaN, or ``correction`` leaves no divisor.
    """
    check_dtype("variance", x)
    dims = resolve_dims(x, dim)
    mean, squares, count = find_moments(lift(x), dims, "variance")
    divisor = count - (1.0 if correction is None else float(correction))
    # A divisor of 0 or less makes it infinite, which is refused.
    variance = torch.where(divisor > 0.0, squares / divisor, torch.inf).to(x.dtype)
    refuse_not_finite(variance, "variance")
    return (
        shape_result(variance, x, dims, keepdim=keepdim),
        shape_result(mean.to(x.dtype), x, dims, keepdim=keepdim),
    )


def reduce_var(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
    """Return the variance; ``aten.var.correction``."""
    return reduce_var_mean(x, *arguments, **options)[0]


def reduce_std_mean(x: Tensor, *arguments: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """Return standard deviation and mean; ``aten.std_mean.correction``."""
    variance, mean = reduce_var_mean(x, *arguments, **options)
    return sqrt64(variance.to(torch.float64)).to(x.dtype), mean


def reduce_std(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
    """Return the standard deviation; ``aten.std.correction``."""
    return reduce_std_mean(x, *arguments, **options)[0]


def reduce_product(
    x: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Multiply elements by the tree that sums take; ``aten.prod``.

    Error: with n elements, ceil(log2 n) roundings on each path: n - 1 in all.

    Raises:
        NotFiniteError: A float is infinite or NaN, or the product overflows.
        UnsupportedError: The floats are neither float32 nor float64, or no integers of ``dtype``.
    """
    x = _convert(x, dtype)
    if not is_float(x):
        if dim is None:
            return torch.prod(x, dtype=dtype)
        return torch.prod(x, dim, keepdim=keepdim, dtype=dtype)
    check_dtype("product", x)
    dims = resolve_dims(x, dim)
    lifted = product = lift(x)
    for place in dims:
        product = _multiply_along(product, place)
    if product is lifted:
        # Of one factor each: the result is to be the caller's own all the same.
        product = product.clone()
    refuse_not_finite(product, "product")
    return shape_result(product, x, dims, keepdim=keepdim)


def _convert(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return elements in the dtype that they are reduced in, where that is another one."""
    if dtype is None:
        return x
    require_convertible(x, dtype)
    return x.to(dtype)


def _multiply_along(x: Tensor, dim: int) -> Tensor:
    """Return the product along one dimension, kept with length 1."""
    if x.shape[dim] == 0:
        return x.new_ones([1 if place == dim else size for place, size in enumerate(x.shape)])
    while (length := x.shape[dim]) > 1:
        upper = length // 2
        low, high = x.narrow(dim, 0, upper), x.narrow(dim, length - upper, upper)
        x = torch.cat([low * high, x.narrow(dim, upper, length % 2)], dim)
    return x


def _add_up(x: Tensor, dims: Sequence[int], what: str) -> Tensor:
    """Return float64 sums of floats, the dimensions kept, -0 as +0."""
    check_dtype(what, x)
    (total,) = sum_blocks(lambda block: (block,), (lift(x),), dims)
    return total + 0.0


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.sum.default": reduce_sum,
    "aten.sum.dim_IntList": reduce_sum,
    "aten.mean.default": reduce_mean,
    "aten.mean.dim": reduce_mean,
    "aten.var.correction": reduce_var,
    "aten.var_mean.correction": reduce_var_mean,
    "aten.std.correction": reduce_std,
    "aten.std_mean.correction": reduce_std_mean,
    "aten.prod.default": reduce_product,
    "aten.prod.dim_int": reduce_product,
}
"""By the name that ``str`` gives an overload."""
