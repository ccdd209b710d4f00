"""Resamples of groups, drawn with replacement from the stream of each replicate.

What replicate b takes depends on the root seed, b and the number of groups alone: not on how many
replicates are drawn at once, nor by how many threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.determinism.streams import Key, Stream, derive_key, uint32_matrix
from cxr.determinism.threefry import WORD_MASK

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD_BITS: Final = 32
_CACHED_BLOCKS: Final = 2**14
"""Blocks of streams made at once: what a processor's cache holds."""


def draw_multiplicities(root: int, replicates: range, num_groups: int) -> NDArray[np.int32]:
    """Return how often each replicate takes each group.

    A replicate takes ``num_groups`` groups. Each block of its stream gives two 32-bit words, the
    low one first, and each word one group; words that would favour some groups are replaced, in
    order, by later ones of the stream. So every group is equally likely, exactly.

    Source: Lemire, "Fast random integer generation in an interval", TOMACS 2019.

    Args:
        root: The root seed.
        replicates: Which replicates to draw.
        num_groups: From 1 to 2^32 - 1.

    Returns:
        Shape (len(replicates), num_groups), dtype int32; each row adds up to ``num_groups``.
    """
    counts = np.empty((len(replicates), num_groups), dtype=np.int32)
    size = max(1, _CACHED_BLOCKS // -(-num_groups // 2))
    for start in range(0, len(replicates), size):
        keys = [derive_key(root, "bootstrap", one) for one in replicates[start : start + size]]
        for row, taken in enumerate(_draw_groups(keys, num_groups), start):
            counts[row] = np.bincount(taken, minlength=num_groups)
    return counts


def _draw_groups(keys: Sequence[Key], num_groups: int) -> NDArray[np.int64]:
    """Return the groups that each stream draws. Shape (len(keys), num_groups)."""
    num_blocks = -(-num_groups // 2)
    words = uint32_matrix(keys, num_blocks)[:, :num_groups]
    products = words.astype(np.uint64) * np.uint64(num_groups)
    drawn = (products >> np.uint64(_WORD_BITS)).astype(np.int64)
    threshold = (2**_WORD_BITS - num_groups) % num_groups
    refused = (products & np.uint64(WORD_MASK)) < np.uint64(threshold)
    for row in np.flatnonzero(refused.any(axis=1)).tolist():
        stream = Stream(keys[row], position=num_blocks)
        for place in np.flatnonzero(refused[row]):
            drawn[row, place] = stream.below(num_groups)
    return drawn
