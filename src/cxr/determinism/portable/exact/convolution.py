"""aten's convolution and its backward, over one axis or two.

A convolution is a product of unfolded windows, exact inside and rounded once (`window_products`,
`weight_gradients`), or, where groups hold one or two channels, a fixed sequence of multiplications
and additions (`depthwise`); its shape alone decides. A bias is added after the rounding, in
float32; the bias's gradient is a pairwise tree over samples, rows and
columns.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.exact import (
    depthwise,
    two_slice_windows,
    weight_gradients,
    window_products,
)
from cxr.determinism.portable.exact.windows import Geometry
from cxr.determinism.portable.trees.sums import sum_tree

LARGEST_SMALL_GROUP: Final = 2
"""Groups with at most so many channels, on both sides, are too small for matrix products."""

_LINE: Final = 3
_PLANE: Final = 4
"""Dimensions of a batch of lines and of one of planes."""


def convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],  # noqa: ARG001 - means nothing unless transposed
    groups: int,
    *,
    slices: int = 1,
) -> torch.Tensor:
    """Return the convolution of a batch, as ``aten.convolution``.

    Args:
        x: float32 ``(N, C, H, W)``, or ``(N, C, L)``.
        weight: float32 ``(O, C / groups, KH, KW)``, or ``(O, C / groups, K)``.
        bias: float32 ``(O,)``.
        stride: One number an axis, or one for all.
        padding: Likewise.
        dilation: Likewise.
        transposed: Refused.
        output_padding: Not used.
        groups: Number of groups.
        slices: Of each operand of a product, one or two.

    Returns:
        float32 ``(N, O, OH, OW)``, channels-last where ``x`` or ``weight`` is.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
        UnsupportedError: A transposed convolution, over three axes, or not in float32.
    """
    _refuse_unsupported(x, weight, transposed=transposed)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise UnsupportedError(f"{len(weight)} channels of output with {bias.numel()} biases")
    if x.ndim == _LINE:
        return convolution(
            x.unsqueeze(2),
            weight.unsqueeze(2),
            bias,
            *_as_plane(stride, padding, dilation),
            transposed,
            (0, 0),
            groups,
            slices=slices,
        ).squeeze(2)
    geometry = _geometry(x, weight, stride, padding, dilation, groups)
    rows, columns = geometry.forward_windows()
    shape = (x.shape[0], weight.shape[0], rows.num_positions, columns.num_positions)
    out = torch.empty(shape, memory_format=_memory_format(x, weight))
    _write(_method(weight, geometry, slices).write_output, out, x, weight, geometry)
    return out if bias is None else out.add_(bias.view(-1, 1, 1))


def convolution_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias_sizes: Sequence[int] | None,  # noqa: ARG001 - the mask says whether there is a bias
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],  # noqa: ARG001 - means nothing unless transposed
    groups: int,
    output_mask: Sequence[bool],
    *,
    slices: int = 1,
) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """Return the gradients of input, weight and bias, as ``aten.convolution_backward``.

    Args:
        grad: float32, the gradient of the output.
        x: As for ``convolution``.
        weight: Likewise.
        bias_sizes: Not used.
        stride: As for ``convolution``.
        padding: Likewise.
        dilation: Likewise.
        transposed: Refused.
        output_padding: Not used.
        groups: Number of groups.
        output_mask: Which gradients are wanted; the others are None.
        slices: As for ``convolution``.

    Raises:
        NotFiniteError: An operand has an infinity or a NaN.
        UnsupportedError: As for ``convolution``.
    """
    _refuse_unsupported(x, weight, transposed=transposed)
    if x.ndim == _LINE:
        gradients = convolution_backward(
            grad.unsqueeze(2),
            x.unsqueeze(2),
            weight.unsqueeze(2),
            None,
            *_as_plane(stride, padding, dilation),
            transposed,
            (0, 0),
            groups,
            output_mask,
            slices=slices,
        )
        of_x, of_weight, of_bias = gradients
        return (
            None if of_x is None else of_x.squeeze(2),
            None if of_weight is None else of_weight.squeeze(2),
            of_bias,
        )
    geometry = _geometry(x, weight, stride, padding, dilation, groups)
    method = _method(weight, geometry, slices)
    write_of_weight = (
        weight_gradients if method is window_products else method
    ).write_weight_gradient
    of_x = of_weight = of_bias = None
    if output_mask[0]:
        of_x = torch.empty(x.shape, memory_format=_memory_format(x, weight))
        _write(method.write_input_gradient, of_x, grad, weight, geometry)
    if output_mask[1]:
        of_weight = torch.empty_like(weight)
        _write(write_of_weight, of_weight, grad, x, geometry)
    if output_mask[2]:
        of_bias = sum_tree(grad, (0, 2, 3))
    return of_x, of_weight, of_bias


def _write(
    write: Callable[..., None],
    out: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    geometry: Geometry,
) -> None:
    """Write a product of two operands, which is zero where there is nothing to multiply."""
    if left.numel() and right.numel() and out.numel():
        write(out, left, right, geometry)
    else:
        out.zero_()


def _method(weight: torch.Tensor, geometry: Geometry, slices: int) -> Any:
    """Return the module that computes a convolution of this shape."""
    num_outputs = weight.shape[0] // geometry.num_groups
    is_small = max(num_outputs, weight.shape[1]) <= LARGEST_SMALL_GROUP
    if is_small and geometry.num_groups > 1:
        return depthwise
    return window_products if slices == 1 else two_slice_windows


def _refuse_unsupported(x: torch.Tensor, weight: torch.Tensor, *, transposed: bool) -> None:
    """Raise UnsupportedError for what has no portable form here."""
    if transposed:
        raise UnsupportedError("a transposed convolution")
    if x.ndim not in {_LINE, _PLANE}:
        raise UnsupportedError(f"a convolution over {x.ndim - 2} axes")
    for operand in (x, weight):
        if operand.dtype != torch.float32:
            raise UnsupportedError(f"a convolution of {operand.dtype}")


def _as_plane(
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the numbers of a line as those of a plane of one row."""
    return (1, stride[0]), (0, padding[0]), (1, dilation[0])


def _geometry(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Geometry:
    """Return how a convolution over two axes is laid out.

    Raises:
        UnsupportedError: Negative padding, a stride or dilation of none, or a kernel larger than
            the padded image.
    """
    if min(*stride, *dilation) < 1:
        raise UnsupportedError("a convolution whose stride or dilation is below 1")
    if min(padding) < 0:
        raise UnsupportedError("a convolution with negative padding")
    spans = zip(
        _pair(x.shape[2:]), _pair(weight.shape[2:]), _pair(padding), _pair(dilation), strict=True
    )
    for length, taps, added, spacing in spans:
        if length + 2 * added < spacing * (taps - 1) + 1:
            raise UnsupportedError("a convolution whose kernel is larger than its padded image")
    return Geometry(
        image=_pair(x.shape[2:]),
        kernel=_pair(weight.shape[2:]),
        stride=_pair(stride),
        padding=_pair(padding),
        dilation=_pair(dilation),
        num_groups=groups,
    )


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    """Return one number an axis."""
    return (numbers[0], numbers[-1])


def _memory_format(x: torch.Tensor, weight: torch.Tensor) -> torch.memory_format:
    """Return channels-last if either operand lies so and could lie otherwise."""
    for operand in (x, weight):
        is_last = operand.is_contiguous(memory_format=torch.channels_last)
        if is_last and not operand.is_contiguous():
            return torch.channels_last
    return torch.contiguous_format


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.convolution.default": convolution,
    "aten.convolution_backward.default": convolution_backward,
}
"""What stands in for aten's ops."""

REPLACED_WITH_TWO_SLICES: Final[dict[str, Callable[..., Any]]] = {
    name: functools.partial(function, slices=2) for name, function in REPLACED.items()
}
"""The same with two slices an operand."""
