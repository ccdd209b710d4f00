"""Searching many perceptual hashes for pairs that are close, exactly and without trying all pairs.

By the pigeonhole principle: a hash is cut into `NUM_BANDS` bands. Where two hashes differ in at
most ``2 * NUM_BANDS - 1`` bits, some band of theirs differs in at most one bit, for otherwise there
would be two in each. So pairs are looked for among those hashes alone that agree in a band but for
one bit, and each such pair is then compared in full.

Source: M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing"
(2012), section 2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cxr.data.inspection.likeness import NUM_BITS
from cxr.data.prefetch import prefetch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_BANDS: Final = 14
MAX_DISTANCE: Final = 2 * NUM_BANDS - 1
"""Bits of 256; ``docs/leakage.md`` says what it was chosen by."""

_INDEX_BITS: Final = 32


def find_close_pairs(likenesses: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return every pair of hashes that differ in at most `MAX_DISTANCE` bits.

    Time grows with the number of hashes and of pairs that are close, as long as hashes spread
    over their bands; memory is about 400 bytes a hash.

    Args:
        likenesses: Hashes of `NUM_BITS` bits, at most 2**32 of them.

    Returns:
        Places of two hashes, the lower one first, and their distance in bits; sorted.
    """
    num = len(likenesses)
    if num < 2:  # noqa: PLR2004 - a pair
        return []
    import numpy as np

    content = b"".join(likeness.to_bytes(NUM_BITS // 8, "big") for likeness in likenesses)
    octets = np.frombuffer(content, dtype=np.uint8).reshape(num, NUM_BITS // 8)
    # Each word is a column of its own: most candidates are refused by the first one.
    words = np.ascontiguousarray(octets.view(np.uint64).T)

    def search(start: int) -> NDArray[np.uint64]:
        found = np.empty(0, dtype=np.uint64)
        for low, high in _find_candidates(_cut_band(octets, start)):
            close = _keep_close(words, low, high)
            if close.size:
                found = np.union1d(found, close)
        return found

    # NumPy lets go of the interpreter while it sorts and counts, so all cores search.
    bands = prefetch(search, range(NUM_BANDS), workers=os.cpu_count() or 1)
    found = np.unique(np.concatenate(list(bands)))
    low, high = found >> np.uint64(_INDEX_BITS), found & np.uint64(2**_INDEX_BITS - 1)
    return list(
        zip(low.tolist(), high.tolist(), _count_bits(words, low, high).tolist(), strict=True)
    )


def _cut_band(octets: NDArray[np.uint8], start: int) -> NDArray[np.uint64]:
    """Return one band of each hash as a number: shape (N,).

    Every band takes each fourteenth bit: low frequencies are much alike in all radiographs, and a
    band of these alone would tell few of them apart.
    """
    import numpy as np

    band = np.zeros(len(octets), dtype=np.uint64)
    for place in range(start, NUM_BITS, NUM_BANDS):
        bit = octets[:, place // 8] >> np.uint8(7 - place % 8) & np.uint8(1)
        band = band << np.uint64(1) | bit
    return band


def _find_candidates(
    band: NDArray[np.uint64],
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    """Yield pairs of places, the lower ones and the higher ones, that agree but for one bit.

    Each bit in turn is left out and the rest sorted; what agrees then stands together. Places are
    sorted along as the low bits of the same numbers.
    """
    import numpy as np

    shift = np.uint64(_INDEX_BITS)
    places = np.arange(len(band), dtype=np.uint64)
    for bit in range(-(-NUM_BITS // NUM_BANDS)):
        masked = band & ~np.uint64(1 << bit)
        ordered = np.sort(masked << shift | places)
        keys, order = ordered >> shift, ordered & np.uint64(2**_INDEX_BITS - 1)
        step, starts = 1, np.nonzero(keys[1:] == keys[:-1])[0]
        while starts.size:
            yield order[starts], order[starts + step]
            step += 1
            starts = starts[starts + step < len(keys)]
            starts = starts[keys[starts + step] == keys[starts]]


def _keep_close(
    words: NDArray[np.uint64], low: NDArray[np.uint64], high: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Return the pairs that are close in full, each as one number."""
    import numpy as np

    maybe = np.bitwise_count(words[0][low] ^ words[0][high]) <= MAX_DISTANCE
    low, high = low[maybe], high[maybe]
    close = _count_bits(words, low, high) <= MAX_DISTANCE
    return low[close] << np.uint64(_INDEX_BITS) | high[close]


def _count_bits(
    words: NDArray[np.uint64], low: NDArray[np.uint64], high: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return in how many bits each pair differs: shape (N,), dtype int64."""
    import numpy as np

    counts = np.zeros(len(low), dtype=np.int64)
    for word in words:
        counts += np.bitwise_count(word[low] ^ word[high])
    return counts
