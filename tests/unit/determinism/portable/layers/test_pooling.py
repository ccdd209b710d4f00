"""Pooling against torch's own in float64."""

from __future__ import annotations

import itertools

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.layers.adaptive_pooling import (
    average_adaptively,
    differentiate_adaptive_average,
)
from cxr.determinism.portable.layers.pooling import (
    average,
    differentiate_average,
    differentiate_maxima,
    find_maxima,
)
from support.fixed_numbers import draw_fixed as draw

WINDOWS = list(
    itertools.product(([2, 2], [3, 3], [3, 2]), ([], [1, 1], [2, 2], [3, 1]), (0, 1), (True, False))
)
PICTURES = [
    draw(2, 3, 13, 11),
    draw(1, 4, 8, 9).contiguous(memory_format=torch.channels_last),
    draw(3, 9, 10),
]
UNIT = 2.0**-24
aten = torch.ops.aten


def assert_near(mine, reference, *, units, size):
    assert mine.shape == reference.shape
    assert ((mine.double() - reference).abs() <= units * UNIT * size).all()


@pytest.mark.parametrize(("kernel", "stride", "padding", "ceil"), WINDOWS)
@pytest.mark.parametrize("x", PICTURES, ids=["contiguous", "channels last", "no samples"])
def test_averages_and_gradients_are_within_their_bounds(x, kernel, stride, padding, ceil):
    for padded, divisor in itertools.product((True, False), (None, 5)):
        settings = (kernel, stride, [padding] * 2, ceil, padded, divisor)
        exact = aten.avg_pool2d(x.double(), *settings)
        sizes = aten.avg_pool2d(x.double().abs(), *settings)
        assert_near(average(x, *settings), exact, units=10, size=sizes)
        gradient = draw(*exact.shape, seed=1)
        exact = aten.avg_pool2d_backward(gradient.double(), x.double(), *settings)
        sizes = aten.avg_pool2d_backward(gradient.double().abs(), x.double(), *settings)
        mine = differentiate_average(gradient, x, *settings)
        assert_near(mine, exact, units=10, size=sizes)


@pytest.mark.parametrize(("kernel", "stride", "padding", "ceil"), WINDOWS)
@pytest.mark.parametrize("x", PICTURES, ids=["contiguous", "channels last", "no samples"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_maxima_and_gradients_are_right(x, kernel, stride, padding, ceil, dilation):
    x = x.round()
    settings = (kernel, stride, [padding] * 2, [dilation] * 2, ceil)
    maxima, places = find_maxima(x, *settings)
    assert torch.equal(maxima, x.flatten(-2).gather(-1, places.flatten(-2)).view_as(maxima))
    gradient = draw(*maxima.shape, seed=1)
    mine = differentiate_maxima(gradient, x, *settings, places)
    backward = aten.max_pool2d_with_indices_backward
    exact = backward(gradient.double(), x.double(), *settings, places)
    sizes = backward(gradient.double().abs(), x.double(), *settings, places)
    assert_near(mine, exact, units=8, size=sizes)


def test_the_first_of_equal_elements_is_the_maximum_in_every_layout():
    x = torch.tensor([0.0, -0.0, 1.0, 1.0]).repeat(2, 64, 3, 3)
    maxima, places = find_maxima(x, [3, 3], [2, 2], [1, 1])
    last = find_maxima(x.contiguous(memory_format=torch.channels_last), [3, 3], [2, 2], [1, 1])
    assert torch.equal(maxima.view(torch.int32), last[0].contiguous().view(torch.int32))
    assert torch.equal(places, last[1])
    zeros = find_maxima(torch.tensor([[[-0.0, 0.0]]]), [1, 2])
    assert zeros[1].item() == 0
    assert torch.signbit(zeros[0]).item()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 2), (7, 7), (15, 13)])
@pytest.mark.parametrize("x", PICTURES, ids=["contiguous", "channels last", "no samples"])
def test_adaptive_averages_and_gradients_are_within_their_bounds(x, sizes):
    exact = aten._adaptive_avg_pool2d(x.double(), sizes)
    size = aten._adaptive_avg_pool2d(x.double().abs(), sizes)
    assert_near(average_adaptively(x, sizes), exact, units=5, size=size)
    gradient = draw(*exact.shape, seed=1)
    exact = aten._adaptive_avg_pool2d_backward(gradient.double(), x.double())
    size = aten._adaptive_avg_pool2d_backward(gradient.double().abs(), x.double())
    assert_near(differentiate_adaptive_average(gradient, x), exact, units=8, size=size)


def test_the_batch_changes_no_bit():
    x = draw(9, 3, 12, 12)
    for pool in (
        lambda x: average(x, [3, 3], [2, 2], [1, 1]),
        lambda x: average_adaptively(x, [5, 5]),
        lambda x: find_maxima(x, [3, 3])[0],
    ):
        assert torch.equal(torch.cat([pool(part) for part in x.split(2)]), pool(x))


def test_what_is_not_finite_or_not_real_is_refused():
    x = draw(1, 2, 4, 4)
    x[0, 1, 2, 3] = torch.inf
    for call in (lambda: average(x, [2, 2]), lambda: average_adaptively(x, [1, 1])):
        with pytest.raises(NotFiniteError):
            call()
    with pytest.raises(UnsupportedError, match="float16"):
        average(x.half(), [2, 2])
    with pytest.raises(UnsupportedError, match="windows of 5"):
        average(x, [5, 5])


def test_no_samples_give_empty_results():
    assert average(torch.zeros(0, 2, 4, 4), [2, 2]).shape == (0, 2, 2, 2)
    assert average_adaptively(torch.zeros(0, 2, 4, 4), [1, 3]).shape == (0, 2, 1, 3)
