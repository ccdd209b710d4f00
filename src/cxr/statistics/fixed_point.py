"""Numbers as whole multiples of a power of two, so that every sum of them is exact.

A sum of whole numbers whose magnitudes add up to less than 2^53 is exact in float64 in every order,
with or without fused multiplication. So a matrix product of them has the same bits from every
library, on every machine and for every number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_BITS: Final = 53
"""Whole numbers below 2 to this are exact in float64."""


def choose_fraction_bits(largest: float, num_terms: int) -> int:
    """Return how many bits after the binary point leave a sum exact; negative where it is large.

    Args:
        largest: No term is greater in magnitude.
        num_terms: No sum has more terms.
    """
    _, exponent = np.frexp(largest)
    return EXACT_BITS - 1 - max(int(exponent), 0) - num_terms.bit_length()


def round_to_fraction(values: NDArray[np.float64], fraction_bits: int) -> NDArray[np.float64]:
    """Return ``values`` times 2^fraction_bits, rounded to whole numbers, ties to even.

    Each is off by at most 2^-(fraction_bits + 1) of what it stands for.
    """
    return np.rint(np.ldexp(values, fraction_bits))
