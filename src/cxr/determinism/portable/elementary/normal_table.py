"""The normal distribution of float32 numbers: a table, and Taylor's series from its nearest place.

The table stands at the multiples p of 2^-10 from -15 to 7. With d = x - p, at most 2^-11,

    Phi(x) = Phi(p) + phi(p) d (1 - w/2 + w^2/6), w = p d,

and the slope of x Phi(x) is a cubic in d with coefficients of its own at each p. Reading the
table is exact, and costs what three additions cost; one long polynomial takes three times as long.

Beyond either end x counts as that end, where Phi is 0, or 1, as far as float32 can tell.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import torch

from cxr.determinism.portable.elementary.constants import NORMAL_DENSITY
from cxr.determinism.portable.elementary.error_functions import normal_cdf64
from cxr.determinism.portable.elementary.exponentials import exp64
from cxr.determinism.portable.elementary.scalars import round_to_float32

LOWEST: Final = -15.0
"""Here the tail, times 15, is 5.5e-50, which float32 rounds to 0."""

_HIGHEST: Final = 7.0
"""Here 1 - Phi is 1.3e-12 and x phi 6.4e-11, of which float32 has nothing left beside 1."""

_PLACES: Final = 2**10
"""Places of the table in a unit."""

_ROUNDING: Final = 1.5 * 2.0**23 / _PLACES
"""Added to a float32 it leaves a multiple of 2^-10, and its number in the low bits."""

_SIXTH: Final = round_to_float32(1.0 / 6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NormalTable:
    """Values at the places, each of shape (22,529,), float64.

    Args:
        cdf: Phi(p); relative error below 2e-15, or 6e-11 from -8.4 down.
        density: phi(p).
        slope: Phi(p) + p phi(p) and its first three derivatives, over 1, 1, 2 and 6.
        first_bits: The bits, as int32, of the first place plus `_ROUNDING`.
    """

    cdf: torch.Tensor
    density: torch.Tensor
    slope: tuple[torch.Tensor, ...]
    first_bits: int


def normal_cdf(x: torch.Tensor) -> torch.Tensor:
    """Return Phi(x), float64, relative error at most 5e-10.

    Left out are phi d^3/6 and phi d w^3/24: relative to Phi 4.2e-10 at -15, 1e-10 at -4. The
    bracket is off by 2^-22 of its last two terms, which adds 5e-12.

    Args:
        x: float32, of any shape with one dimension; left as it is.
    """
    table = _build_table()
    index, place, d = _find_places(x, table)
    w = place.mul_(d)
    bend = (w * _SIXTH).sub_(0.5).mul_(w)
    wide = d.double()
    step = torch.index_select(table.density, 0, index).mul_(wide)
    value = torch.index_select(table.cdf, 0, index)
    # The step is small beside the value, the bend beside the step: the bend may be float32.
    return value.add_(wide.copy_(bend).mul_(step).add_(step))


def gelu_slope(x: torch.Tensor) -> torch.Tensor:
    """Return Phi(x) + x phi(x), float64, absolute error below 1e-13; below -4 also 2e-10 of it.

    Args:
        x: float32, of any shape with one dimension; left as it is.
    """
    table = _build_table()
    index, _, d = _find_places(x, table)
    wide = d.double()
    *lower, last = table.slope
    value = torch.index_select(last, 0, index)
    coefficient = torch.empty_like(value)
    for column in reversed(lower):
        torch.index_select(column, 0, index, out=coefficient)
        value.mul_(wide).add_(coefficient)
    return value


def _find_places(
    x: torch.Tensor, table: _NormalTable
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return each number's row of the table, int32, its place there and what is left, float32.

    All of it is exact: the sum is rounded to a multiple of 2^-10, and x and that multiple are so
    close together that their difference is a float32. A NaN gets some row, and leaves a NaN.
    """
    bounded = x.clamp(LOWEST, _HIGHEST)
    place = bounded + _ROUNDING
    index = place.view(torch.int32) - table.first_bits
    place.sub_(_ROUNDING)
    return index.clamp_(0, len(table.cdf) - 1), place, bounded.sub_(place)


@functools.cache
def _build_table() -> _NormalTable:
    """Compute the table, once a process: 22,529 places, 1.1 MB."""
    num = round((_HIGHEST - LOWEST) * _PLACES) + 1
    p = torch.arange(num).to(torch.float64).mul_(1.0 / _PLACES).add_(LOWEST)
    square = p * p
    cdf = normal_cdf64(p)
    density = exp64(square * -0.5).mul_(NORMAL_DENSITY)
    slope = (
        cdf + p * density,
        density * (2.0 - square),
        density * p * (square - 4.0) * 0.5,
        density * ((7.0 - square) * square - 4.0) * (1.0 / 6.0),
    )
    first = torch.tensor(LOWEST + _ROUNDING, dtype=torch.float32)
    bits = int(first.view(torch.int32))
    return _NormalTable(cdf=cdf, density=density, slope=slope, first_bits=bits)
