"""Resamples of groups, drawn with replacement from the stream of each replicate.

What replicate b takes depends on the root seed, b and the number of groups alone: not on how many
replicates are drawn at once, nor by how many threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cxr.determinism.streams import Stream, derive_key, uint64_matrix
from cxr.determinism.threefry import WORD_MASK

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD_BITS: Final = 32


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
    keys = [derive_key(root, "bootstrap", replicate) for replicate in replicates]
    num_blocks = -(-num_groups // 2)
    blocks = uint64_matrix(keys, num_blocks)
    words = np.empty((len(keys), 2 * num_blocks), dtype=np.uint64)
    words[:, 0::2] = blocks & np.uint64(WORD_MASK)
    words[:, 1::2] = blocks >> np.uint64(_WORD_BITS)
    products = words[:, :num_groups] * np.uint64(num_groups)
    drawn = (products >> np.uint64(_WORD_BITS)).astype(np.int64)
    threshold = (2**_WORD_BITS - num_groups) % num_groups
    refused = (products & np.uint64(WORD_MASK)) < np.uint64(threshold)
    for row in np.flatnonzero(refused.any(axis=1)).tolist():
        stream = Stream(keys[row], position=num_blocks)
        for place in np.flatnonzero(refused[row]):
            drawn[row, place] = stream.below(num_groups)
    counts = np.empty((len(keys), num_groups), dtype=np.int32)
    for row, taken in enumerate(drawn):
        counts[row] = np.bincount(taken, minlength=num_groups)
    return counts
