"""Pooling in two dimensions, and its gradients.

Windows are added offset by offset: one elementwise addition, on strided views, for each place in
the kernel, row by row. So each sum has one order, whatever the layout. A maximum and its place are
exact; torch's own search keeps the first of equal elements.

Error of an average over k elements: k - 1 additions and one division, (k + 1) 2^-24 mean|x| to
first order. Adaptive averages add in trees instead (`cxr.determinism.portable.trees.sums`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable.layers import adaptive_pooling
from cxr.determinism.portable.layers.layouts import is_channels_last, make_zeros
from cxr.determinism.portable.layers.pooling_windows import (
    Place,
    Sizes,
    count_elements,
    find_axes,
    pair,
    visit_offsets,
)
from cxr.determinism.portable.trees.blocks import BLOCK_ELEMENTS
from cxr.determinism.portable.trees.standardisation import check_dtype
from cxr.determinism.portable.trees.sums import refuse_not_finite


def average(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average windows; ``aten.avg_pool2d``.

    Args:
        x: Shape (..., H, W), float32 or float64, any layout.
        kernel_size: Height and width.
        stride: The kernel's size if it is empty.
        padding: Zeros around.
        ceil_mode: Keep windows that only begin within the input.
        count_include_pad: Divide by the padding's elements as well.
        divisor_override: Divide by this number instead.

    Raises:
        NotFiniteError: An element is infinite or NaN, or a sum overflows.
        UnsupportedError: Another dtype.
    """
    check_dtype("average pooling", x)
    axes = find_axes(x, kernel_size, stride, padding, ceil_mode)
    out = make_zeros(x, (*x.shape[:-2], *(axis.num_windows for axis in axes)))
    counts = count_elements(axes, count_include_pad, divisor_override, x)
    for result, block in _split_samples(out, x):
        for windows, places in visit_offsets(axes):
            result[windows].add_(block[places])
        result.div_(counts)
    refuse_not_finite(out, "average pooling")
    return out


def differentiate_average(
    gradient: Tensor,
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Return the gradient of the input; ``aten.avg_pool2d_backward``.

    Args:
        gradient: Of the result.
        x: The input, as all others were given to `average`.
        kernel_size: Height and width.
        stride: The kernel's size if it is empty.
        padding: Zeros around.
        ceil_mode: Keep windows that only begin within the input.
        count_include_pad: Divide by the padding's elements as well.
        divisor_override: Divide by this number instead.

    Raises:
        NotFiniteError: An element is infinite or NaN.
        UnsupportedError: Another dtype.
    """
    check_dtype("average pooling", gradient, x)
    axes = find_axes(x, kernel_size, stride, padding, ceil_mode)
    counts = count_elements(axes, count_include_pad, divisor_override, x)
    refuse_not_finite(gradient, "gradient of average pooling")
    grad_input = make_zeros(x, x.shape)
    for result, block in _split_samples(grad_input, gradient):
        share = block / counts
        for windows, places in visit_offsets(axes):
            result[places].add_(share[windows])
    return grad_input


def find_maxima(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return each window's maximum and where it lies; ``aten.max_pool2d_with_indices``.

    torch's own: comparisons are exact, the first of equal elements stays, and a NaN wins.

    Args:
        x: Shape (..., H, W), float32 or float64.
        kernel_size: Height and width.
        stride: The kernel's size if it is empty.
        padding: Elements around that are less than any.
        dilation: From one element of a window to the next.
        ceil_mode: Keep windows that only begin within the input.

    Raises:
        UnsupportedError: Another dtype.
    """
    check_dtype("maximum pooling", x)
    maxima: tuple[Tensor, Tensor] = torch.ops.aten.max_pool2d_with_indices.default(
        x, pair(kernel_size), pair(stride), pair(padding), pair(dilation), ceil_mode
    )
    return maxima


def differentiate_maxima(
    gradient: Tensor,
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Return the gradient of the input; ``aten.max_pool2d_with_indices_backward``.

    Windows that cannot overlap form a class: every n-th row and column of them, n being how many
    strides a window spans. Within a class no two add to one element, so nothing depends on their
    order; the classes follow one another.

    Args:
        gradient: Of the maxima.
        x: The input, as all others were given to `find_maxima`.
        kernel_size: Height and width.
        stride: The kernel's size if it is empty.
        padding: Unused: ``indices`` say where the maxima are.
        dilation: From one element of a window to the next.
        ceil_mode: Unused likewise.
        indices: What `find_maxima` returned: places in a plane, row by row.

    Raises:
        NotFiniteError: A gradient is infinite or NaN.
        UnsupportedError: Another dtype.
    """
    del padding, ceil_mode
    check_dtype("maximum pooling", gradient, x)
    refuse_not_finite(gradient, "gradient of maximum pooling")
    kernels = pair(kernel_size)
    spans = [size * (extent - 1) + 1 for size, extent in zip(pair(dilation), kernels, strict=True)]
    steps = [-(-span // step) for span, step in zip(spans, pair(stride) or kernels, strict=True)]
    grad_input = make_zeros(x, x.shape)
    last = is_channels_last(grad_input)
    planes, dim = _list_places(grad_input, channels_last=last)
    for members in _list_classes(steps):
        places, _ = _list_places(indices[members], channels_last=last)
        values, _ = _list_places(gradient[members], channels_last=last)
        planes.scatter_add_(dim, places, values)
    return grad_input


def _list_classes(steps: Sequence[int]) -> list[Place]:
    """Return, for each class, what picks its windows: every n-th row and column of them."""
    return [
        (..., slice(row, None, steps[0]), slice(column, None, steps[1]))
        for row in range(steps[0])
        for column in range(steps[1])
    ]


def _list_places(x: Tensor, *, channels_last: bool) -> tuple[Tensor, int]:
    """Return planes as lists, row by row, and their dimension: a view if the layout is as said."""
    if channels_last:
        return x.permute(0, 2, 3, 1).flatten(1, 2), 1
    return x.flatten(-2), x.ndim - 2


def _split_samples(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield a few samples of each tensor at a time, or channels where there are no samples."""
    num = max(1, tensors[0].shape[0])
    step = max(1, BLOCK_ELEMENTS * num // max(1, tensors[0].numel()))
    yield from zip(*(tensor.split(step) for tensor in tensors), strict=True)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.avg_pool2d.default": average,
    "aten.avg_pool2d_backward.default": differentiate_average,
    "aten.max_pool2d_with_indices.default": find_maxima,
    "aten.max_pool2d_with_indices_backward.default": differentiate_maxima,
    **adaptive_pooling.REPLACED,
}
"""By the name that ``str`` gives an overload; adaptive pooling's with them."""
