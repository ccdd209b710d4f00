"""Softmax, its logarithm and their backwards: float64 inside, sums as fixed trees, rounded once.

Softmax is within 1 ulp of float32, its logarithm within 1 ulp or 1e-15 sqrt(n), whichever is more,
for n classes. The backwards carry the rounding of what the forward has stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import (
    ELEMENTS_PER_THREAD,
    Kernel,
    canonicalise_nan_,
    require_float32,
)
from cxr.determinism.portable.elementary.exponentials import exp64, exp_single
from cxr.determinism.portable.elementary.logarithms import log64
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.sums import sum_tree

_ELEMENTS_PER_THREAD: Final = 2 * ELEMENTS_PER_THREAD
"""Rows are also added up, in many short steps, and larger blocks have fewer of them."""


def softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """Return exp(x) over its sum along a dimension, float32; NaN where all are -inf."""
    _require_single(to_float=half_to_float)

    def compute(x: torch.Tensor) -> torch.Tensor:
        # Which of two zeros is the maximum does not matter: both differences are 0.
        powers = exp_single(x.sub_(x.amax(1, keepdim=True)))
        return powers.div_(sum_tree(powers, (1,), keepdim=True))

    return _map_rows(compute, dim, x)


def softmax_backward(
    grad: torch.Tensor, y: torch.Tensor, dim: int, input_dtype: torch.dtype
) -> torch.Tensor:
    """Return y (grad - sum(grad y)), float32, from softmax's value y."""
    _require_single(input_dtype)

    def compute(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = sum_tree(grad * y, (1,), keepdim=True)
        return grad.sub_(total).mul_(y)

    return _map_rows(compute, dim, grad, y)


def log_softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """Return x less the logarithm of the sum of exp(x) along a dimension, float32."""
    _require_single(to_float=half_to_float)

    def compute(x: torch.Tensor) -> torch.Tensor:
        x.sub_(x.amax(1, keepdim=True))
        # Near 0 the result is the logarithm of nearly 1, so the sum needs float64's precision.
        return x.sub_(log64(sum_tree(exp64(x), (1,), keepdim=True)))

    return _map_rows(compute, dim, x)


def log_softmax_backward(
    grad: torch.Tensor, y: torch.Tensor, dim: int, input_dtype: torch.dtype
) -> torch.Tensor:
    """Return grad - exp(y) sum(grad), float32, from log-softmax's value y."""
    _require_single(input_dtype)

    def compute(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total = sum_tree(grad, (1,), keepdim=True)
        return grad.sub_(exp_single(y).mul_(total))

    return _map_rows(compute, dim, grad, y)


def _map_rows(kernel: Kernel, dim: int, *inputs: torch.Tensor) -> torch.Tensor:
    """Apply a kernel to float64 blocks of whole rows, shape (rows, N), along a dimension."""
    require_float32(*inputs)
    if inputs[0].ndim == 0:
        return _map_rows(kernel, 0, *(tensor.reshape(1) for tensor in inputs)).reshape(())
    output = torch.empty_like(inputs[0])
    if output.numel() == 0:
        return output
    length = output.shape[dim]
    rows = [tensor.movedim(dim, -1).reshape(-1, length) for tensor in inputs]
    # Where the rows are not laid out one by one, the results are put there at the end.
    found = torch.empty_like(rows[0], memory_format=torch.contiguous_format)
    step = max(1, _ELEMENTS_PER_THREAD * torch.get_num_threads() // length)
    for start in range(0, len(found), step):
        block = slice(start, start + step)
        values = kernel(*(tensor[block].double() for tensor in rows))
        canonicalise_nan_(found[block].copy_(values))
    shaped = found.reshape(output.movedim(dim, -1).shape).movedim(-1, dim)
    if shaped.stride() == output.stride():
        return shaped
    return output.copy_(shaped)


def _require_single(dtype: torch.dtype = torch.float32, *, to_float: bool = False) -> None:
    if to_float or dtype is not torch.float32:
        raise UnsupportedError("softmax from half precision")


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten._softmax.default": softmax,
    "aten._softmax_backward_data.default": softmax_backward,
    "aten._log_softmax.default": log_softmax,
    "aten._log_softmax_backward_data.default": log_softmax_backward,
}
