from __future__ import annotations

import math

import mpmath
import pytest
import torch

from cxr.determinism.portable.layers.gated import REPLACED
from support.accuracy import find_worst_ulps
from support.fixed_numbers import draw_fixed


def test_gated_linear_units_are_within_an_ulp():
    x = draw_fixed(2, 400)
    found = REPLACED["aten.glu.default"](x, 0)[0]
    assert find_worst_ulps(found, lambda a, b: a / (1 + mpmath.exp(-b)), x[0], x[1]) <= 1.0


def test_the_gradient_does_not_cancel_where_the_gate_is_open():
    x = torch.tensor([[2.0, 30.0], [2.0, -30.0]])
    found = REPLACED["aten.glu_backward.default"](torch.ones(2, 1), x, 1)
    # s (1 - s) = e^-30 / (1 + e^-30)^2 on both sides.
    slope = 2.0 * math.exp(-30.0) / (1.0 + math.exp(-30.0)) ** 2
    assert found[:, 1].tolist() == pytest.approx([slope, slope], rel=2**-23)


@pytest.mark.parametrize("gate", [math.inf, -math.inf, 0.0, -0.0])
def test_gates_at_their_limits(gate):
    x = torch.tensor([3.0, gate])
    native = torch.nn.functional.glu(x.double(), 0).float()
    assert torch.equal(REPLACED["aten.glu.default"](x, 0), native)


def test_a_slope_acts_up_to_zero_alone():
    x, slope = torch.tensor([-2.0, -0.0, 0.0, 3.0]), torch.tensor([0.5])
    found = REPLACED["aten._prelu_kernel.default"](x, slope)
    assert found.tolist() == [-1.0, 0.0, 0.0, 3.0]
    of_x, of_slope = REPLACED["aten._prelu_kernel_backward.default"](torch.ones(4), x, slope)
    assert of_x.tolist() == [0.5, 0.5, 0.5, 1.0]
    assert of_slope.tolist() == [-2.0, 0.0, 0.0, 0.0]
