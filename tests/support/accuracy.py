"""How far results are from values that were computed with many digits."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import torch

from cxr.determinism.threefry import threefry2x32

mpmath.mp.prec = 200
LEAST_NORMAL = {torch.float32: 2.0**-126, torch.float64: 2.0**-1022}
DIGITS = {torch.float32: 24, torch.float64: 53}


def draw_binades(num: int, low: int, high: int, *, seed: int = 1) -> torch.Tensor:
    """Return float64 of either sign with random bits, exponents from ``low`` to below ``high``."""
    counter = torch.arange(num, dtype=torch.int64)
    left, right = threefry2x32((seed, 5), (counter, torch.zeros_like(counter)))
    exponent = (left >> 1) % (high - low) + low
    bits = ((left & 1) << 63) | ((exponent + 1023) << 52) | ((right << 20) ^ (left & 0xFFFFF))
    return bits.view(torch.float64)


def draw_float32(num: int, low: int, high: int, *, seed: int = 2) -> torch.Tensor:
    """Return float32 of either sign with random bits, as `draw_binades`."""
    return draw_binades(num, low, high, seed=seed).float()


def find_worst_ulps(
    found: torch.Tensor, exact: Callable[..., mpmath.mpf], *arguments: torch.Tensor
) -> float:
    """Return the greatest error, in units of the exact value's last place.

    Args:
        found: Results, float32 or float64.
        exact: The function, of numbers of many digits.
        arguments: What the results are of.
    """
    rows = zip(found.tolist(), *(tensor.tolist() for tensor in arguments), strict=True)
    most = torch.finfo(found.dtype).max
    worst = 0.0
    for value, *sides in rows:
        wanted = exact(*map(mpmath.mpf, sides))
        if abs(wanted) > most and math.isinf(value) and (value > 0) == (wanted > 0):
            continue
        assert math.isfinite(value), (value, sides)
        size = max(abs(wanted), LEAST_NORMAL[found.dtype])
        unit = mpmath.ldexp(1, int(mpmath.floor(mpmath.log(size, 2))) + 1 - DIGITS[found.dtype])
        worst = max(worst, float(abs(mpmath.mpf(value) - wanted) / unit))
    return worst


def same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Say whether two float32 tensors agree in every bit, the sign of 0 and NaN's bits included."""
    return torch.equal(left.contiguous().view(torch.int32), right.contiguous().view(torch.int32))
