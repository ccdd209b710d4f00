"""The axes of a chart: what they span, and where their ticks stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_STEPS: Final = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        label: What it measures, with the unit.
        low: The value at its beginning.
        high: The value at its end, which is larger.
        ticks: Values with a tick, and their texts.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        """Return where a value stands: 0 at the beginning, 1 at the end."""
        return (value - self.low) / (self.high - self.low)


def make_share_axis(label: str) -> Axis:
    """Return an axis from 0 to 1."""
    ticks = [(place / 5, f"{place / 5:.1f}") for place in range(6)]
    return Axis(label=label, low=0.0, high=1.0, ticks=ticks)


def make_axis(
    label: str, values: Sequence[float], *, most_ticks: int = 6, is_share: bool = False
) -> Axis:
    """Return an axis that holds all values, and begins and ends at round ones.

    Args:
        label: What it measures, with the unit.
        values: Finite ones; without any, the axis spans 0 to 1.
        most_ticks: How many ticks there may be, about.
        is_share: Whether what it measures lies between 0 and 1: the room around a single value
            then does as well.
    """
    if not values:
        return make_share_axis(label)
    least, most = Decimal(repr(float(min(values)))), Decimal(repr(float(max(values))))
    if least == most:
        around = abs(least) / 2 or Decimal(1)
        low, high = least - around, most + around
        if is_share and 0 <= least <= 1:
            low, high = max(low, Decimal(0)), min(high, Decimal(1))
        least, most = low, high
    step = _choose_step((most - least) / (most_ticks - 1))
    first = math.floor(least / step)
    last = max(math.ceil(most / step), first + 1)
    ticks = [step * place for place in range(first, last + 1)]
    return Axis(
        label=label,
        low=float(ticks[0]),
        high=float(ticks[-1]),
        ticks=[(float(tick), _format(tick)) for tick in ticks],
    )


def make_count_axis(label: str, least: int, most: int, *, most_ticks: int = 8) -> Axis:
    """Return an axis of whole numbers that spans exactly these, with half of one on both sides."""
    span = max(most - least, 1)
    step = max(int(_choose_step(Decimal(span) / most_ticks).to_integral_value("ROUND_CEILING")), 1)
    ticks = [(float(value), str(value)) for value in range(least, most + 1, step)]
    return Axis(label=label, low=least - 0.5, high=most + 0.5, ticks=ticks)


def _choose_step(least: Decimal) -> Decimal:
    """Return the first of 1, 2, 5, 10, 20, 50… (and their tenths) that is as large."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * step for step in _STEPS if power * step >= least)


def _format(tick: Decimal) -> str:
    """Return a tick's text: plainly where that is short, else with a power of ten."""
    plain = tick.normalize()
    if plain == 0:
        return "0"
    exponent = plain.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent >= -4 and abs(plain) < 10**5  # noqa: PLR2004
    # With all of its digits: a tick is round, and no two have one text.
    return f"{plain:f}" if is_short else f"{plain:.{len(plain.as_tuple().digits)}g}".lower()
