from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.layers.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)
from support.accuracy import draw_float32, find_worst_ulps, same_bits

INF, NAN = math.inf, math.nan


def draw_rows(num: int, length: int) -> torch.Tensor:
    return draw_float32(num * length, -3, 5, seed=3).reshape(num, length)


@pytest.mark.parametrize("length", [1, 2, 14, 197])
def test_values_are_within_one_unit(length):
    x = draw_rows(3, length)
    for row, y, log_y in zip(
        x, softmax(x, 1, half_to_float=False), log_softmax(x, 1, half_to_float=False), strict=True
    ):
        total = mp.fsum(mp.exp(mp.mpf(value)) for value in row.tolist())
        assert find_worst_ulps(y, lambda v, total=total: mp.exp(v) / total, row) <= 0.51
        assert find_worst_ulps(log_y, lambda v, total=total: v - mp.log(total), row) <= 0.51


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_backwards_are_float64s_rounded_once(dim):
    x, grad = draw_rows(30, 35).reshape(6, 25, 7), draw_float32(1050, -3, 1).reshape(6, 25, 7)
    ops = torch.ops.aten
    y, log_y = softmax(x, dim, half_to_float=False), log_softmax(x, dim, half_to_float=False)
    kind = (dim, torch.float64)
    for found, wanted in (
        (softmax_backward, ops._softmax_backward_data(grad.double(), y.double(), *kind)),
        (
            log_softmax_backward,
            ops._log_softmax_backward_data(grad.double(), log_y.double(), *kind),
        ),
    ):
        value = y if found is softmax_backward else log_y
        mine = found(grad, value, dim, torch.float32)
        assert float((mine - wanted).abs().max()) < 2.0**-32 + 2.0**-24 * float(wanted.abs().max())


def test_batch_and_layout_do_not_matter():
    x = draw_rows(40, 35).reshape(8, 5, 5, 7)
    for dim in range(4):
        wanted = softmax(x, dim, half_to_float=False)
        for other in (
            x.to(memory_format=torch.channels_last),
            x.transpose(1, 2).contiguous().transpose(1, 2),
        ):
            found = softmax(other, dim, half_to_float=False)
            assert same_bits(found, wanted)
            assert found.stride() == other.stride()
        if dim:
            assert same_bits(softmax(x[3:4], dim, half_to_float=False), wanted[3:4])


def test_masked_and_extreme_rows():
    x = torch.tensor([[0.0, -INF, -INF], [-INF, -INF, -INF], [3e38, -3e38, 0.0], [INF, 0, 0]])
    y = softmax(x, 1, half_to_float=False)
    assert same_bits(y, torch.tensor([[1.0, 0, 0], [NAN, NAN, NAN], [1, 0, 0], [NAN, NAN, NAN]]))
    log_y = log_softmax(x[:1], 1, half_to_float=False)
    assert same_bits(log_y, torch.tensor([[0.0, -INF, -INF]]))


def test_empty_and_single_shapes():
    assert softmax(torch.empty(0, 3), 1, half_to_float=False).shape == (0, 3)
    assert softmax(torch.empty(3, 0), 1, half_to_float=False).shape == (3, 0)
    assert float(softmax(torch.tensor(5.0), 0, half_to_float=False)) == 1
    with pytest.raises(UnsupportedError):
        softmax(torch.ones(2, dtype=torch.float64), 0, half_to_float=False)
    with pytest.raises(UnsupportedError):
        softmax(torch.ones(2), 0, half_to_float=True)
