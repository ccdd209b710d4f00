"""Activations made of straight pieces, clamps and maxima: aten's ops.

Which of two zeros a maximum takes, machines do not agree on: results have +0 only. A NaN passes.
Other types than floating point compute natively, where they are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import canonicalise_nan_, map_float32
from cxr.determinism.portable.elementary.functions import in_place
from cxr.determinism.portable.errors import UnsupportedError

_KNEE: Final = 3.0
"""Where the hard functions bend: at -3 and 3."""


def relu(x: torch.Tensor) -> torch.Tensor:
    """Return x above 0, else +0."""
    # A choice by comparison, in one pass; relu itself may keep -0.
    return torch.threshold(x, 0, 0)


def relu_(x: torch.Tensor) -> torch.Tensor:
    """Put +0 in place of what is not above 0."""
    return torch.threshold_(x, 0, 0)


def threshold_backward(grad: torch.Tensor, x: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return the gradient where x is above the threshold, else +0; a choice, so exact."""
    found: torch.Tensor = torch.ops.aten.threshold_backward(grad, x, threshold)
    return found


def clamp(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """Return x within bounds, which are numbers or tensors."""
    return _with_one_zero(torch.clamp(x, low, high))


def clamp_min(x: torch.Tensor, low: Any) -> torch.Tensor:
    """Return x, or the lower bound."""
    return _with_one_zero(torch.clamp_min(x, low))


def clamp_max(x: torch.Tensor, high: Any) -> torch.Tensor:
    """Return x, or the upper bound."""
    return _with_one_zero(torch.clamp_max(x, high))


def maximum(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the greater of two."""
    return _with_one_zero(torch.maximum(x, y))


def minimum(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the lesser of two."""
    return _with_one_zero(torch.minimum(x, y))


def hardtanh(x: torch.Tensor, low: float = -1.0, high: float = 1.0) -> torch.Tensor:
    """Return x within bounds."""
    return clamp(x, low, high)


def hardtanh_backward(grad: torch.Tensor, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Return the gradient strictly between the bounds, else +0; a choice, so exact."""
    found: torch.Tensor = torch.ops.aten.hardtanh_backward(grad, x, low, high)
    return found


def leaky_relu(x: torch.Tensor, slope: float = 0.01) -> torch.Tensor:
    """Return x above 0, else slope x; float32."""
    return map_float32(lambda x: torch.where(x > 0.0, x, x * float(slope)), x)


def leaky_relu_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    slope: float,
    is_result: bool,
) -> torch.Tensor:
    """Return the gradient of `leaky_relu`, float32; its result has its argument's sign.

    Raises:
        UnsupportedError: It has not, for the slope is negative.
    """
    if is_result and slope < 0.0:
        raise UnsupportedError("leaky_relu in place with a negative slope")
    return map_float32(lambda grad, x: torch.where(x > 0.0, grad, grad * float(slope)), grad, x)


def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    """Return (x + 3)/6 between 0 and 1; float32."""
    return map_float32(_hardsigmoid, x)


def hardsigmoid_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return a sixth of the gradient between -3 and 3, else +0; float32."""

    def compute(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return grad.div_(_number(6.0)).masked_fill_(x.abs() >= _KNEE, 0.0)

    return map_float32(compute, grad, x)


def hardswish(x: torch.Tensor) -> torch.Tensor:
    """Return x times `hardsigmoid`; float32, 0 at minus infinity."""
    return map_float32(lambda x: _hardsigmoid(x).mul_(x.clamp_(min=-_KNEE)), x)


def hardswish_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of `hardswish`, float32: 0 up to -3, itself from 3 on."""

    def compute(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        within = x.clamp(-_KNEE, _KNEE)
        slope = within.div_(_number(3.0)).add_(0.5)
        slope = slope.masked_fill_(x >= _KNEE, 1.0).mul_(grad)
        return slope.masked_fill_(x <= -_KNEE, 0.0)

    return map_float32(compute, grad, x)


def _hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    # The sum is exact where it counts, and + 0.0 settles the sign of the clamp's zero.
    return (x + _KNEE).clamp_(0.0, 2.0 * _KNEE).add_(0.0).div_(_number(6.0))


def _number(value: float) -> torch.Tensor:
    """Return a float64 tensor to divide by: a division by a number may be a multiplication."""
    return torch.tensor(value, dtype=torch.float64)


def _with_one_zero(fresh: torch.Tensor) -> torch.Tensor:
    """Make every zero +0 and every NaN 0x7fc00000, in place; integers stay as they are."""
    if not fresh.is_floating_point():
        return fresh
    return canonicalise_nan_(fresh.add_(0.0))


_WITH_IN_PLACE_FORM: Final[dict[str, Callable[..., torch.Tensor]]] = {
    "clamp": clamp,
    "clamp_min": clamp_min,
    "clamp_max": clamp_max,
    "hardtanh": hardtanh,
    "leaky_relu": leaky_relu,
    "hardsigmoid": hardsigmoid,
    "hardswish": hardswish,
}

REPLACED: Final[dict[str, Callable[..., Any]]] = {
    **{f"aten.{name}.default": function for name, function in _WITH_IN_PLACE_FORM.items()},
    **{
        f"aten.{name}_.default": in_place(function)
        for name, function in _WITH_IN_PLACE_FORM.items()
    },
    **{
        f"aten.{name}.Tensor": function
        for name, function in _WITH_IN_PLACE_FORM.items()
        if name.startswith("clamp")
    },
    **{
        f"aten.{name}_.Tensor": in_place(function)
        for name, function in _WITH_IN_PLACE_FORM.items()
        if name.startswith("clamp")
    },
    "aten.relu.default": relu,
    "aten.relu_.default": relu_,
    "aten.threshold_backward.default": threshold_backward,
    "aten.maximum.default": maximum,
    "aten.minimum.default": minimum,
    "aten.hardtanh_backward.default": hardtanh_backward,
    "aten.leaky_relu_backward.default": leaky_relu_backward,
    "aten.hardsigmoid_backward.default": hardsigmoid_backward,
    "aten.hardswish_backward.default": hardswish_backward,
}
