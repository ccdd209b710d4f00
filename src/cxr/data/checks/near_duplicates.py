"""Pictures that are almost the same: copies saved anew, resized, brightened, cropped a little."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cxr.data.checks.duplicates import Pair, describe_copies
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.near_search import find_close_pairs
from cxr.data.inspection.likeness import NUM_BITS
from cxr.data.sources.source import FoundImage

_TELL_NOTHING: Final = frozenset({"constant", "too-small"})
"""Pictures with these findings look like many others."""

Neighbours = Mapping[int, Sequence[tuple[int, int]]]


def find_near_duplicates(pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield groups of files whose pictures are almost the same.

    In each group every picture is close to that of the first path; others of the group need not
    be close to one another. A chain, each close to the next alone, makes several groups, so that
    no group grows to hold what is not alike. Every pair that is close is in a group together.

    Files of one group may be equal, but not all of them: that is `find_duplicates`' to tell.
    Pictures with too little in them are left out.

    Args:
        pairs: Every image that was found, and what was seen of it.
    """
    members = _collect_members(pairs)
    likenesses = sorted(members, key=lambda likeness: members[likeness][0][0].path)
    neighbours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for low, high, num_bits in find_close_pairs(likenesses):
        neighbours[low].append((high, num_bits))
    for first, others in _gather_groups(len(likenesses), neighbours):
        places = [first, *(place for place, _ in others)]
        group = [pair for place in places for pair in members[likenesses[place]]]
        # One likeness may stand for several pictures, or for copies of a single one.
        if len({look.pixels or look.sha256 for _, look in group}) == 1:
            continue
        num_bits = max((num_bits for _, num_bits in others), default=0)
        images: list[FoundImage] = [image for image, _ in group]
        what = f"alike in all but {num_bits} of {NUM_BITS} bits,"
        yield from describe_copies("near-duplicate", images, what)


def _collect_members(pairs: Sequence[Pair]) -> dict[int, list[Pair]]:
    """Return the images of each likeness, by path."""
    members: dict[int, list[Pair]] = defaultdict(list)
    for image, look in pairs:
        if look.likeness is None or any(kind in _TELL_NOTHING for kind, _ in look.findings):
            continue
        members[look.likeness].append((image, look))
    for alike in members.values():
        alike.sort(key=lambda pair: pair[0].path)
    return members


def _gather_groups(num: int, neighbours: Neighbours) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield groups around a first one: its place, and those near it with their distances.

    Args:
        num: Number of places; they are taken in order.
        neighbours: Of a place, the later places near it and their distances in bits.
    """
    groups_of: dict[int, set[int]] = defaultdict(set)
    for first in range(num):
        # A pair that an earlier group holds together is not told again.
        others = [
            (place, num_bits)
            for place, num_bits in neighbours.get(first, ())
            if groups_of[first].isdisjoint(groups_of[place])
        ]
        if others or not groups_of[first]:
            yield first, others
        for place, _ in others:
            groups_of[first].add(first)
            groups_of[place].add(first)
