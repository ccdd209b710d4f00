"""Batch normalisation, with the moments of the shard that the operation sees.

In training each channel's moments run over the samples and positions of the whole tensor, and
running averages take one step. In evaluation the running averages stand for them, each element is
computed by itself, and so the batch cannot change a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from cxr.determinism.portable.elementary.square_roots import rsqrt64
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.standardisation import (
    check_dtype,
    differentiate,
    find_moments,
    standardise,
    sum_products,
)
from cxr.determinism.portable.trees.sums import count_tensor, refuse_not_finite

_WHAT: Final = "batch normalisation"

Normalised = tuple[Tensor, Tensor, Tensor]
"""The result, the mean and the inverse deviation of each unit."""

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of input, weight and bias; None where it is not wanted."""


def normalise(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Normalised:
    """Normalise each channel; ``aten.native_batch_norm``.

    Args:
        x: Shape (N, C, ...), float32 or float64, any layout.
        weight: Shape (C,), or None for ones.
        bias: Shape (C,), or None for zeros.
        running_mean: Shape (C,); in training it takes a step, in place; None keeps none.
        running_var: Likewise, of the variance without bias.
        training: Take the moments of ``x`` rather than the running ones.
        momentum: How much of the new moments a running average takes in.
        eps: Added to the variance.

    Returns:
        The result, in the layout of ``x``; in training the mean and 1 / sqrt(variance + eps) of
        each channel, otherwise two empty tensors.

    Raises:
        NotFiniteError: In training, an element or moment is infinite or NaN.
        UnsupportedError: Another dtype; running moments that are wanted and not there; training
            on one value a channel, whose variance without bias does not exist.
    """
    dtype = check_dtype(_WHAT, x, weight, bias, running_mean, running_var)
    if not training:
        mean, inverse = _take_running(x, running_mean, running_var, eps)
        saved = (x.new_empty(0), x.new_empty(0))
    else:
        mean, squares, count = find_moments(x, _list_dims(x), _WHAT)
        _update_running(running_mean, running_var, mean, squares, count, momentum)
        inverse = _invert(squares / count, eps)
        saved = (mean.flatten().to(dtype), inverse.flatten().to(dtype))
    scale = inverse if weight is None else inverse * _spread(weight, x).to(torch.float64)
    shift = None if bias is None else _spread(bias, x)
    return standardise(x, mean.to(dtype), [scale.to(dtype)], shift), *saved


def differentiate_normalise(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    save_mean: Tensor | None,
    save_invstd: Tensor | None,
    train: bool,
    eps: float,
    output_mask: Sequence[bool],
) -> Gradients:
    """Return the gradients of input, weight and bias; ``aten.native_batch_norm_backward``.

    Args:
        gradient: Of the result.
        x: The input.
        weight: As it was given to `normalise`; so with the running moments and ``eps``.
        running_mean: Used where ``train`` is false.
        running_var: Likewise.
        save_mean: What `normalise` returned; used in training.
        save_invstd: Likewise.
        train: As ``training`` was.
        eps: Added to the variance.
        output_mask: Which gradients are wanted; the others are None.

    Raises:
        NotFiniteError: A gradient is infinite or NaN, or products overflow.
        UnsupportedError: Another dtype, or moments that are not there.
    """
    dtype = check_dtype(_WHAT, gradient, x, weight)
    if not train:
        mean, inverse = _take_running(x, running_mean, running_var, eps)
    elif save_mean is None or save_invstd is None:
        raise UnsupportedError(f"{_WHAT}: a gradient without the moments of the forward step")
    else:
        mean = _spread(save_mean, x).to(torch.float64)
        inverse = _spread(save_invstd, x).to(torch.float64)
    scale = inverse if weight is None else inverse * _spread(weight, x).to(torch.float64)
    near = mean.to(dtype)
    dims = _list_dims(x)
    wants_input, wants_weight, wants_bias = output_mask
    total = product = torch.zeros_like(mean)
    if wants_weight or wants_bias or train:
        total, product = sum_products(gradient, x, near, [], dims)
    grad_input = None
    if wants_input and train:
        count = count_tensor(x, dims, dtype=torch.float64)
        grad_input = differentiate(
            gradient,
            x,
            near,
            None,
            slope=(inverse * inverse * product / count).to(dtype),
            offset=(total / count).to(dtype),
            scale=scale.to(dtype),
        )
    elif wants_input:
        grad_input = torch.mul(gradient, scale.to(dtype), out=torch.empty_like(x))
    return (
        grad_input,
        (product * inverse).flatten().to(dtype) if wants_weight else None,
        total.flatten().to(dtype) if wants_bias else None,
    )


def _list_dims(x: Tensor) -> list[int]:
    """Return the dimensions of one channel's elements: samples first, then positions."""
    return [0, *range(2, x.ndim)]


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """Return one value a channel in a shape that broadcasts to that of ``x``."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _invert(variance: Tensor, eps: float) -> Tensor:
    """Return 1 / sqrt(variance + eps) as float64.

    Raises:
        NotFiniteError: Both are 0, or the variance is infinite or NaN.
    """
    inverse = rsqrt64(variance.to(torch.float64) + eps)
    refuse_not_finite(inverse, _WHAT)
    return inverse


def _take_running(
    x: Tensor, running_mean: Tensor | None, running_var: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the running mean and the inverse deviation, float64, one a channel."""
    if running_mean is None or running_var is None:
        raise UnsupportedError(f"{_WHAT} with running moments that are not there")
    mean = _spread(running_mean, x).to(torch.float64)
    return mean, _invert(_spread(running_var, x), eps)


def _update_running(
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor,
    squares: Tensor,
    count: Tensor,
    momentum: float,
) -> None:
    """Let running averages take one step, computed in float64 and rounded once."""
    if running_mean is not None:
        _step(running_mean, mean.flatten(), momentum)
    if running_var is not None:
        if int(count) == 1:
            raise UnsupportedError(f"{_WHAT} in training on one value a channel")
        _step(running_var, (squares / (count - 1.0)).flatten(), momentum)


def _step(running: Tensor, new: Tensor, momentum: float) -> None:
    """Set an average to (1 - momentum) times itself plus momentum times a new value."""
    kept = running.to(torch.float64) * (1.0 - momentum)
    running.copy_(kept + new * momentum)
