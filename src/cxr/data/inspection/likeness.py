"""A perceptual hash: pictures that look alike have hashes that differ in few bits.

It is the sign of the 256 lowest frequencies of the picture, in a discrete cosine transform of its
32 x 32 means. Of the hashes tried on radiographs, which all look alike, this one keeps copies and
other pictures farthest apart: see ``docs/leakage.md``. The library ``imagehash`` has a near
relative (``phash``); it needs SciPy and PyWavelets, and computes in floating point. Here all is
integer arithmetic, so that a likeness is the same on every machine.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

NUM_BITS: Final = 256
"""Bits of a likeness."""

_SIDE: Final = 32
_COSINE_ONE: Final = 1 << 12
_MIN_RANGE: Final = 8
"""In grey levels of 255; below that, the signs are those of noise."""
_MIN_NUM_WAVES: Final = NUM_BITS // 2
"""A pattern of stripes has few frequencies, and would look like every other such pattern."""


def derive_likeness(grey: Image) -> int | None:
    """Return the perceptual hash of a grey picture.

    Source: the transform is the DCT-II; its low frequencies as a hash are C. Zauner's
    "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1.
    Signs stand for the comparison with the median, which is near zero; 256 bits for 64.

    Args:
        grey: A picture of the mode ``L``, upright.

    Returns:
        `NUM_BITS` bits, the lowest frequency highest: 1 where its coefficient is above zero. None
        for a picture with too little structure to be told from others.
    """
    import numpy as np
    from PIL.Image import Resampling

    small = grey.resize((_SIDE, _SIDE), Resampling.BOX)
    levels: NDArray[np.uint8] = np.frombuffer(small.tobytes(), dtype=np.uint8)
    if np.ptp(levels) < _MIN_RANGE:
        return None
    cosines, order = _prepare_transform()
    cells = levels.reshape(_SIDE, _SIDE).astype(np.float64)
    # Whole numbers far below 2**53: exact, in whatever order they are added.
    waves = (cosines @ cells @ cosines.T).take(order)
    if int(np.count_nonzero(waves)) < _MIN_NUM_WAVES:
        return None
    return int.from_bytes(np.packbits(waves > 0).tobytes(), "big")


@functools.cache
def _prepare_transform() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the DCT-II's matrix in fixed point, and which coefficients count, in their order.

    Returns:
        Cosines, shape (32, 32), dtype float64, whole numbers, one frequency a row; then the
        place of each bit among the coefficients, row after row: shape (256,), dtype int64. The
        mean, which brightness alone changes, is left out.
    """
    import numpy as np

    cosines = [
        [
            round(_COSINE_ONE * math.cos(math.pi * wave * (2 * place + 1) / (2 * _SIDE)))
            for place in range(_SIDE)
        ]
        for wave in range(_SIDE)
    ]
    waves = sorted(
        ((row, column) for row in range(_SIDE) for column in range(_SIDE)),
        key=lambda wave: (sum(wave), wave),
    )
    order = [row * _SIDE + column for row, column in waves[1 : NUM_BITS + 1]]
    return np.array(cosines, dtype=np.float64), np.array(order, dtype=np.int64)
