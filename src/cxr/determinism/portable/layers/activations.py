"""Smooth activation functions and their derivatives: aten's ops, float32 in and out.

Each is computed in float64 and rounded once. A value is within 1 ulp. A derivative is within 1 ulp
or 2^-32 of the gradient, whichever is more: the latter counts where a derivative crosses 0 alone.
Infinite arguments give the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.elementwise import map_float32
from cxr.determinism.portable.elementary.exponentials import (
    exp64,
    exp_single,
    expm1_64,
    invert,
    sigmoid_single,
)
from cxr.determinism.portable.elementary.functions import in_place
from cxr.determinism.portable.elementary.logarithms import log1p_64
from cxr.determinism.portable.elementary.normal_table import LOWEST, gelu_slope, normal_cdf
from cxr.determinism.portable.errors import UnsupportedError

_FLAT: Final = 200.0
"""Beyond it the logistic function is 0 or 1 in float32, and so is its product with x."""

_MISH_FLAT: Final = 40.0
"""Beyond it mish is x in float32."""

_GELU_CUBIC: Final = 0.044715
_GELU_SCALE: Final = 1.5957691216057308
"""2 sqrt(2/pi)."""
_GELU_TANH_FLAT: Final = 20.0
"""Beyond it the approximate gelu is 0 or x in float32."""


def gelu(x: torch.Tensor, *, approximate: str = "none") -> torch.Tensor:
    """Return x Phi(x), float32, with Phi the normal distribution or its ``tanh`` approximation."""
    if _is_exact(approximate):
        return map_float32(_gelu, x, widen=False)
    return map_float32(_gelu_tanh, x)


def gelu_backward(
    grad: torch.Tensor, x: torch.Tensor, *, approximate: str = "none"
) -> torch.Tensor:
    """Return the gradient of `gelu`, float32."""
    if _is_exact(approximate):
        return map_float32(_gelu_backward, grad, x, widen=False)
    return map_float32(_gelu_tanh_backward, grad, x)


def silu(x: torch.Tensor) -> torch.Tensor:
    """Return x/(1 + exp(-x)), float32."""
    return map_float32(_silu, x)


def silu_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of `silu`, float32."""
    return map_float32(_silu_backward, grad, x)


def mish(x: torch.Tensor) -> torch.Tensor:
    """Return x tanh(ln(1 + exp(x))), float32."""

    def compute(x: torch.Tensor) -> torch.Tensor:
        n, _ = _mish_parts(x)
        # Times x last: at minus infinity the limit is -0, which x = -200 gives.
        return x.clamp_(min=-_FLAT).mul_(n / (n + 2.0))

    return map_float32(compute, x)


def mish_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of `mish`, float32."""

    def compute(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        n, power = _mish_parts(x)
        whole = n + 2.0
        slope = (power + 1.0).mul_(power).mul_(4.0).div_(whole * whole)
        return slope.mul_(x.clamp_(-_FLAT, _MISH_FLAT)).add_(n.div_(whole)).mul_(grad)

    return map_float32(compute, grad, x)


def softplus(x: torch.Tensor, beta: float = 1.0, threshold: float = 20.0) -> torch.Tensor:
    """Return ln(1 + exp(beta x))/beta, or x where beta x passes the threshold; float32."""
    divisor = torch.tensor(float(beta), dtype=torch.float64)

    def compute(x: torch.Tensor) -> torch.Tensor:
        z = x * float(beta)
        smooth = log1p_64(exp_single(z.abs().neg_())).add_(z.clamp(min=0.0)).div_(divisor)
        return torch.where(z > float(threshold), x, smooth)

    return map_float32(compute, x)


def softplus_backward(
    grad: torch.Tensor, x: torch.Tensor, beta: float, threshold: float
) -> torch.Tensor:
    """Return the gradient of `softplus`, float32."""

    def compute(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        z = x.mul_(float(beta))
        return torch.where(z > float(threshold), grad, grad * sigmoid_single(z.clone()))

    return map_float32(compute, grad, x)


def log_sigmoid_forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ln(1/(1 + exp(-x))), float32, and an empty buffer: the backward needs none."""

    def compute(x: torch.Tensor) -> torch.Tensor:
        low = x.clamp(max=0.0)
        return low.sub_(log1p_64(exp_single(x.abs_().neg_())))

    return map_float32(compute, x), x.new_empty(0)


def log_sigmoid_backward(grad: torch.Tensor, x: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    """Return the gradient of `log_sigmoid_forward`, float32."""
    del buffer
    return map_float32(lambda grad, x: sigmoid_single(x.neg_()).mul_(grad), grad, x)


def sigmoid_backward(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return grad y (1 - y), float32, from the logistic function's value y."""
    return map_float32(lambda grad, y: (1.0 - y).mul_(y).mul_(grad), grad, y)


def tanh_backward(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return grad (1 - y^2), float32, from the hyperbolic tangent's value y."""
    return map_float32(lambda grad, y: (1.0 - y * y).mul_(grad), grad, y)


def elu(
    x: torch.Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> torch.Tensor:
    """Return scale x above 0, else scale alpha (exp(input_scale x) - 1); float32."""

    def compute(x: torch.Tensor) -> torch.Tensor:
        below = expm1_64(x * float(input_scale)).mul_(float(alpha * scale))
        return torch.where(x > 0.0, x * float(scale), below)

    return map_float32(compute, x)


def elu_backward(
    grad: torch.Tensor,
    alpha: float,
    scale: float,
    input_scale: float,
    is_result: bool,
    value: torch.Tensor,
) -> torch.Tensor:
    """Return the gradient of `elu`, float32, from its argument or from its result.

    Raises:
        UnsupportedError: The result does not tell the argument's sign, for alpha is negative.
    """
    if is_result and alpha < 0.0:
        raise UnsupportedError("elu in place with a negative alpha")
    factor = float(alpha * scale)

    def compute(grad: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        power = value + factor if is_result else exp64(value * float(input_scale)).mul_(factor)
        below = power.mul_(float(input_scale)).mul_(grad)
        return torch.where(value > 0.0, grad * float(scale), below)

    return map_float32(compute, grad, value)


def celu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """Return x above 0, else alpha (exp(x/alpha) - 1); float32."""
    return elu(x, alpha, 1.0, 1.0 / float(alpha))


def _gelu(x: torch.Tensor) -> torch.Tensor:
    """Return x Phi(x), from float32: times x last, so that the sign of a zero is that of x."""
    # Below the table's start the limit is -0, which its first entry times that start rounds to.
    return normal_cdf(x).mul_(x.clamp(min=LOWEST).double())


def _gelu_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return grad (Phi(x) + x phi(x)), from float32."""
    return gelu_slope(x).mul_(grad.double())


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """Return x/(1 + exp(-v)), which is x (1 + tanh(v/2))/2, with v = 2 sqrt(2/pi) (x + c x^3)."""
    x.clamp_(min=-_GELU_TANH_FLAT)
    bounded = x.clamp(max=_GELU_TANH_FLAT)
    v = (bounded * bounded).mul_(_GELU_CUBIC).add_(1.0).mul_(bounded).mul_(-_GELU_SCALE)
    return x.div_(exp_single(v).add_(1.0))


def _gelu_tanh_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return grad s (1 + x (1 - s) v'), with s = 1/(1 + exp(-v)) and 1 - s = exp(-v) s."""
    x.clamp_(-_GELU_TANH_FLAT, _GELU_TANH_FLAT)
    square = x * x
    v = (square * _GELU_CUBIC).add_(1.0).mul_(x).mul_(-_GELU_SCALE)
    slope = square.mul_(3.0 * _GELU_CUBIC).add_(1.0).mul_(_GELU_SCALE)
    power = exp_single(v)
    s = invert(power + 1.0)
    return power.mul_(s).mul_(slope).mul_(x).add_(1.0).mul_(s).mul_(grad)


def _silu(x: torch.Tensor) -> torch.Tensor:
    """Return x/(1 + exp(-x))."""
    x.clamp_(min=-_FLAT)
    return x.div_(exp_single(x.neg()).add_(1.0))


def _silu_backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return grad s (1 + x (1 - s)), with s = 1/(1 + exp(-x)) and 1 - s = exp(-x) s."""
    x.clamp_(-_FLAT, _FLAT)
    power = exp_single(x.neg())
    s = invert(power + 1.0)
    return power.mul_(s).mul_(x).add_(1.0).mul_(s).mul_(grad)


def _mish_parts(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n and exp(x), with tanh(ln(1 + exp(x))) = n/(n + 2)."""
    power = exp_single(x.clamp(max=_MISH_FLAT))
    return (power + 2.0).mul_(power), power


def _is_exact(approximate: str) -> bool:
    """Say which gelu is asked for: that of the distribution, or that of ``tanh``."""
    if approximate not in {"none", "tanh"}:
        raise UnsupportedError(f"gelu with approximate={approximate!r}")
    return approximate == "none"


_WITH_IN_PLACE_FORM: Final[dict[str, Callable[..., torch.Tensor]]] = {
    "gelu": gelu,
    "silu": silu,
    "mish": mish,
    "elu": elu,
    "celu": celu,
}

REPLACED: Final[dict[str, Callable[..., Any]]] = {
    **{f"aten.{name}.default": function for name, function in _WITH_IN_PLACE_FORM.items()},
    **{
        f"aten.{name}_.default": in_place(function)
        for name, function in _WITH_IN_PLACE_FORM.items()
    },
    "aten.gelu_backward.default": gelu_backward,
    "aten.silu_backward.default": silu_backward,
    "aten.mish_backward.default": mish_backward,
    "aten.softplus.default": softplus,
    "aten.softplus_backward.default": softplus_backward,
    "aten.log_sigmoid_forward.default": log_sigmoid_forward,
    "aten.log_sigmoid_backward.default": log_sigmoid_backward,
    "aten.sigmoid_backward.default": sigmoid_backward,
    "aten.tanh_backward.default": tanh_backward,
    "aten.elu_backward.default": elu_backward,
}
