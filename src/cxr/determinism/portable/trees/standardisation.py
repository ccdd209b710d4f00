"""What batch, layer and group normalisation share: moments, the steps that use them, gradients.

Over the n elements of a unit (a channel of the shard, a row, a group of a sample), with mean m,
variance v, r = 1 / sqrt(v + eps) and h = (x - m) r:

    y = h w + b
    dx = r (g w - mean(g w) - h mean(g w h)),  dw = sum g h,  db = sum g

Sums are trees (`trees.sums`), what remains of a unit is float64, and each step over the elements is
one elementwise operation. The variance takes two passes: it is the mean square of x - m', where m'
is the computed m, rounded to float32.

Error of v, to first order: 8 * 2^-24 v from rounding differences, squares and four levels of the
sum, and (m - m')^2, where |m - m'| is at most 5 * 2^-24 mean|x|.

Source: Ioffe and Szegedy, "Batch normalization", ICML 2015, section 3; Chan, Golub and LeVeque,
"Algorithms for computing the sample variance", Am. Stat. 37 (1983), for the two passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.trees.blocks import split_into_blocks
from cxr.determinism.portable.trees.sums import count_tensor, refuse_not_finite, sum_blocks

_REAL = (torch.float32, torch.float64)


def find_moments(x: Tensor, dims: Sequence[int], what: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, sum of squared differences from it, and number of elements.

    Args:
        x: float32 or float64.
        dims: What is averaged over, in the order of summation.
        what: The operation, for errors.

    Returns:
        float64 tensors: the mean and the sum with ``dims`` kept; the number without dimensions.

    Raises:
        NotFiniteError: An element is infinite or NaN, there are none, or squares overflow.
    """
    (total,) = sum_blocks(lambda block: (block,), (x,), dims)
    count = count_tensor(x, dims, dtype=torch.float64)
    mean = total / count
    refuse_not_finite(mean, what)
    near = mean.to(x.dtype)

    def square_differences(block: Tensor, centre: Tensor) -> tuple[Tensor]:
        difference = block - centre
        return (difference.mul_(difference),)

    (squares,) = sum_blocks(square_differences, (x, near), dims)
    refuse_not_finite(squares, what)
    return mean, squares, count


def standardise(x: Tensor, mean: Tensor, factors: Sequence[Tensor], shift: Tensor | None) -> Tensor:
    """Return (x - mean) times each factor in turn, plus the shift.

    Args:
        x: Any layout, which the result takes on where it is dense.
        mean: All operands have the dtype of ``x`` and a shape that broadcasts to its own.
        factors: At least one.
        shift: None adds nothing.
    """
    out = torch.empty_like(x)
    shifts = [] if shift is None else [shift]
    for result, block, centre, *others in split_into_blocks((out, x, mean, *factors, *shifts)):
        torch.sub(block, centre, out=result)
        for factor in others[: len(factors)]:
            result.mul_(factor)
        for addend in others[len(factors) :]:
            result.add_(addend)
    return out


def sum_products(
    gradient: Tensor, x: Tensor, mean: Tensor, factors: Sequence[Tensor], dims: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the sums of G and of G (x - mean), where G is the gradient times each factor.

    Args:
        gradient: float32 or float64, as all others.
        x: The shape of the gradient.
        mean: Broadcasts to that shape, as factors do.
        factors: May be empty.
        dims: The order of summation.

    Returns:
        float64, the dimensions kept.

    Raises:
        NotFiniteError: An element is infinite or NaN, or products overflow.
    """

    def compute(grad: Tensor, block: Tensor, centre: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        for factor in others:
            grad = grad * factor
        difference = block - centre
        return grad, difference.mul_(grad)

    sums = sum_blocks(compute, (gradient, x, mean, *factors), dims, num_sums=2)
    for total in sums:
        refuse_not_finite(total, "gradient of a normalisation")
    return sums[0], sums[1]


def differentiate(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    weight: Tensor | None,
    *,
    slope: Tensor,
    offset: Tensor,
    scale: Tensor,
) -> Tensor:
    """Return ((gradient weight) - ((x - mean) slope + offset)) scale, in the layout of ``x``.

    Args:
        gradient: The shape of ``x``; all operands have its dtype and broadcast to its shape.
        x: The input.
        mean: Its mean.
        weight: None where it is part of the scale.
        slope: What (x - mean) is multiplied by.
        offset: The mean of the gradient times the weight.
        scale: What all is multiplied by.
    """
    out = torch.empty_like(x)
    weights = [] if weight is None else [weight]
    operands = (out, gradient, x, mean, slope, offset, scale, *weights)
    for result, grad, block, m, k, c, s, *w in split_into_blocks(operands):
        torch.sub(block, m, out=result)
        result.mul_(k).add_(c)
        torch.sub(grad * w[0] if w else grad, result, out=result)
        result.mul_(s)
    return out


def check_dtype(what: str, *tensors: Tensor | None) -> torch.dtype:
    """Return the one dtype of tensors.

    Raises:
        UnsupportedError: It is not float32 or float64, or there are several.
    """
    dtypes = {tensor.dtype for tensor in tensors if tensor is not None}
    if len(dtypes) != 1 or not dtypes <= set(_REAL):
        names = ", ".join(sorted(map(str, dtypes)))
        raise UnsupportedError(f"{what} of {names}: only float32 or float64 alone")
    return dtypes.pop()
