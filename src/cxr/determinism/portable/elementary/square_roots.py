"""The square root in float64, rounded as IEEE 754 asks, and its reciprocal.

torch's own is 1 ulp off in places on machines with MKL. Its result is improved by Newton's step,
which leaves less than 1 ulp, and then moved by the sign of an exact residual.
"""

from __future__ import annotations

from typing import Final

import torch

from cxr.determinism.portable.elementary.exponentials import invert

_BIAS: Final = 1023
_MANTISSA_BITS: Final = 52
_LEAST_NORMAL: Final = 2.0**-1022
_SUBNORMAL_SHIFT: Final = 54
_ULP: Final = 2.0**-52
_SPLITTER: Final = 2.0**27 + 1.0


def sqrt64(x: torch.Tensor) -> torch.Tensor:
    """Return the square root, float64, correctly rounded; NaN below 0, -0 at -0.

    Args:
        x: float64, of any shape.
    """
    is_small = x < _LEAST_NORMAL
    bits = torch.where(is_small, x * 2.0**_SUBNORMAL_SHIFT, x).view(torch.int64)
    # x = 4^half m with 1 <= m < 4; the root of m lies in [1, 2], that of 4^half is exact.
    half = ((bits >> _MANTISSA_BITS) - _BIAS) >> 1
    mantissa = (bits - (half << (_MANTISSA_BITS + 1))).view(torch.float64)
    half.sub_(is_small.to(torch.int64).mul_(_SUBNORMAL_SHIFT // 2))
    root = _root_of_mantissa(mantissa)
    root.view(torch.int64).add_(half << _MANTISSA_BITS)
    is_positive = (x > 0.0) & (x < torch.inf)
    return torch.where(is_positive, root, x.masked_fill(x < 0.0, torch.nan))


def rsqrt64(x: torch.Tensor) -> torch.Tensor:
    """Return 1/sqrt(x), float64, within 1.5 ulp; infinite at 0 with its sign, NaN below.

    Args:
        x: float64, of any shape.
    """
    return invert(sqrt64(x))


def _root_of_mantissa(m: torch.Tensor) -> torch.Tensor:
    """Return the correctly rounded root of 1 <= m < 4.

    Any first value with 26 right bits will do: Newton's step leaves y within 1 ulp, u = 2^-52. The
    root exceeds y + u/2 just when m - y^2 > y u + u^2/4. Both m - y^2 and y u are multiples of u^2,
    so this says m - y^2 > y u; likewise the root lies below y - u/2 when m - y^2 <= -y u. As far
    as 2^-51, beyond which no y u lies, m - y^2 is computed without error: y^2 is split in two by
    Dekker's product, and what is left has at most 53 bits.

    Source: Dekker, "A floating-point technique for extending the available precision", 1971.
    """
    y = torch.sqrt(m)
    y = (y + m / y).mul_(0.5)
    scaled = y * _SPLITTER
    high = scaled - (scaled - y)
    low = y - high
    square = y * y
    error = (high * high - square).add_(high * low * 2.0).add_(low * low)
    residual = (m - square).sub_(error)
    limit = y * _ULP
    up = (residual > limit).to(torch.float64)
    down = (residual <= -limit).to(torch.float64)
    return y.add_(up.sub_(down).mul_(_ULP))
