"""Elementary functions from fixed sequences of IEEE additions, multiplications and divisions.

The float64 functions are for those who compute in float64; the others take and return float32,
compute in float64 and round once, so that they are within 1 ulp and nearly always correctly
rounded. Special values are IEEE 754's; a NaN is always 0x7fc00000.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.elementary.constants import LN2, LN10
from cxr.determinism.portable.elementary.elementwise import Kernel, map_float32
from cxr.determinism.portable.elementary.error_functions import erf64, erfinv64
from cxr.determinism.portable.elementary.exponentials import (
    exp64,
    exp_single,
    expm1_64,
    invert,
    sigmoid64,
    sigmoid_single,
    tanh64,
)
from cxr.determinism.portable.elementary.logarithms import log1p_64, log64
from cxr.determinism.portable.elementary.powers import REPLACED as _POWERS
from cxr.determinism.portable.elementary.powers import pow64
from cxr.determinism.portable.elementary.square_roots import rsqrt64, sqrt64

__all__ = [
    "REPLACED",
    "erf",
    "erf64",
    "erfinv",
    "erfinv64",
    "exp",
    "exp2",
    "exp64",
    "expm1",
    "expm1_64",
    "log",
    "log1p",
    "log1p_64",
    "log2",
    "log10",
    "log64",
    "pow64",
    "reciprocal",
    "rsqrt",
    "rsqrt64",
    "sigmoid",
    "sigmoid64",
    "sqrt",
    "sqrt64",
    "tanh",
    "tanh64",
]


def exp(x: torch.Tensor) -> torch.Tensor:
    """Return the exponential, float32."""
    return map_float32(exp_single, x)


def exp2(x: torch.Tensor) -> torch.Tensor:
    """Return 2 to the power of x, float32."""
    return map_float32(lambda block: exp_single(block.clamp_(-200.0, 200.0).mul_(LN2)), x)


def expm1(x: torch.Tensor) -> torch.Tensor:
    """Return the exponential less 1, float32."""
    return map_float32(expm1_64, x)


def log(x: torch.Tensor) -> torch.Tensor:
    """Return ln(x), float32."""
    return map_float32(log64, x)


def log2(x: torch.Tensor) -> torch.Tensor:
    """Return the logarithm to base 2, float32."""
    return map_float32(lambda block: log64(block).div_(_constant(LN2)), x)


def log10(x: torch.Tensor) -> torch.Tensor:
    """Return the logarithm to base 10, float32."""
    return map_float32(lambda block: log64(block).div_(_constant(LN10)), x)


def log1p(x: torch.Tensor) -> torch.Tensor:
    """Return ln(1 + x), float32."""
    return map_float32(log1p_64, x)


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Return 1/(1 + exp(-x)), float32."""
    return map_float32(sigmoid_single, x)


def tanh(x: torch.Tensor) -> torch.Tensor:
    """Return the hyperbolic tangent, float32."""
    return map_float32(tanh64, x)


def erf(x: torch.Tensor) -> torch.Tensor:
    """Return the error function, float32."""
    return map_float32(erf64, x)


def erfinv(x: torch.Tensor) -> torch.Tensor:
    """Return the inverse of erf, float32."""
    return map_float32(erfinv64, x)


def sqrt(x: torch.Tensor) -> torch.Tensor:
    """Return the square root, float32, correctly rounded.

    A root of a 24-bit number lies at least 2^-50 of its size away from any number half-way between
    two of float32, and torch's float64 root, off by 1 ulp in places, is nearer than that.
    """
    return map_float32(torch.Tensor.sqrt_, x)


def rsqrt(x: torch.Tensor) -> torch.Tensor:
    """Return 1/sqrt(x), float32."""
    return map_float32(rsqrt64, x)


def reciprocal(x: torch.Tensor) -> torch.Tensor:
    """Return 1/x, float32, correctly rounded."""
    return map_float32(invert, x)


def _constant(value: float) -> torch.Tensor:
    """Return a float64 tensor to divide by: a division by a number may be a multiplication."""
    return torch.tensor(value, dtype=torch.float64)


_FUNCTIONS: Final[dict[str, Kernel]] = {
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "log": log,
    "log2": log2,
    "log10": log10,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "erf": erf,
    "erfinv": erfinv,
    "sqrt": sqrt,
    "rsqrt": rsqrt,
    "reciprocal": reciprocal,
}


def in_place(function: Kernel) -> Callable[..., torch.Tensor]:
    """Return the form that writes its result over its first argument."""

    def compute(x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        return x.copy_(function(x, *args, **options))

    return compute


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    **{f"aten.{name}.default": function for name, function in _FUNCTIONS.items()},
    **{f"aten.{name}_.default": in_place(function) for name, function in _FUNCTIONS.items()},
    **_POWERS,
}
