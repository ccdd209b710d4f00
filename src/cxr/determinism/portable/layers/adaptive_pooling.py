"""Averages over as many windows as are asked for, and their gradient.

Window i of n over a length L goes from floor(i L / n) to ceil((i + 1) L / n): windows may overlap.

Source: adaptive_pooling in torch's aten/src/ATen/native/AdaptivePooling.h.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.layers.layouts import make_zeros
from cxr.determinism.portable.trees.standardisation import check_dtype
from cxr.determinism.portable.trees.sums import refuse_not_finite, sum_tree_wide


def average_adaptively(x: Tensor, output_size: Sequence[int]) -> Tensor:
    """Average over as many windows as asked for; ``aten._adaptive_avg_pool2d``.

    Args:
        x: Shape (..., H, W), float32 or float64, any layout.
        output_size: Numbers of windows.

    Raises:
        NotFiniteError: An element is infinite or NaN, or a sum overflows.
        UnsupportedError: Another dtype.
    """
    check_dtype("adaptive pooling", x)
    rows, columns = (
        _divide(length, num) for length, num in zip(x.shape[-2:], output_size, strict=True)
    )
    sums = _add_bins(_add_bins(x, rows, x.ndim - 2), columns, x.ndim - 1)
    out = make_zeros(x, sums.shape).copy_(sums / _count_bins(rows, columns, sums))
    refuse_not_finite(out, "adaptive pooling")
    return out


def differentiate_adaptive_average(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of the input; ``aten._adaptive_avg_pool2d_backward``.

    Args:
        gradient: Of the result.
        x: The input of `average_adaptively`.

    Raises:
        NotFiniteError: A gradient is infinite or NaN.
        UnsupportedError: Another dtype.
    """
    check_dtype("adaptive pooling", gradient, x)
    rows, columns = (
        _divide(length, num) for length, num in zip(x.shape[-2:], gradient.shape[-2:], strict=True)
    )
    refuse_not_finite(gradient, "gradient of adaptive pooling")
    share = gradient / _count_bins(rows, columns, gradient)
    tall = make_zeros(x, (*x.shape[:-1], len(columns)))
    for number, (start, end) in enumerate(rows):
        tall[..., start:end, :].add_(share[..., number : number + 1, :])
    grad_input = make_zeros(x, x.shape)
    for number, (start, end) in enumerate(columns):
        grad_input[..., start:end].add_(tall[..., number : number + 1])
    return grad_input


def _divide(length: int, num: int) -> list[tuple[int, int]]:
    """Return where each of ``num`` windows begins and ends."""
    return [(i * length // num, -(-(i + 1) * length // num)) for i in range(num)]


def _add_bins(x: Tensor, bins: Sequence[tuple[int, int]], dim: int) -> Tensor:
    """Return float64 sums over parts of one dimension, side by side."""
    if not bins:
        return x.narrow(dim, 0, 0).to(torch.float64)
    parts = [x.narrow(dim, start, end - start) for start, end in bins]
    return torch.cat([sum_tree_wide(part, (dim,), keepdim=True) for part in parts], dim)


def _count_bins(
    rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]], x: Tensor
) -> Tensor:
    """Return the number of elements of each window, in the dtype of ``x``."""
    down, across = (
        torch.tensor([end - start for start, end in bins], dtype=x.dtype, device=x.device)
        for bins in (rows, columns)
    )
    return down[:, None] * across


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten._adaptive_avg_pool2d.default": average_adaptively,
    "aten._adaptive_avg_pool2d_backward.default": differentiate_adaptive_average,
}
"""By the name that ``str`` gives an overload."""
