"""The error function, its inverse, and the normal distribution, in float64."""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.constants import (
    ERF_SMALL,
    ERFC_SCALED,
    HALF_ROOT,
    NORMAL_TAIL,
)
from cxr.determinism.portable.elementary.exponentials import exp64, invert
from cxr.determinism.portable.elementary.polynomials import horner
from cxr.determinism.portable.elementary.quantiles import normal_quantile64

_ERF_IS_ONE: Final = 6.0
"""From here on erf is 1 in float64."""

_NEAR_TAIL: Final = 8.4
"""Up to here `ERFC_SCALED` gives the normal distribution's tail, beyond it `NORMAL_TAIL`."""


def erf64(x: torch.Tensor) -> torch.Tensor:
    """Return erf(x), float64, relative error at most 4e-16.

    Args:
        x: float64, of any shape.
    """
    z = x.abs().clamp_(max=_ERF_IS_ONE)
    small = horner(z * z, ERF_SMALL).mul_(z)
    outside = z.clamp(min=1.0)
    s = invert(outside * 0.375 + 1.0)
    tail = horner(s, ERFC_SCALED).mul_(s).mul_(exp64(outside.square().neg_()))
    return torch.where(z < 1.0, small, 1.0 - tail).copysign_(x)


def erfinv64(y: torch.Tensor) -> torch.Tensor:
    """Return the inverse of erf, float64, relative error at most 2e-15; NaN beyond -1 and 1.

    Args:
        y: float64, of any shape.

    Source: erfinv(y) is the normal distribution's quantile of (1 + y)/2, over sqrt(2).
    """
    return normal_quantile64(y * 0.5).mul_(HALF_ROOT)


def normal_cdf64(x: torch.Tensor) -> torch.Tensor:
    """Return Phi(x), float64, relative error below 6e-15, or 6e-11 from -8.4 down.

    Args:
        x: float64 from -15 on, of any shape.

    Source: Phi(-a) = erfc(a / sqrt(2)) / 2.
    """
    a = x.abs()
    z = (a * HALF_ROOT).clamp_(max=_ERF_IS_ONE)
    central = horner(z * z, ERF_SMALL).mul_(z).mul_(-0.5).add_(0.5)
    s = invert(z.clamp(min=1.0).mul_(0.375).add_(1.0))
    near = horner(s, ERFC_SCALED).mul_(s).mul_(0.5)
    s = invert(a * 0.25 + 1.0)
    far = horner(s, NORMAL_TAIL).mul_(s)
    # The exponent is taken of a itself: z is rounded, and its square magnifies that.
    tail = torch.where(a < _NEAR_TAIL, near, far).mul_(exp64((a * a).mul_(-0.5)))
    tail = torch.where(z < 1.0, central, tail)
    return torch.where(x < 0.0, tail, 1.0 - tail)
