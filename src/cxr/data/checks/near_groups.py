"""Telling a cluster of pictures as few groups, each around one of them, and losing nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cxr.data.checks.near_search import MAX_DISTANCE, count_bits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def gather_groups(
    words: NDArray[np.uint64],
    cluster: NDArray[np.int64],
    traits: tuple[NDArray[np.int64], ...],
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield groups of pictures that are all near the first one in the group.

    A picture is *told* once it is in a group; it is told for a trait, as its split, once it is in
    a group that has several values of it. Pictures are taken in order. One that is not told yet
    looks for all that are near; one that is told, but not for a trait, looks for those near that
    differ from it in this trait. The group has those that are not told yet, or not for a trait in
    which they differ from the first one, and of the rest the first alone.

    So every picture that has a near one is told, and every picture that has a near one of another
    value is told for that trait; but not each pair of near pictures is in a group together.
    No picture makes a group larger more than once for each reason, so all groups together are not
    larger than a few times the cluster, even where all its pairs are near.

    Args:
        words: See `pack_words`.
        cluster: Places of pictures, one of `find_clusters`.
        traits: Values of each place, shape (N,); those of two places that differ count as several.

    Yields:
        Places of a group, and how many bits the farthest from the first one differs in.
    """
    import numpy as np

    values = [trait[cluster] for trait in traits]
    untold = np.ones(len(cluster), dtype=bool)
    # What has one value in all the cluster can be told for no trait.
    untold_for = [np.full(len(cluster), bool((own != own[0]).any())) for own in values]
    for first in range(len(cluster)):
        wanted = np.full(len(cluster), untold[first])
        for own, open_ in zip(values, untold_for, strict=True):
            if open_[first]:
                wanted |= own != own[first]
        wanted[first] = False
        places = np.nonzero(wanted)[0]
        if not places.size:
            continue
        num_bits = count_bits(words, cluster[first], cluster[places])
        near, num_bits = places[num_bits <= MAX_DISTANCE], num_bits[num_bits <= MAX_DISTANCE]
        if not near.size:
            continue
        chosen = untold[near]
        chosen[0] = True
        for own, open_ in zip(values, untold_for, strict=True):
            other = own[near] != own[first]
            chosen |= open_[near] & other
            if open_[first] and other.any():
                chosen[np.argmax(other)] = True
        group = np.append(first, near[chosen])
        untold[group] = False
        for own, open_ in zip(values, untold_for, strict=True):
            if (own[group] != own[first]).any():
                open_[group] = False
        yield cluster[group], int(num_bits[chosen].max())
