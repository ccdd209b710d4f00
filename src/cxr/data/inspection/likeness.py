"""A perceptual hash: pictures that look alike have hashes that differ in few bits.

The difference hash of 16 x 16 bits: whether brightness rises from each cell of a coarse grid to
the next one on its right. It is taken of a mean over areas, in Pillow's integer arithmetic, so it
is the same on every machine. The library ``imagehash`` has the same hash; it also brings SciPy and
PyWavelets, 40 MB that nothing else here needs to verify a data set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE: Final = 16
NUM_BITS: Final = SIDE * SIDE
"""Bits of a likeness."""


def derive_likeness(grey: Image) -> int:
    """Return the difference hash of a grey picture.

    Source: N. Krawetz, "Kind of Like That" (2013), who calls it dHash.

    Args:
        grey: A picture of the mode ``L``, upright.

    Returns:
        `NUM_BITS` bits, row by row, the first one highest: 1 where a cell is brighter than the one
        on its left. The likeness of a constant picture is 0.
    """
    from PIL.Image import Resampling

    cells = grey.resize((SIDE + 1, SIDE), Resampling.BOX).tobytes()
    likeness = 0
    for row in range(SIDE):
        start = row * (SIDE + 1)
        for left in range(start, start + SIDE):
            likeness = likeness << 1 | (cells[left + 1] > cells[left])
    return likeness
