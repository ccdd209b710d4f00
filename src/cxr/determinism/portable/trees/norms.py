"""Vector norms as torch's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.elementary.square_roots import sqrt64
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.dimensions import Dims, lift, resolve_dims, shape_result
from cxr.determinism.portable.trees.standardisation import check_dtype
from cxr.determinism.portable.trees.sums import refuse_not_finite, sum_blocks


def reduce_norm(
    x: Tensor,
    ord: float | None = 2,  # noqa: A002 - torch's own name
    dim: Dims = None,
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
    dims = resolve_dims(x, dim)
    check_dtype("norm", x)
    order = 2.0 if ord is None else float(ord)
    values = _NORM_TERMS.get(order)
    if order == torch.inf and x.numel() > 0:
        norm = lift(x).abs().amax(dims, keepdim=True).to(torch.float64)
    elif values is not None:
        (norm,) = sum_blocks(
            lambda block: (values(block.to(torch.float64)),),
            (lift(x),),
            dims,
            dtype=torch.float64,
        )
        norm = sqrt64(norm) if order == 2.0 else norm  # noqa: PLR2004 - the order itself
    else:
        raise UnsupportedError(f"norm of order {ord}: only 0, 1, 2 and infinity")
    norm = norm.to(x.dtype)
    refuse_not_finite(norm, "norm")
    return shape_result(norm, x, dims, keepdim=keepdim)


_NORM_TERMS: Final[dict[float, Callable[[Tensor], Tensor]]] = {
    0.0: lambda x: (x != 0.0).to(x.dtype),
    1.0: torch.abs,
    2.0: lambda x: x * x,
}


def reduce_norm_with_dtype(
    x: Tensor, p: float | None, dim: Dims = None, keepdim: bool = False, *, dtype: torch.dtype
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


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.linalg_vector_norm.default": reduce_norm,
    "aten.norm.Scalar": reduce_norm,
    "aten.norm.ScalarOpt_dim": reduce_norm,
    "aten.norm.ScalarOpt_dtype": reduce_norm_with_dtype,
    "aten.norm.ScalarOpt_dim_dtype": reduce_norm_with_dtype,
    "aten._foreach_norm.Scalar": reduce_norms,
}
"""By the name that ``str`` gives an overload."""
