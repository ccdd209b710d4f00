"""Reductions as torch's operations: sums, means, variances, norms, products and extremes.

Floats are added by `trees.sums`, along ascending dimensions whatever the order they are named in;
integers are added natively, which is exact modulo 2^64 in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.elementary.square_roots import sqrt64
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.standardisation import check_dtype, find_moments
from cxr.determinism.portable.trees.sums import count_tensor, refuse_not_finite, sum_blocks

_Dims = Sequence[int] | int | None


def reduce_sum(
    x: Tensor, dim: _Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Add up elements; ``aten.sum``.

    Raises:
        NotFiniteError: A float is infinite or NaN, or the sum overflows.
        UnsupportedError: The floats are neither float32 nor float64.
    """
    x = x if dtype is None else x.to(dtype)
    dims = _resolve_dims(x, dim)
    if not _is_float(x):
        return _shape_result(torch.sum(_lift(x), dims, keepdim=True), x, dims, keepdim=keepdim)
    total = _add_up(x, dims, "sum").to(x.dtype)
    refuse_not_finite(total, "sum")
    return _shape_result(total, x, dims, keepdim=keepdim)


def reduce_mean(
    x: Tensor, dim: _Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Average elements; ``aten.mean``.

    Raises:
        NotFiniteError: A float is infinite or NaN, the sum overflows, or there is nothing to add.
        UnsupportedError: The elements are neither float32 nor float64.
    """
    x = x if dtype is None else x.to(dtype)
    dims = _resolve_dims(x, dim)
    total = _add_up(x, dims, "mean")
    mean = (total / count_tensor(_lift(x), dims, dtype=torch.float64)).to(x.dtype)
    refuse_not_finite(mean, "mean")
    return _shape_result(mean, x, dims, keepdim=keepdim)


def reduce_var_mean(
    x: Tensor, dim: _Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Return variance and mean; ``aten.var_mean.correction``.

    Raises:
        NotFiniteError: An element is infinite or NaN, or ``correction`` leaves no divisor.
    """
    check_dtype("variance", x)
    dims = _resolve_dims(x, dim)
    mean, squares, count = find_moments(_lift(x), dims, "variance")
    divisor = count - (1.0 if correction is None else float(correction))
    # A divisor of 0 or less makes it infinite, which is refused.
    variance = torch.where(divisor > 0.0, squares / divisor, torch.inf).to(x.dtype)
    refuse_not_finite(variance, "variance")
    return (
        _shape_result(variance, x, dims, keepdim=keepdim),
        _shape_result(mean.to(x.dtype), x, dims, keepdim=keepdim),
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


def reduce_norm(
    x: Tensor,
    ord: float | None = 2,  # noqa: A002 - torch's own name
    dim: _Dims = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return a vector norm of order 0, 1, 2 or infinity; ``aten.linalg_vector_norm``.

    Float32 elements are squared exactly, in float64, and added there in L levels: before the last
    rounding the norm is within (L / 2 + 1) 2^-53 of itself. Nothing overflows or underflows.

    Raises:
        NotFiniteError: An element is infinite or NaN, or the norm overflows.
        UnsupportedError: Another order.
    """
    x = x if dtype is None else x.to(dtype)
    dims = _resolve_dims(x, dim)
    check_dtype("norm", x)
    order = 2.0 if ord is None else float(ord)
    values = _NORM_TERMS.get(order)
    if order == torch.inf and x.numel() > 0:
        norm = _lift(x).abs().amax(dims, keepdim=True).to(torch.float64)
    elif values is not None:
        (norm,) = sum_blocks(
            lambda block: (values(block.to(torch.float64)),),
            (_lift(x),),
            dims,
            dtype=torch.float64,
        )
        norm = sqrt64(norm) if order == 2.0 else norm  # noqa: PLR2004 - the order itself
    else:
        raise UnsupportedError(f"norm of order {ord}: only 0, 1, 2 and infinity")
    norm = norm.to(x.dtype)
    refuse_not_finite(norm, "norm")
    return _shape_result(norm, x, dims, keepdim=keepdim)


_NORM_TERMS: Final[dict[float, Callable[[Tensor], Tensor]]] = {
    0.0: lambda x: (x != 0.0).to(x.dtype),
    1.0: torch.abs,
    2.0: lambda x: x * x,
}


def reduce_norm_with_dtype(
    x: Tensor, p: float | None, dim: _Dims = None, keepdim: bool = False, *, dtype: torch.dtype
) -> Tensor:
    """Return a vector norm; the overloads of ``aten.norm`` that name a dtype."""
    return reduce_norm(x, p, dim, keepdim, dtype=dtype)


def reduce_norms(
    tensors: Sequence[Tensor],
    ord: float = 2,  # noqa: A002 - torch's own name
    dtype: torch.dtype | None = None,
) -> list[Tensor]:
    """Return the norm of each tensor; ``aten._foreach_norm``."""
    return [reduce_norm(x, ord, dtype=dtype) for x in tensors]


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
    """
    x = x if dtype is None else x.to(dtype)
    if not _is_float(x):
        return torch.prod(x) if dim is None else torch.prod(x, dim, keepdim=keepdim)
    check_dtype("product", x)
    dims = _resolve_dims(x, dim)
    product = _lift(x)
    for place in dims:
        product = _multiply_along(product, place)
    refuse_not_finite(product, "product")
    return _shape_result(product, x, dims, keepdim=keepdim)


def _multiply_along(x: Tensor, dim: int) -> Tensor:
    """Return the product along one dimension, kept with length 1."""
    if x.shape[dim] == 0:
        return x.new_ones([1 if place == dim else size for place, size in enumerate(x.shape)])
    while (length := x.shape[dim]) > 1:
        upper = length // 2
        low, high = x.narrow(dim, 0, upper), x.narrow(dim, length - upper, upper)
        x = torch.cat([low * high, x.narrow(dim, upper, length % 2)], dim)
    return x


def _extreme(name: str) -> Callable[..., Any]:
    """Return torch's own reduction to an extreme, with one zero and one NaN in its results.

    The extreme itself is exact, but which of -0 and +0 it is, and the bits of a NaN, are not
    the same on every machine.
    """
    native = getattr(torch, name)

    def reduce(x: Tensor, *arguments: Any, **options: Any) -> Any:
        result = native(x, *arguments, **options)
        if isinstance(result, Tensor):
            return _canonicalise(result)
        values, indices = result
        return _canonicalise(values), indices

    reduce.__doc__ = f"Apply ``torch.{name}`` and give a zero or NaN its one form."
    return reduce


def _canonicalise(x: Tensor) -> Tensor:
    """Return floats with +0 for -0 and the quiet NaN without sign for any NaN."""
    return torch.where(x.isnan(), torch.nan, x + 0.0) if x.is_floating_point() else x


def _add_up(x: Tensor, dims: Sequence[int], what: str) -> Tensor:
    """Return float64 sums of floats, the dimensions kept, -0 as +0."""
    check_dtype(what, x)
    (total,) = sum_blocks(lambda block: (block,), (_lift(x),), dims)
    return total + 0.0


def _is_float(x: Tensor) -> bool:
    """Say whether rounding matters, complex numbers included: `check_dtype` refuses those."""
    return x.is_floating_point() or x.is_complex()


def _lift(x: Tensor) -> Tensor:
    """Return a tensor with at least one dimension."""
    return x.reshape(1) if x.ndim == 0 else x


def _resolve_dims(x: Tensor, dim: _Dims) -> tuple[int, ...]:
    """Return dimensions ascending; all of them for None or an empty list.

    Raises:
        IndexError: There is no such dimension.
        UnsupportedError: One is named twice.
    """
    places = range(max(1, x.ndim))
    named = [dim] if isinstance(dim, int) else list(dim or places)
    dims = tuple(sorted(places[place] for place in named))
    if len(set(dims)) < len(dims):
        raise UnsupportedError(f"a reduction that names a dimension twice: {named}")
    return dims


def _shape_result(total: Tensor, x: Tensor, dims: Sequence[int], *, keepdim: bool) -> Tensor:
    """Return a result without the summed dimensions, unless they are to be kept."""
    if x.ndim == 0:
        return total.reshape(())
    return total if keepdim else total.squeeze(tuple(dims))


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.sum.default": reduce_sum,
    "aten.sum.dim_IntList": reduce_sum,
    "aten.mean.default": reduce_mean,
    "aten.mean.dim": reduce_mean,
    "aten.var.correction": reduce_var,
    "aten.var_mean.correction": reduce_var_mean,
    "aten.std.correction": reduce_std,
    "aten.std_mean.correction": reduce_std_mean,
    "aten.linalg_vector_norm.default": reduce_norm,
    "aten.norm.Scalar": reduce_norm,
    "aten.norm.ScalarOpt_dim": reduce_norm,
    "aten.norm.ScalarOpt_dtype": reduce_norm_with_dtype,
    "aten.norm.ScalarOpt_dim_dtype": reduce_norm_with_dtype,
    "aten._foreach_norm.Scalar": reduce_norms,
    "aten.prod.default": reduce_product,
    "aten.prod.dim_int": reduce_product,
    "aten.amax.default": _extreme("amax"),
    "aten.amin.default": _extreme("amin"),
    "aten.max.default": _extreme("max"),
    "aten.min.default": _extreme("min"),
    "aten.max.dim": _extreme("max"),
    "aten.min.dim": _extreme("min"),
}
"""By the name that ``str`` gives an overload."""
