"""Layer and group normalisation: moments within a sample, so the batch cannot change a bit.

Gradients of weights and biases add up samples, and depend on the shard alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from torch import Tensor

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.layers import batch_normalisation_ops
from cxr.determinism.portable.layers.batch_normalisation import Gradients, Normalised
from cxr.determinism.portable.layers.sample_normalisation import (
    differentiate_within,
    normalise_nothing,
    normalise_within,
)


def normalise_layer(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Normalised:
    """Normalise over the last dimensions; ``aten.native_layer_norm``.

    Args:
        x: Shape (..., *normalized_shape), float32 or float64, any layout.
        normalized_shape: Lengths of the last dimensions.
        weight: Shape ``normalized_shape``, or None for ones.
        bias: Likewise, or None for zeros.
        eps: Added to the variance.

    Returns:
        The result; means and 1 / sqrt(variance + eps), shape (..., 1, ..., 1).

    Raises:
        NotFiniteError: An element is infinite or NaN, or a moment overflows.
        UnsupportedError: Another dtype, or shapes that do not fit.
    """
    dims = _list_last(x, len(normalized_shape))
    shape = tuple(normalized_shape)
    if x.shape[x.ndim - len(shape) :] != shape:
        raise UnsupportedError(f"layer normalisation over {shape} of {tuple(x.shape)}")
    for parameter in (weight, bias):
        if parameter is not None and parameter.shape != shape:
            raise UnsupportedError(f"layer normalisation over {shape} by {tuple(parameter.shape)}")
    if x.numel() == 0:
        return normalise_nothing(x, dims)
    return normalise_within(x, dims, weight, bias, eps, "layer normalisation")


def differentiate_layer(
    gradient: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    output_mask: Sequence[bool],
) -> Gradients:
    """Return the gradients of input, weight and bias; ``aten.native_layer_norm_backward``.

    Args:
        gradient: Of the result.
        x: The input, as all others were given to `normalise_layer` or returned by it.
        normalized_shape: Lengths of the last dimensions.
        mean: What `normalise_layer` returned.
        rstd: Likewise.
        weight: None for ones.
        bias: None for zeros; unused.
        output_mask: Which gradients are wanted; the others are None.

    Raises:
        NotFiniteError: A gradient is infinite or NaN, or products overflow.
        UnsupportedError: Another dtype.
    """
    del bias
    dims = _list_last(x, len(normalized_shape))
    grad_input, grad_weight, grad_bias = differentiate_within(
        gradient, x, mean, rstd, weight, dims, range(x.ndim - len(dims)), output_mask
    )
    shape = tuple(normalized_shape)
    return (
        grad_input,
        None if grad_weight is None else grad_weight.reshape(shape),
        None if grad_bias is None else grad_bias.reshape(shape),
    )


def normalise_group(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    num_samples: int,
    num_channels: int,
    num_positions: int,
    group: int,
    eps: float,
) -> Normalised:
    """Normalise groups of channels of a sample; ``aten.native_group_norm``.

    Args:
        x: Shape (N, C, ...), float32 or float64, any layout.
        weight: Shape (C,), or None for ones.
        bias: Likewise, or None for zeros.
        num_samples: N.
        num_channels: C.
        num_positions: Elements of one channel of a sample.
        group: How many groups the channels form.
        eps: Added to the variance.

    Returns:
        The result; means and 1 / sqrt(variance + eps), shape (N, group).

    Raises:
        NotFiniteError: An element is infinite or NaN, or a moment overflows.
        UnsupportedError: Another dtype.
    """
    del num_channels, num_positions
    grouped = _group(x, group)
    dims = _list_within(grouped)
    if x.numel() == 0:
        out, *saved = normalise_nothing(grouped, dims)
    else:
        out, *saved = normalise_within(
            grouped,
            dims,
            _spread(weight, grouped),
            _spread(bias, grouped),
            eps,
            "group normalisation",
        )
    mean, rstd = (moment.reshape(num_samples, group) for moment in saved)
    return out.flatten(1, 2), mean, rstd


def differentiate_group(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    num_samples: int,
    num_channels: int,
    num_positions: int,
    group: int,
    output_mask: Sequence[bool],
) -> Gradients:
    """Return the gradients of input, weight and bias; ``aten.native_group_norm_backward``.

    Args:
        gradient: Of the result.
        x: The input, as all others were given to `normalise_group` or returned by it.
        mean: Shape (N, group).
        rstd: Likewise.
        weight: Shape (C,), or None for ones.
        num_samples: N.
        num_channels: C.
        num_positions: Elements of one channel of a sample.
        group: How many groups the channels form.
        output_mask: Which gradients are wanted; the others are None.

    Raises:
        NotFiniteError: A gradient is infinite or NaN, or products overflow.
        UnsupportedError: Another dtype.
    """
    del num_samples, num_channels, num_positions
    grouped = _group(x, group)
    shape = [*mean.shape, *[1] * (grouped.ndim - mean.ndim)]
    grad_input, grad_weight, grad_bias = differentiate_within(
        _group(gradient, group),
        grouped,
        mean.reshape(shape),
        rstd.reshape(shape),
        _spread(weight, grouped),
        _list_within(grouped),
        [0, *range(3, grouped.ndim)],
        output_mask,
    )
    return (
        None if grad_input is None else grad_input.flatten(1, 2),
        None if grad_weight is None else grad_weight.flatten(),
        None if grad_bias is None else grad_bias.flatten(),
    )


def _list_last(x: Tensor, number: int) -> list[int]:
    """Return the last dimensions."""
    return list(range(x.ndim - number, x.ndim))


def _list_within(grouped: Tensor) -> list[int]:
    """Return what a group's moments run over: positions first, then its channels."""
    return [*range(3, grouped.ndim), 2]


def _group(x: Tensor, group: int) -> Tensor:
    """Return a view of shape (N, group, C / group, ...)."""
    return x.view([x.shape[0], group, x.shape[1] // group, *x.shape[2:]])


def _spread(values: Tensor | None, grouped: Tensor) -> Tensor | None:
    """Return one value a channel in a shape that broadcasts to that of the grouped tensor."""
    if values is None:
        return None
    shape = [1, *grouped.shape[1:3]] + [1] * (grouped.ndim - 3)
    return values.reshape(shape)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    **batch_normalisation_ops.REPLACED,
    "aten.native_layer_norm.default": normalise_layer,
    "aten.native_layer_norm_backward.default": differentiate_layer,
    "aten.native_group_norm.default": normalise_group,
    "aten.native_group_norm_backward.default": differentiate_group,
}
"""By the name that ``str`` gives an overload; batch normalisation's with them."""
