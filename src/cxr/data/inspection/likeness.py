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

_GAP: Final = 8.0
"""Pixels a cell has at least after the cheaper, first half of the reduction."""


def derive_likeness(grey: Image) -> int:
    """Return the difference hash of a grey picture.

    Source: N. Krawetz, "Kind of Like That" (2013), who calls it dHash.

    Args:
        grey: A picture of the mode ``L``, upright.

    Returns:
        `NUM_BITS` bits, row by row, the first one highest: 1 where a cell is brighter than the one
        on its left. The likeness of a constant picture is 0.
    """
    import numpy as np
    from PIL.Image import Resampling

    cells = np.asarray(grey.resize((SIDE + 1, SIDE), Resampling.BOX, reducing_gap=_GAP))
    rises = cells[:, 1:] > cells[:, :-1]
    return int.from_bytes(np.packbits(rises).tobytes(), "big")
