"""Layer and group normalisation: moments within a sample, so the batch cannot change a bit.

Gradients of weights and biases add up samples, and depend on the shard alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from cxr.determinism.portable import batch_normalisation
from cxr.determinism.portable.roots import reciprocal_root
from cxr.determinism.portable.standardisation import (
    check_dtype,
    differentiate,
    find_moments,
    standardise,
    sum_products,
)
from cxr.determinism.portable.sums import count_tensor, refuse_not_finite, sum_blocks

_Triple = tuple[Tensor, Tensor, Tensor]
_Optionals = tuple[Tensor | None, Tensor | None, Tensor | None]


def normalise_layer(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> _Triple:
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
        UnsupportedError: Another dtype.
    """
    dims = _list_last(x, len(normalized_shape))
    if x.numel() == 0:
        return _normalise_nothing(x, dims)
    return _normalise(x, dims, weight, bias, eps, "layer normalisation")


def differentiate_layer(
    gradient: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    output_mask: Sequence[bool],
) -> _Optionals:
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
    grad_input, grad_weight, grad_bias = _differentiate(
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
) -> _Triple:
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
        out, *saved = _normalise_nothing(grouped, dims)
    else:
        out, *saved = _normalise(
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
) -> _Optionals:
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
    grad_input, grad_weight, grad_bias = _differentiate(
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


def _normalise(
    x: Tensor,
    dims: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    what: str,
) -> _Triple:
    """Normalise over ``dims``; return the result and its moments, the dimensions kept."""
    dtype = check_dtype(what, x, weight, bias)
    mean, squares, count = find_moments(x, dims, what)
    rstd = reciprocal_root(squares / count + eps)
    refuse_not_finite(rstd, what)
    near, inverse = mean.to(dtype), rstd.to(dtype)
    factors = [inverse] if weight is None else [inverse, _lift_to(weight, x)]
    shift = None if bias is None else _lift_to(bias, x)
    return standardise(x, near, factors, shift), near, inverse


def _normalise_nothing(x: Tensor, dims: Sequence[int]) -> _Triple:
    """Return what normalising no samples gives; a unit without elements has no moments.

    Raises:
        NotFiniteError: There are units, and they are empty.
    """
    shape = [1 if dim in dims else length for dim, length in enumerate(x.shape)]
    moments = x.new_zeros(shape)
    if moments.numel() > 0:
        find_moments(x, dims, "normalisation")
    return torch.empty_like(x), moments, moments.clone()


def _differentiate(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    dims: Sequence[int],
    parameter_dims: Sequence[int],
    output_mask: Sequence[bool],
) -> _Optionals:
    """Return gradients where moments run over ``dims``, and weights over all but others.

    Args:
        gradient: The shape of ``x``.
        x: The input.
        mean: The dimensions kept.
        rstd: Likewise.
        weight: Broadcasts from the right; None for ones.
        dims: What moments ran over.
        parameter_dims: What a weight's gradient adds up, samples first.
        output_mask: Which gradients are wanted.
    """
    dtype = check_dtype("normalisation", gradient, x, weight)
    wants_input, wants_weight, wants_bias = output_mask
    grad_input = grad_weight = grad_bias = None
    if wants_input:
        lifted = None if weight is None else _lift_to(weight, x)
        factors = [] if lifted is None else [lifted]
        total, product = sum_products(gradient, x, mean, factors, dims)
        count = count_tensor(x, dims, dtype=torch.float64)
        inverse = rstd.to(torch.float64)
        grad_input = differentiate(
            gradient,
            x,
            mean,
            lifted,
            slope=(inverse * inverse * product / count).to(dtype),
            offset=(total / count).to(dtype),
            scale=rstd,
        )
    if wants_weight or wants_bias:
        products, total = _sum_parameters(gradient, x, mean, rstd, parameter_dims)
        grad_weight = products.to(dtype) if wants_weight else None
        grad_bias = total.to(dtype) if wants_bias else None
    return grad_input, grad_weight, grad_bias


def _sum_parameters(
    gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, dims: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the sums of g h and of g, float64, the dimensions kept."""

    def compute(grad: Tensor, block: Tensor, m: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        return (block - m).mul_(r).mul_(grad), grad

    products, total = sum_blocks(compute, (gradient, x, mean, rstd), dims, num_sums=2)
    refuse_not_finite(products, "gradient of a weight")
    refuse_not_finite(total, "gradient of a bias")
    return products, total


def _list_last(x: Tensor, number: int) -> list[int]:
    """Return the last dimensions."""
    return list(range(x.ndim - number, x.ndim))


def _list_within(grouped: Tensor) -> list[int]:
    """Return what a group's moments run over: positions first, then its channels."""
    return [*range(3, grouped.ndim), 2]


def _group(x: Tensor, group: int) -> Tensor:
    """Return a view of shape (N, group, C / group, ...)."""
    return x.unflatten(1, (group, x.shape[1] // group))


def _spread(values: Tensor | None, grouped: Tensor) -> Tensor | None:
    """Return one value a channel in a shape that broadcasts to that of the grouped tensor."""
    if values is None:
        return None
    return values.reshape(1, *grouped.shape[1:3], *[1] * (grouped.ndim - 3))


def _lift_to(values: Tensor, x: Tensor) -> Tensor:
    """Return values with as many dimensions as ``x`` has."""
    return values.reshape(*[1] * (x.ndim - values.ndim), *values.shape)


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    **batch_normalisation.REPLACED,
    "aten.native_layer_norm.default": normalise_layer,
    "aten.native_layer_norm_backward.default": differentiate_layer,
    "aten.native_group_norm.default": normalise_group,
    "aten.native_group_norm_backward.default": differentiate_group,
}
"""By the name that ``str`` gives an overload; batch normalisation's with them."""
