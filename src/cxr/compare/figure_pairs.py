"""Figures of two records side by side."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Final

Figures = Mapping[str, float | None]
FigurePairs = dict[str, dict[str, float | None]]
"""By name: ``a``, ``b``, and the ``difference``, b - a; None for what is undefined."""

_LARGEST: Final = sys.float_info.max


def pair_figures(a: Figures, b: Figures, names: Iterable[str]) -> FigurePairs:
    """Put figures side by side.

    A difference of finite figures that no float64 holds is the largest that one does: JSON has no
    infinity.

    Args:
        a: Figures of the first record.
        b: Those of the second.
        names: Which, in the order of the answer; one that a record lacks is undefined there.
    """
    return {name: _pair(a.get(name), b.get(name)) for name in names}


def _pair(a: float | None, b: float | None) -> dict[str, float | None]:
    gap = b - a if a is not None and b is not None else None
    if gap is not None and math.isinf(gap):
        gap = math.copysign(_LARGEST, gap)
    return {"a": a, "b": b, "difference": gap}
