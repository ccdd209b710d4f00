"""Pictures that are almost the same: copies saved anew, resized, brightened, cropped a little."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cxr.data.checks.duplicates import Pair, describe_copies
from cxr.data.checks.kinds import DataProblem
from cxr.data.checks.near_groups import gather_groups
from cxr.data.checks.near_search import find_clusters, pack_words
from cxr.data.inspection.likeness import NUM_BITS
from cxr.data.sources.source import FoundImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TELL_NOTHING: Final = frozenset({"constant", "too-small"})
"""Pictures with these findings look like many others."""


def find_near_duplicates(pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield groups of files whose pictures are almost the same.

    In each group every picture is close to one of them; the others need not be close to one
    another. A chain, each close to the next alone, makes several groups, so that no group grows to
    hold what is not alike. Every picture that has a close one is named, and so is every picture
    that has a close one in another split, or under another label; see `gather_groups`.

    Files of one group may be equal, but not all of them: that is `find_duplicates`' to tell.
    Pictures with too little in them are left out.

    Args:
        pairs: Every image that was found, and what was seen of it.
    """
    members = _collect_members(pairs)
    if not members:
        return
    likenesses = sorted(members, key=lambda likeness: members[likeness][0][0].path)
    for places, num_bits in _search(likenesses, members):
        group = [pair for place in places for pair in members[likenesses[place]]]
        # One likeness may stand for several pictures, or for copies of a single one.
        if len({look.pixels or look.sha256 for _, look in group}) == 1:
            continue
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


def _search(
    likenesses: Sequence[int], members: Mapping[int, Sequence[Pair]]
) -> Iterator[tuple[list[int], int]]:
    """Yield places of likenesses that are a group, and in how many bits they differ."""
    words = pack_words(likenesses)
    images = [[image for image, _ in members[likeness]] for likeness in likenesses]
    traits = (
        _number([{image.split for image in alike} for alike in images]),
        _number([{image.label for image in alike} for alike in images]),
    )
    alone = set(range(len(likenesses)))
    for cluster in find_clusters(words):
        alone.difference_update(cluster.tolist())
        for places, num_bits in gather_groups(words, cluster, traits):
            yield places.tolist(), num_bits
    # Several files may have the very same likeness, and no other be near.
    yield from (([place], 0) for place in sorted(alone) if len(images[place]) > 1)


def _number(names: Sequence[set[str]]) -> NDArray[np.int64]:
    """Return a number for each set of one name; sets of several differ from all others."""
    import numpy as np

    numbers: dict[str, int] = {}
    return np.array(
        [
            numbers.setdefault(min(some), len(numbers)) if len(some) == 1 else -1 - place
            for place, some in enumerate(names)
        ],
        dtype=np.int64,
    )
