"""The error function, its inverse, and the tail of the normal distribution, in float64."""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.constants import (
    ERF_SMALL,
    ERFC_SCALED,
    HALF_ROOT,
    NORMAL_TAIL,
)
from cxr.determinism.portable.elementary.exponentials import exp64, exp_single, invert
from cxr.determinism.portable.elementary.polynomials import horner
from cxr.determinism.portable.elementary.quantiles import normal_quantile64

_ERF_IS_ONE: Final = 6.0
"""From here on erf is 1 in float64."""

TAIL_LIMIT: Final = 15.0
"""From here on a tail of the normal distribution, times its argument, is 0 in float32."""


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


def normal_tail_single(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exp(-a^2/2) and Phi(-a) over it, each with a relative error below 2^-33.

    Args:
        a: float64, from 0 to `TAIL_LIMIT`; left as it is.
    """
    s = invert((a * 0.25).add_(1.0))
    ratio = horner(s, NORMAL_TAIL).mul_(s)
    return exp_single((a * a).mul_(-0.5)), ratio
