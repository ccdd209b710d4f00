"""Sums as fixed pairwise trees of elementwise additions.

Halving a dimension of length n adds its upper half to its lower one: element i and element
i + ceil(n/2), the middle one of an odd n passing through. ceil(log2 n) halvings leave the sum. Each
halving is one elementwise addition, which every machine rounds alike, and which elements meet
depends on their places in the logical order alone: not on layout, threads or vector length.

Error: a sum over L levels in a type of unit roundoff u is within L u sum|x| of the exact one, to
first order. `sum_tree_wide` takes at most `FLOAT32_LEVELS` levels in float32 and the others in
float64, so its bound, 4 * 2^-24 sum|x|, does not grow with the number of elements, while the
float64 part works on at most one sixteenth of them.

Source: Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14 (1993), eq. 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from cxr.determinism.portable.errors import NotFiniteError
from cxr.determinism.portable.trees.blocks import is_one_block, split_into_blocks

FLOAT32_LEVELS: Final = 4
"""Levels of `sum_tree_wide` in float32."""

_ALL_LEVELS: Final = 64


def sum_tree(x: Tensor, dims: Sequence[int], *, keepdim: bool = False) -> Tensor:
    """Add up elements along dimensions, one after the other, in the type of ``x``.

    Args:
        x: Any shape, layout and dtype.
        dims: Dimensions in the order of summation; another order may give other bits.
        keepdim: Keep them with length 1.

    Returns:
        The sums; 0 where there is nothing to add.
    """
    total = _compact(_sum_along(x, dims, _ALL_LEVELS, owned=False))
    return _finish(total, dims, keepdim=keepdim)


def sum_tree_wide(x: Tensor, dims: Sequence[int], *, keepdim: bool = False) -> Tensor:
    """Add up float32 elements along dimensions as `sum_tree`, after a few levels in float64.

    Args:
        x: float32 or float64, any shape and layout.
        dims: Dimensions in the order of summation.
        keepdim: Keep them with length 1.

    Returns:
        float64 sums.
    """
    (total,) = sum_blocks(lambda block: (block,), (x,), dims)
    return _finish(total, dims, keepdim=keepdim)


def sum_blocks(
    compute: Callable[..., tuple[Tensor, ...]],
    tensors: Sequence[Tensor],
    dims: Sequence[int],
    *,
    num_sums: int = 1,
    dtype: torch.dtype | None = None,
) -> list[Tensor]:
    """Add up elementwise values that are computed block by block and never stored whole.

    The graph is that of `sum_tree_wide` on the whole values.

    Args:
        compute: Gives ``num_sums`` values for a block of each tensor: each of the block's full
            shape, and either fresh (it is overwritten) or one of the arguments.
        tensors: As for `split_into_blocks`.
        dims: Dimensions in the order of summation.
        num_sums: How many sums.
        dtype: Of the values; None for that of the first tensor.

    Returns:
        float64 sums; the dimensions are kept with length 1.
    """
    dims = [dim % tensors[0].ndim for dim in dims]
    if not dims or is_one_block(tensors[0]):
        values = compute(*tensors)
        return [
            _finish_wide(_sum_along(value, dims, FLOAT32_LEVELS, owned=_is_fresh(value, tensors)))
            for value in values
        ]
    first, others = dims[0], dims[1:]
    num_levels = count_levels(tensors[0].shape[first])
    wide = num_levels > FLOAT32_LEVELS
    kind = torch.float64 if wide else dtype or tensors[0].dtype
    place = tensors[0].narrow(first, 0, 1)
    rests = [torch.empty_like(place, dtype=kind) for _ in range(num_sums)]
    for parts in split_into_blocks((*tensors, *rests), whole=first):
        blocks, places = parts[: len(tensors)], parts[len(tensors) :]
        for value, part in zip(compute(*blocks), places, strict=True):
            owned = _is_fresh(value, blocks)
            part.copy_(_sum_along(value, (first,), FLOAT32_LEVELS, owned=owned))
    levels_left = max(0, FLOAT32_LEVELS - num_levels)
    return [_finish_wide(_sum_along(rest, others, levels_left, owned=True)) for rest in rests]


def count_levels(length: int) -> int:
    """Return how many halvings leave one element: ceil(log2 length)."""
    return max(0, length - 1).bit_length()


def count_tensor(x: Tensor, dims: Sequence[int], *, dtype: torch.dtype) -> Tensor:
    """Return the number of elements along ``dims`` as a tensor without dimensions, to divide by."""
    return torch.tensor(math.prod(x.shape[dim] for dim in dims), dtype=dtype, device=x.device)


def refuse_not_finite(sums: Tensor, what: str) -> None:
    """Raise if a sum is not finite, which is so whenever an element was not, or on overflow.

    Raises:
        NotFiniteError: One is infinite or NaN.
    """
    if sums.numel() == 0:
        return
    # One pass; a NaN wins both extremes. torch's `isfinite` takes several.
    low, high = torch.aminmax(sums)
    if not (math.isfinite(low.item()) and math.isfinite(high.item())):
        raise NotFiniteError(f"{what}: the sum is infinite or NaN")


def _finish_wide(total: Tensor) -> Tensor:
    """Return sums as float64, in memory of their own."""
    return _compact(total.to(torch.float64))


def _compact(total: Tensor) -> Tensor:
    """Return a copy of what lies in a part of a larger buffer, so that the buffer can go."""
    if total.untyped_storage().nbytes() > total.numel() * total.element_size():
        return total.clone(memory_format=torch.contiguous_format)
    return total


def _sum_along(x: Tensor, dims: Sequence[int], narrow_levels: int, *, owned: bool) -> Tensor:
    """Return the sums along ``dims``, kept with length 1.

    Args:
        x: What to add.
        dims: The order.
        narrow_levels: Levels in float32; those after them are in float64.
        owned: The memory of ``x`` may be overwritten.
    """
    for dim in (dim % x.ndim for dim in dims):
        if x.shape[dim] == 0:
            shape = [1 if place == dim else length for place, length in enumerate(x.shape)]
            x, owned = x.new_zeros(shape), True
        while x.shape[dim] > 1:
            if narrow_levels == 0 and x.dtype == torch.float32:
                x, owned = _widen(x, dim), True
            x = _halve(x, dim, owned=owned)
            owned = True
            narrow_levels -= 1
    # Where every length was 1 the result would be the input's own memory.
    return x if owned else x.clone()


def _widen(x: Tensor, dim: int) -> Tensor:
    """Return a float64 copy in which ``dim`` does not lie closest: short rows are slow."""
    if x.stride(dim) != 1:
        return x.to(torch.float64)
    outermost = x.movedim(dim, 0)
    copy = outermost.to(torch.float64, memory_format=torch.contiguous_format)
    return copy.movedim(0, dim)


def _halve(x: Tensor, dim: int, *, owned: bool) -> Tensor:
    """Add the upper half along ``dim`` to the lower one; the middle of an odd length passes."""
    # The first of two chunks is the larger one. Halving is short work: each view counts.
    low, high = x.chunk(2, dim)
    lower, upper = low.shape[dim], high.shape[dim]
    if owned:
        (low if lower == upper else low.narrow(dim, 0, upper)).add_(high)
        return low
    if lower == upper:
        return low + high
    out = torch.empty_like(low)
    torch.add(low.narrow(dim, 0, upper), high, out=out.narrow(dim, 0, upper))
    out.narrow(dim, upper, 1).copy_(low.narrow(dim, upper, 1))
    return out


def _is_fresh(value: Tensor, arguments: Sequence[Tensor]) -> bool:
    """Say whether a value's memory is nobody else's."""
    return all(value is not argument for argument in arguments)


def _finish(total: Tensor, dims: Sequence[int], *, keepdim: bool) -> Tensor:
    """Drop the summed dimensions, unless they are to be kept."""
    return total if keepdim else total.squeeze(tuple(dims))
