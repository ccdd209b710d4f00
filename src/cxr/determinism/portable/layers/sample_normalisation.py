"""Normalisation with moments within a sample: what layer and group normalisation share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cxr.determinism.portable.elementary.square_roots import rsqrt64
from cxr.determinism.portable.layers.batch_normalisation import Gradients, Normalised
from cxr.determinism.portable.trees.standardisation import (
    check_dtype,
    differentiate,
    find_moments,
    standardise,
    sum_products,
)
from cxr.determinism.portable.trees.sums import count_tensor, refuse_not_finite, sum_blocks


def normalise_within(
    x: Tensor,
    dims: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    what: str,
) -> Normalised:
    """Normalise over ``dims``; return the result and its moments, the dimensions kept."""
    dtype = check_dtype(what, x, weight, bias)
    mean, squares, count = find_moments(x, dims, what)
    rstd = rsqrt64(squares / count + eps)
    refuse_not_finite(rstd, what)
    near, inverse = mean.to(dtype), rstd.to(dtype)
    factors = [inverse] if weight is None else [inverse, _lift_to(weight, x)]
    shift = None if bias is None else _lift_to(bias, x)
    return standardise(x, near, factors, shift), near, inverse


def normalise_nothing(x: Tensor, dims: Sequence[int]) -> Normalised:
    """Return what normalising no samples gives; a unit without elements has no moments.

    Raises:
        NotFiniteError: There are units, and they are empty.
    """
    shape = [1 if dim in dims else length for dim, length in enumerate(x.shape)]
    moments = x.new_zeros(shape)
    if moments.numel() > 0:
        find_moments(x, dims, "normalisation")
    return torch.empty_like(x), moments, moments.clone()


def differentiate_within(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    dims: Sequence[int],
    parameter_dims: Sequence[int],
    output_mask: Sequence[bool],
) -> Gradients:
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


def _lift_to(values: Tensor, x: Tensor) -> Tensor:
    """Return values with as many dimensions as ``x`` has."""
    missing = x.ndim - values.ndim
    return values.reshape([1] * missing + list(values.shape))
