"""log and log1p in float64, after fdlibm: x = 2^k (1 + f), with 1 + f from sqrt(1/2) to sqrt(2).

Source: fdlibm, e_log.c and s_log1p.c.
"""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.constants import LN2_HI, LN2_LO, LOG_SERIES
from cxr.determinism.portable.elementary.polynomials import horner

_HALF_ROOT_BITS: Final = 0x3FE6A09E667F3BCD
"""Bits of sqrt(1/2)."""
_MANTISSA_BITS: Final = 52
_LEAST_NORMAL: Final = 2.0**-1022
_SUBNORMAL_SHIFT: Final = 54


def log64(x: torch.Tensor) -> torch.Tensor:
    """Return ln(x), float64, within 1 ulp; -inf at 0, NaN below.

    Args:
        x: float64, of any shape.
    """
    is_small = x < _LEAST_NORMAL
    k, mantissa = _split(torch.where(is_small, x * 2.0**_SUBNORMAL_SHIFT, x))
    k.sub_(is_small.to(torch.float64).mul_(float(_SUBNORMAL_SHIFT)))
    value = _log_of_parts(k, mantissa.sub_(1.0), torch.zeros((), dtype=torch.float64))
    return _set_limits_(value, x, zero_at=x == 0.0, undefined_at=x < 0.0)


def log1p_64(x: torch.Tensor) -> torch.Tensor:
    """Return ln(1 + x), float64, within 2 ulp, small x included; -inf at -1, NaN below.

    Args:
        x: float64, of any shape.
    """
    total = 1.0 + x
    k, mantissa = _split(total)
    # What the sum has lost, over the sum: the first term of ln(1 + lost/sum).
    lost = torch.where(k > 0.0, 1.0 - (total - x), x - (total - 1.0)) / total
    whole = k == 0.0
    fraction = torch.where(whole, x, mantissa.sub_(1.0))
    value = _log_of_parts(k, fraction, lost.masked_fill_(whole, 0.0)).copysign_(x)
    return _set_limits_(value, x, zero_at=x == -1.0, undefined_at=x < -1.0)


def _split(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return k and m, float64, with x = 2^k m and m from sqrt(1/2) to sqrt(2); x is normal."""
    bits = x.view(torch.int64)
    k = (bits - _HALF_ROOT_BITS) >> _MANTISSA_BITS
    mantissa = bits - (k << _MANTISSA_BITS)
    return k.to(torch.float64), mantissa.view(torch.float64)


def _log_of_parts(k: torch.Tensor, f: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Return k ln(2) + ln(1 + f) + lost."""
    half_square = f * f * 0.5
    s = f / (f + 2.0)
    square = s * s
    series = horner(square, LOG_SERIES).mul_(square).add_(half_square).mul_(s)
    low = series.add_(k * LN2_LO + lost)
    return (k * LN2_HI).sub_(half_square.sub_(low).sub_(f))


def _set_limits_(
    value: torch.Tensor, x: torch.Tensor, *, zero_at: torch.Tensor, undefined_at: torch.Tensor
) -> torch.Tensor:
    """Put in what the series does not know: the pole, the side beyond it, infinity and NaN."""
    value.masked_fill_(zero_at, -torch.inf).masked_fill_(undefined_at, torch.nan)
    return torch.where(x < torch.inf, value, torch.where(undefined_at, value, x + 0.0))
