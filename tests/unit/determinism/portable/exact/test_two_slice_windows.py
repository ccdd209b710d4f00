"""Convolutions with two slices an operand are the exact result, rounded once."""

from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError
from cxr.determinism.portable.exact import two_slice_windows
from cxr.determinism.portable.exact.convolution import (
    REPLACED,
    REPLACED_WITH_TWO_SLICES,
    convolution,
    convolution_backward,
)
from support.fixed_numbers import draw_fixed

# x, weight, stride, padding, dilation, groups.
CASES = [
    ((2, 6, 9, 7), (4, 6, 3, 3), 1, 1, 1, 1),
    ((2, 6, 9, 7), (4, 6, 3, 3), 2, 1, 1, 1),
    ((3, 6, 8, 8), (8, 3, 2, 3), 2, 2, 2, 2),
    ((2, 5, 6, 6), (4, 5, 1, 1), 2, 0, 1, 1),
    ((2, 4, 16), (6, 4, 5), 3, 2, 1, 1),
    ((1, 3, 2, 2), (5, 3, 2, 2), 1, 0, 1, 1),
]


def spread(*shape: int, seed: int) -> torch.Tensor:
    """Return numbers of which each sample has some that are 2^26 times smaller than others."""
    x = draw_fixed(*shape, seed=seed)
    return torch.where(draw_fixed(*shape, seed=seed + 9) > 0, x, x * 2.0**-26)


def compute(case, slices):
    """Return operands, and the results of one and of several slices beside float64's."""
    x_shape, weight_shape, *settings, groups = case
    num_axes = len(x_shape) - 2
    stride, padding, dilation = ([setting] * num_axes for setting in settings)
    # In the same input channels the weight is as small: one slice loses their products.
    x, weight = spread(*x_shape, seed=1), spread(*weight_shape, seed=2)
    common = (stride, padding, dilation, False, [0] * num_axes, groups)
    out = convolution(x, weight, None, *common, slices=slices)
    grad = spread(*out.shape, seed=3)
    mask = [True, True, False]
    backward = convolution_backward(grad, x, weight, None, *common, mask, slices=slices)
    wide = torch.ops.aten.convolution(x.double(), weight.double(), None, *common)
    wide_backward = torch.ops.aten.convolution_backward(
        grad.double(), x.double(), weight.double(), None, *common, mask
    )
    found, exact = (out, *backward[:2]), (wide, *wide_backward[:2])
    # Of the magnitudes that were added, at which no rounding but the last may show.
    sums = torch.ops.aten.convolution(x.double().abs(), weight.double().abs(), None, *common)
    wide_sums = torch.ops.aten.convolution_backward(
        grad.double().abs(), x.double().abs(), weight.double().abs(), None, *common, mask
    )
    return found, exact, (sums, *wide_sums[:2])


@pytest.mark.parametrize("case", CASES)
def test_results_are_rounded_once(case):
    found, exact, sums = compute(case, 2)
    for number, (mine, wide, size) in enumerate(zip(found, exact, sums, strict=True)):
        # The gradient of a weight rounds each block, and each is below the sum of magnitudes.
        blocks = size if number == 2 else wide.abs()
        bound = 2.0**-24 * wide.abs() + 2.0**-24 * blocks + 2.0**-36 * size.max()
        assert mine.dtype == torch.float32
        assert ((mine.double() - wide).abs() <= bound).all()


def test_one_slice_is_not_as_near():
    """Otherwise the test above would show nothing."""
    found, exact, _ = compute(CASES[0], 1)
    for mine, wide in zip(found, exact, strict=True):
        assert ((mine.double() - wide).abs() > 2.0**-21 * wide.abs()).any()


@pytest.mark.parametrize("case", CASES[:4])
def test_a_batch_and_its_blocks_change_no_bit(case, monkeypatch):
    x_shape, weight_shape, *settings, groups = case
    x, weight = spread(*x_shape, seed=1), spread(*weight_shape, seed=2)
    common = (*([setting] * 2 for setting in settings), False, [0, 0], groups)
    whole = convolution(x, weight, None, *common, slices=2)
    apart = [convolution(one[None], weight, None, *common, slices=2) for one in x]
    assert torch.equal(whole, torch.cat(apart))
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(whole, convolution(last, weight, None, *common, slices=2))
    monkeypatch.setattr(two_slice_windows, "_BLOCK_ELEMENTS", 1)
    assert torch.equal(whole, convolution(x, weight, None, *common, slices=2))


def test_what_is_not_finite_is_refused():
    x = torch.full((1, 3, 4, 4), torch.nan)
    with pytest.raises(NotFiniteError):
        convolution(x, torch.ones(2, 3, 3, 3), None, [1], [1], [1], False, [0], 1, slices=2)


def test_both_tables_have_the_same_ops():
    assert REPLACED.keys() == REPLACED_WITH_TWO_SLICES.keys()
