from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.layers import activations, piecewise
from support.accuracy import draw_float32, find_worst_ulps, same_bits

INF, NAN = math.inf, math.nan
C, B = mp.sqrt(2 / mp.pi), mp.mpf(0.044715)


def normal(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def logistic(x):
    return 1 / (1 + mp.exp(-x))


def inner(x):
    return 2 * C * (x + B * x**3)


def mish_slope(x):
    y = mp.tanh(mp.log1p(mp.exp(x)))
    return y + x * (1 - y * y) * logistic(x)


VALUES = {
    "gelu": lambda x: x * normal(x),
    "silu": lambda x: x * logistic(x),
    "mish": lambda x: x * mp.tanh(mp.log1p(mp.exp(x))),
    "softplus": lambda x: mp.log1p(mp.exp(x)) if x <= 20 else x,
    "elu": lambda x: x if x > 0 else mp.expm1(x),
}
SLOPES = {
    "gelu": lambda x: normal(x) + x * density(x),
    "silu": lambda x: logistic(x) * (1 + x * logistic(-x)),
    "mish": mish_slope,
}


def draw_arguments() -> torch.Tensor:
    # Dense around 0, and all the way down to where results leave float32.
    return torch.cat(
        [draw_float32(500, -140, 5), draw_float32(500, -3, 3), -torch.arange(120.0) / 8]
    )


@pytest.mark.parametrize("name", VALUES)
def test_values_are_within_one_unit_far_into_the_tail(name):
    x = draw_arguments()
    assert find_worst_ulps(getattr(activations, name)(x), VALUES[name], x) <= 0.51


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_within_one_unit_or_a_small_part_of_the_gradient(name):
    x = draw_arguments()
    found = getattr(activations, f"{name}_backward")(torch.ones_like(x), x)
    assert_slopes(found, SLOPES[name], x)


def assert_slopes(found: torch.Tensor, exact, x: torch.Tensor) -> None:
    wanted = [exact(mp.mpf(value)) for value in x.tolist()]
    near = torch.tensor(
        [abs(mp.mpf(a) - b) < 2.0**-32 for a, b in zip(found.tolist(), wanted, strict=True)]
    )
    assert find_worst_ulps(found[~near], exact, x[~near]) <= 0.51
    # Most are within a unit anyway.
    assert int(near.sum()) < len(near)


def test_the_gelu_of_tanh_and_its_slope():
    x = draw_arguments()
    found = activations.gelu(x, approximate="tanh")
    assert find_worst_ulps(found, lambda v: v * logistic(inner(v)), x) <= 0.51
    slopes = activations.gelu_backward(torch.ones_like(x), x, approximate="tanh")

    def slope(v):
        s = logistic(inner(v))
        return s + v * s * logistic(-inner(v)) * 2 * C * (1 + 3 * B * v * v)

    assert_slopes(slopes, slope, x)
    with pytest.raises(UnsupportedError, match="sigmoid"):
        activations.gelu(x, approximate="sigmoid")


OTHERS = {
    "softplus_backward": (activations, (2.0, 20.0), (2.0, 20.0)),
    "log_sigmoid_forward": (activations, (), ()),
    "sigmoid_backward": (activations, (), ()),
    "tanh_backward": (activations, (), ()),
    "threshold_backward": (piecewise, (0.0,), (0.0,)),
    "hardtanh_backward": (piecewise, (0.0, 6.0), (0.0, 6.0)),
    "leaky_relu_backward": (piecewise, (0.01, False), (0.01, False)),
    "hardswish_backward": (piecewise, (), ()),
    "relu": (piecewise, (), ()),
    "hardtanh": (piecewise, (0.0, 6.0), (0.0, 6.0)),
    "hardsigmoid": (piecewise, (), ()),
    "hardswish": (piecewise, (), ()),
    "leaky_relu": (piecewise, (0.2,), (0.2,)),
    "elu": (activations, (1.7, 1.1), (1.7, 1.1)),
    "celu": (activations, (2.0,), (2.0,)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_float64s_rounded_once(name):
    module, mine, torchs = OTHERS[name]
    x = torch.cat([draw_float32(2000, -10, 4), torch.tensor([6.0, 2.9999998, -2.9999998])])
    if name == "hardswish_backward":
        # At the knees torch 2.7 has other slopes than torch 2.15.
        x = x[x.abs() != 3.0]
    else:
        x = torch.cat([x, torch.tensor([3.0, -3.0])])
    grads = (draw_float32(len(x), -3, 3, seed=4),) if name.endswith("_backward") else ()
    found = getattr(module, name)(*grads, x, *mine)
    wanted = getattr(torch.ops.aten, name)(*(t.double() for t in (*grads, x)), *torchs)
    found, wanted = (found[0], wanted[0]) if name == "log_sigmoid_forward" else (found, wanted)
    assert float((found - wanted.float()).abs().max()) <= 2e-7
    assert float((found == wanted.float()).double().mean()) > 0.999


def test_the_slope_of_hardswish_at_the_knees_is_that_beyond_them():
    found = piecewise.hardswish_backward(
        torch.full((4,), 0.7), torch.tensor([-INF, -3.0, 3.0, INF])
    )
    assert same_bits(found, torch.tensor([0.0, 0.0, 0.7, 0.7]))


def test_the_slope_of_hardsigmoid_is_a_sixth_between_the_knees():
    x = torch.tensor([-3.0, -2.9999998, 0.0, 2.9999998, 3.0, INF])
    found = piecewise.hardsigmoid_backward(torch.full((6,), 0.7), x)
    sixth = float(torch.tensor(0.7)) / 6
    assert same_bits(found, torch.tensor([0.0, sixth, sixth, sixth, 0.0, 0.0]))


@pytest.mark.parametrize("is_result", [False, True])
def test_the_slope_of_elu_from_argument_and_from_result(is_result):
    x = draw_float32(500, -5, 3)
    value = activations.elu(x, 1.5, 1.1, 0.5) if is_result else x
    found = activations.elu_backward(torch.ones_like(x), 1.5, 1.1, 0.5, is_result, value)
    wanted = torch.ops.aten.elu_backward(
        torch.ones_like(x).double(), 1.5, 1.1, 0.5, is_result, value.double()
    )
    assert torch.allclose(found.double(), wanted, rtol=1e-7, atol=0)


SPECIAL = torch.tensor([0.0, -0.0, INF, -INF, NAN, -300.0])
LIMITS = {
    "gelu": [0.0, -0.0, INF, -0.0, NAN, -0.0],
    "silu": [0.0, -0.0, INF, -0.0, NAN, -0.0],
    "mish": [0.0, -0.0, INF, -0.0, NAN, -0.0],
    "softplus": [math.log(2), math.log(2), INF, 0.0, NAN, 0.0],
    "elu": [0.0, -0.0, INF, -1.0, NAN, -1.0],
    "relu": [0.0, 0.0, INF, 0.0, NAN, 0.0],
    "hardtanh": [0.0, 0.0, 1.0, -1.0, NAN, -1.0],
    "hardsigmoid": [0.5, 0.5, 1.0, 0.0, NAN, 0.0],
    "hardswish": [0.0, -0.0, INF, -0.0, NAN, -0.0],
    "leaky_relu": [0.0, -0.0, INF, -INF, NAN, -3.0],
}


@pytest.mark.parametrize("name", LIMITS)
def test_special_values_give_the_limits_and_zeros_one_sign(name):
    module = activations if hasattr(activations, name) else piecewise
    assert same_bits(getattr(module, name)(SPECIAL), torch.tensor(LIMITS[name]))
    if name == "softplus":
        return
    written = SPECIAL.clone()
    assert module.REPLACED[f"aten.{name}_.default"](written) is written
    assert same_bits(written, torch.tensor(LIMITS[name]))


@pytest.mark.parametrize("name", [*SLOPES, "hardswish"])
def test_slopes_at_special_values(name):
    module = activations if name in SLOPES else piecewise
    found = getattr(module, f"{name}_backward")(torch.ones(6), SPECIAL)
    middle = 0.6 if name == "mish" else 0.5
    wanted = torch.tensor([middle, middle, 1.0, 0.0, NAN, 0.0])
    assert torch.equal(found.abs().nan_to_num(9.0), wanted.nan_to_num(9.0))


def test_a_maximum_of_zeros_is_plus_zero():
    zeros = torch.tensor([0.0, -0.0, 0.0, -0.0])
    plus = torch.zeros(4)
    assert same_bits(piecewise.maximum(zeros, zeros.flip(0)), plus)
    assert same_bits(piecewise.minimum(zeros, zeros.flip(0)), plus)
    for clamp in (piecewise.clamp_min, piecewise.clamp_max, piecewise.clamp):
        assert same_bits(clamp(zeros, 0.0), plus)
        assert same_bits(clamp(zeros, torch.tensor(0.0)), plus)
    assert torch.equal(piecewise.clamp(torch.tensor([3, -3]), 0, 2), torch.tensor([2, 0]))
