"""The exponential and the logarithm that predictions and figures need, by level.

Those of the platform's mathematics library are off in the last bit, here and there, and not
everywhere alike. At the level ``portable`` they are fixed sequences of float64 operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cxr.determinism.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementary:
    """Functions of one float64.

    Attributes:
        exp: e^x.
        log1p: The natural logarithm of 1 + x.
    """

    exp: Callable[[float], float]
    log1p: Callable[[float], float]


PLATFORM: Final = Elementary(exp=math.exp, log1p=math.log1p)
"""As the platform computes them."""


def choose_elementary(level: Level) -> Elementary:
    """Return the functions that a level's promise allows."""
    if level is not Level.PORTABLE:
        return PLATFORM
    from cxr.determinism.portable.elementary.scalar_functions import exp, log1p

    return Elementary(exp=exp, log1p=log1p)
