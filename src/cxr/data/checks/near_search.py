"""Searching many perceptual hashes for clusters of close ones, exactly, without trying all pairs.

By the pigeonhole principle: a hash is cut into `NUM_BANDS` bands. Where two hashes differ in at
most ``2 * NUM_BANDS - 1`` bits, some band of theirs differs in at most one bit, for otherwise there
would be two in each. So only hashes that agree in a band but for one bit are compared in full, and
of these only such as no chain of close ones joins already: a thousand frames of one film, all close
to one another, are a cluster after a thousand comparisons and not after half a million.

Source: M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing"
(2012), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cxr.data.inspection.likeness import NUM_BITS
from cxr.data.prefetch import count_workers, prefetch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_BANDS: Final = 14
MAX_DISTANCE: Final = 2 * NUM_BANDS - 1
"""Bits of 256; ``docs/leakage.md`` says what it was chosen by."""

_INDEX_BITS: Final = 32


def pack_words(likenesses: Sequence[int]) -> NDArray[np.uint64]:
    """Return hashes as columns of 64 bits: shape (4, N).

    Each word is a row of its own: most candidates are refused by the first one.

    Args:
        likenesses: Hashes of `NUM_BITS` bits, at most 2**32 of them.
    """
    import numpy as np

    content = b"".join(likeness.to_bytes(NUM_BITS // 8, "big") for likeness in likenesses)
    octets = np.frombuffer(content, dtype=np.uint8).reshape(len(likenesses), NUM_BITS // 8)
    return np.ascontiguousarray(octets.view(np.uint64).T)


def find_clusters(words: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """Return the hashes that have close ones, joined wherever a chain of close ones leads.

    Two hashes are close if they differ in at most `MAX_DISTANCE` bits; two of one cluster need not
    be. Time grows with the number of hashes, however many pairs are close, and with the number of
    pairs that share a band and are not close: few, as long as different pictures spread over their
    bands. Memory is about 400 bytes a hash.

    Args:
        words: See `pack_words`.

    Returns:
        Places of each cluster of two or more, in order; clusters by their first place.
    """
    import numpy as np

    num = words.shape[1]
    octets = np.ascontiguousarray(words.T).view(np.uint8).reshape(num, NUM_BITS // 8)

    def search(start: int) -> NDArray[np.int64]:
        cluster_of = np.arange(num)
        _join_band(words, _cut_band(octets, start), cluster_of)
        return cluster_of

    cluster_of = np.arange(num)
    # NumPy lets go of the interpreter while it sorts and counts, so all cores search.
    for of_band in prefetch(search, range(NUM_BANDS), workers=count_workers()):
        _join(cluster_of, np.arange(num), of_band)
    order = np.argsort(cluster_of, kind="stable")
    starts = np.nonzero(np.diff(cluster_of[order]))[0] + 1
    return [cluster for cluster in np.split(order, starts) if len(cluster) > 1]


def count_bits(
    words: NDArray[np.uint64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return in how many bits each pair of hashes differs: shape (N,), dtype int64."""
    import numpy as np

    counts = np.zeros(len(high), dtype=np.int64)
    for word in words:
        counts += np.bitwise_count(word[low] ^ word[high])
    return counts


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


def _join_band(
    words: NDArray[np.uint64], band: NDArray[np.uint64], cluster_of: NDArray[np.int64]
) -> None:
    """Join close hashes that agree in a band but for one bit.

    Each bit in turn is left out and the rest sorted; what agrees then stands together. Places are
    sorted along as the low bits of the same numbers.
    """
    import numpy as np

    shift = np.uint64(_INDEX_BITS)
    places = np.arange(len(band), dtype=np.uint64)
    for bit in range(-(-NUM_BITS // NUM_BANDS)):
        masked = band & ~np.uint64(1 << bit)
        ordered = np.sort(masked << shift | places)
        keys = ordered >> shift
        order = (ordered & np.uint64(2**_INDEX_BITS - 1)).astype(np.int64)
        edges = np.nonzero(keys[1:] != keys[:-1])[0] + 1
        starts, ends = np.append(0, edges), np.append(edges, len(keys))
        _join_runs(words, order, (starts, ends), cluster_of)


def _join_runs(
    words: NDArray[np.uint64],
    order: NDArray[np.int64],
    runs: tuple[NDArray[np.int64], NDArray[np.int64]],
    cluster_of: NDArray[np.int64],
) -> None:
    """Compare the first of each run with the rest of it, then the second, and so on.

    A run ends as soon as all that is left of it is in one cluster.

    Args:
        words: See `pack_words`.
        order: Places of hashes, run after run.
        runs: Where each run starts in ``order``, and where it ends.
        cluster_of: The first place of each hash's cluster; is changed.
    """
    import numpy as np

    starts, ends = runs
    while True:
        long = ends - starts > 1
        starts, ends = starts[long], ends[long]
        if not starts.size:
            return
        nums = ends - starts
        offsets = np.cumsum(nums) - nums
        members = order[np.arange(int(nums.sum())) + np.repeat(starts - offsets, nums)]
        clusters = cluster_of[members]
        apart = np.maximum.reduceat(clusters, offsets) != np.minimum.reduceat(clusters, offsets)
        low = np.repeat(order[starts], nums)
        differ = clusters != cluster_of[low]
        low, high = low[differ], members[differ]
        maybe = np.bitwise_count(words[0][low] ^ words[0][high]) <= MAX_DISTANCE
        low, high = low[maybe], high[maybe]
        close = count_bits(words, low, high) <= MAX_DISTANCE
        _join(cluster_of, low[close], high[close])
        starts, ends = starts[apart] + 1, ends[apart]


def _join(cluster_of: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
    """Make one of the two clusters of each pair; ``cluster_of`` is changed."""
    import numpy as np

    while True:
        one, other = cluster_of[low], cluster_of[high]
        differ = one != other
        if not differ.any():
            return
        low, high, one, other = low[differ], high[differ], one[differ], other[differ]
        np.minimum.at(cluster_of, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further := cluster_of[cluster_of], cluster_of):
            cluster_of[:] = further
