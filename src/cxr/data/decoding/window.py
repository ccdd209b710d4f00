"""Windows: which values become 0 and which 255, where pixels have more than 8 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from cxr.data.decoding.ramp import Ramp

if TYPE_CHECKING:
    from cxr.config.data_section import WindowConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a declared window is found for an image.

    Attributes:
        kind: ``file``: the one that a DICOM file names; ``range``: the same for all images;
            ``percentile``: of each image's own pixels.
        low: Value, or percentile from 0 to 100, that becomes 0; None for ``file``.
        high: Likewise for 255.
    """

    kind: Literal["file", "range", "percentile"]
    low: float | None = None
    high: float | None = None


def derive_window(config: WindowConfig) -> Window | None:
    """Return the window that a config declares, or None; fields that do not act are left out."""
    if config.kind == "none":
        return None
    if config.kind == "file":
        return Window(kind="file")
    return Window(kind=config.kind, low=config.low, high=config.high)


def find_range(window: Window) -> Ramp:
    """Return the ramp of a window of the kind ``range``."""
    return Ramp(low=_read_decimal(window.low), high=_read_decimal(window.high))


def find_percentiles(
    window: Window, values: Sequence[Fraction | int | float], counts: Sequence[int]
) -> Ramp:
    """Return the ramp between two percentiles of an image's own values.

    The percentile p of n pixels is the least value that at least ``p / 100 * n`` of them do not
    exceed: a value of the image itself, never one between two. Percentile 0 is the least value.
    Source: the nearest-rank definition, Hyndman and Fan 1996, sample quantile 1.

    Args:
        window: Of the kind ``percentile``.
        values: The values that occur, ascending, at least one.
        counts: How many pixels have each.
    """
    low, high = (
        _find_rank(_read_decimal(percent), counts) for percent in (window.low, window.high)
    )
    return Ramp(low=Fraction(values[low]), high=Fraction(values[high]))


def _find_rank(percent: Fraction, counts: Sequence[int]) -> int:
    """Return the index of a percentile among values with these counts."""
    rank = max(1, math.ceil(percent * sum(counts) / 100))
    reached = 0
    for index, count in enumerate(counts):
        reached += count
        if reached >= rank:
            return index
    return len(counts) - 1


def _read_decimal(number: float | None) -> Fraction:
    """Return the decimal number that a config says, exactly: 0.1 is a tenth."""
    return Fraction(repr(number))
