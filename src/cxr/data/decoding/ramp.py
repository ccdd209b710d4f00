"""A straight line from values to 0..255, exact: where each level begins, and then no rounding.

``255 * (value - low) / (high - low)``, rounded half up, reaches the level k where the value
reaches ``low + (2k - 1) / 510 * (high - low)``. Those 255 thresholds are computed as fractions.
Comparing a value with a number is exact on every machine, so the bytes are the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVELS: Final = 256

# No stored value of 32 bits or fewer is outside, so a threshold beyond it is never or always met.
_FAR: Final = 2**40

_BLOCK: Final = 2**20
"""Values whose levels are found at once: 8 MiB of whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Values up to ``low`` become 0, those from ``high`` on become 255.

    Where both are equal it is a step: what is above them becomes 255.

    Attributes:
        low: At most ``high``.
        high: In the same unit.
    """

    low: Fraction
    high: Fraction

    def list_levels(self) -> list[Fraction]:
        """Return where the levels 1 to 255 begin, ascending."""
        width = self.high - self.low
        return [self.low + Fraction(2 * level - 1, 510) * width for level in range(1, LEVELS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale:
    """What stored values stand for: ``slope * stored + intercept``.

    Attributes:
        slope: Not 0.
        intercept: In the unit of the result.
    """

    slope: Fraction = Fraction(1)
    intercept: Fraction = Fraction(0)

    @property
    def is_identity(self) -> bool:
        """Whether values stand for themselves."""
        return self.slope == 1 and self.intercept == 0

    def apply(self, stored: int) -> Fraction:
        """Return what a stored value stands for."""
        return self.slope * stored + self.intercept


def level_integers(
    stored: NDArray[np.integer[Any]], ramp: Ramp, rescale: Rescale
) -> NDArray[np.uint8]:
    """Return the byte of each stored value.

    Args:
        stored: Any shape, a dtype of at most 32 bits.
        ramp: From what values stand for to bytes.
        rescale: From stored values to what they stand for.

    Returns:
        The same shape, dtype uint8.
    """
    import numpy as np

    falls = rescale.slope < 0
    limits = np.array(derive_integer_thresholds(ramp, rescale), dtype=np.int64)

    def level(values: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
        wide = values.astype(np.int64)
        return np.searchsorted(limits, -wide if falls else wide, side="right")

    if stored.dtype.itemsize > 2:  # noqa: PLR2004 - a table of 2**32 entries would be too long
        return _map_blocks(level, stored)
    ends = np.iinfo(stored.dtype)
    table = level(np.arange(int(ends.min), int(ends.max) + 1)).astype(np.uint8)
    return _map_blocks(lambda block: table[block.astype(np.int64) - int(ends.min)], stored)


def derive_integer_thresholds(ramp: Ramp, rescale: Rescale) -> list[int]:
    """Return the least stored value of each level from 1 to 255, ascending.

    Where the slope is negative they are of stored values with the opposite sign, so that they
    ascend as well.
    """
    flat = ramp.low == ramp.high
    thresholds = []
    for begin in ramp.list_levels():
        place = (begin - rescale.intercept) / abs(rescale.slope)
        # A step is passed, not reached: its threshold lies above it.
        least = math.floor(place) + 1 if flat else math.ceil(place)
        thresholds.append(max(-_FAR, min(_FAR, least)))
    return thresholds


def level_floats(values: NDArray[np.floating[Any]], ramp: Ramp) -> NDArray[np.uint8]:
    """Return the byte of each value that is a floating-point number.

    Args:
        values: Any shape, float32 or float64, finite; float32 numbers are float64 numbers too.
        ramp: From values to bytes.

    Returns:
        The same shape, dtype uint8.
    """
    import numpy as np

    flat = ramp.low == ramp.high
    limits = np.array([_round_up(begin, above=flat) for begin in ramp.list_levels()])
    return _map_blocks(
        lambda block: np.searchsorted(limits, block.astype(np.float64), side="right"), values
    )


def _map_blocks(
    level: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the byte of each value, some at a time: levels take eight bytes on the way."""
    import numpy as np

    flat = np.ascontiguousarray(values).reshape(-1)
    found = np.empty(flat.shape, dtype=np.uint8)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = level(flat[block])
    return found.reshape(values.shape)


def _round_up(place: Fraction, *, above: bool) -> float:
    """Return the least float64 that reaches a fraction or, with ``above``, lies above it."""
    nearest = float(place)
    short = Fraction(nearest) < place or (above and Fraction(nearest) == place)
    return math.nextafter(nearest, math.inf) if short else nearest
