"""Numbers of the recipe as float32 constants, rounded in one way for every use."""

from __future__ import annotations

import struct


def round_to_float32(value: float) -> float:
    """Return the float32 nearest to ``value``, the even one of two.

    Raises:
        OverflowError: It is beyond float32's range.
    """
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded
