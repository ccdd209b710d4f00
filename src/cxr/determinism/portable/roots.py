"""Square roots of float64 tensors and their reciprocals, by a fixed sequence of steps.

torch's own square root is not correctly rounded everywhere. Here it gives a first value only, in a
way that is: for a float32 argument the float64 root, rounded to float32, is the right one even if
the last bit of the float64 root is not. Two Newton steps in float64 do the rest.

Error: the first reciprocal is within 2^-23; a step takes an error d to 1.5 d^2, so that two leave
2^-52 from rounding alone, a few units of it.

Source: Markstein, "IA-64 and elementary functions", 2000, section 9.3; Figueroa, "When is double
rounding innocuous?", SIGNUM Newsletter 30 (1995), for the float32 root by way of float64.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

SMALLEST_NORMAL: Final = 2.0**-1022
"""Arguments below it count as 0."""

_MANTISSA_BITS: Final = 52
_BIAS: Final = 1023
_NUM_STEPS: Final = 2


def reciprocal_root(x: Tensor) -> Tensor:
    """Return 1 / sqrt(x).

    Args:
        x: float64, finite, not negative.

    Returns:
        float64, within 4 units in the last place; infinity for 0.
    """
    # x = m 4^h with m in [1, 4): exact, and m is well within float32.
    normal = torch.where(x >= SMALLEST_NORMAL, x, 1.0)
    half = ((normal.view(torch.int64) >> _MANTISSA_BITS) - _BIAS) >> 1
    scale = _power_of_two(-half)
    m = normal * scale * scale
    rounded = m.to(torch.float32).to(torch.float64)
    root = torch.sqrt(rounded).to(torch.float32).to(torch.float64)
    result = torch.ones_like(root) / root
    half_m = m * 0.5
    for _ in range(_NUM_STEPS):
        result = result * (1.5 - half_m * result * result)
    return torch.where(x >= SMALLEST_NORMAL, result * scale, torch.inf)


def root(x: Tensor) -> Tensor:
    """Return sqrt(x), within 5 units in the last place; ``x`` as in `reciprocal_root`."""
    return torch.where(x >= SMALLEST_NORMAL, x * reciprocal_root(x), 0.0)


def _power_of_two(exponent: Tensor) -> Tensor:
    """Return 2^exponent as float64, for int64 exponents from -1022 to 1023."""
    return ((exponent + _BIAS) << _MANTISSA_BITS).view(torch.float64)
