"""Dividing groups whose sets of labels are too rare to be strata, so that each label has its share.

Where an image may have any of fourteen labels, most sets of labels are those of a few patients, and
a few patients cannot be divided by three. So each label is balanced by itself: group by group, each
goes where its labels lack most so far.

Source: S. Pocock, R. Simon, "Sequential Treatment Assignment with Balancing for Prognostic Factors"
(1975), with labels for factors. "Iterative stratification" (K. Sechidis and others, 2011) divides
the rarest labels first; with exact sizes it left the commonest, which come last, as far from their
shares as chance does.
Here the size of each split is exact as well: one that has all its groups gets no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Final

from cxr.label_text import BETWEEN

_ALL: Final = ""
"""Stands for what all groups have, so that sizes keep pace with labels."""


def derive_names(labels: Collection[str]) -> tuple[str, ...]:
    """Return what a group counts for: each label of its images once, sorted.

    Labels that are not known, and having none, count as labels of their own.

    Args:
        labels: The text of each image's labels; see `cxr.label_text`.
    """
    return tuple(sorted({name for text in labels for name in text.split(BETWEEN)}))


def divide_by_label(
    names: Mapping[str, Sequence[str]],
    new: Sequence[str],
    shares: Mapping[str, float],
    *,
    placed: Mapping[str, str],
    quotas: Mapping[str, int],
) -> dict[str, str]:
    """Return the splits of new groups.

    Those with most labels come first, since they are the hardest to place, then in their order.
    Each goes to the split that lacks its labels most, all of them together; of splits that lack as
    much, to the later one in ``shares``.

    Args:
        names: The labels of each group, new or placed; see `derive_names`.
        new: Groups to be divided, in the order in which they are taken.
        shares: The share of each split.
        placed: The splits of the other groups.
        quotas: How many new groups each split gets; together as many as there are.
    """
    lacking: dict[str, dict[str, float]] = {split: defaultdict(float) for split in shares}
    for group, split in placed.items():
        _count(lacking, names[group], shares, split)
    room = dict(quotas)
    splits: dict[str, str] = {}
    for group in sorted(new, key=lambda group: -len(names[group])):
        choice = [split for split in reversed(list(shares)) if room.get(split)]
        lack = {
            split: sum(lacking[split][name] + shares[split] for name in (_ALL, *names[group]))
            for split in choice
        }
        splits[group] = max(choice, key=lack.__getitem__)
        room[splits[group]] -= 1
        _count(lacking, names[group], shares, splits[group])
    return splits


def _count(
    lacking: Mapping[str, MutableMapping[str, float]],
    names: Sequence[str],
    shares: Mapping[str, float],
    chosen: str,
) -> None:
    """Note that a group is placed: each split had its share in it, and one has got it."""
    for split, share in shares.items():
        for name in (_ALL, *names):
            lacking[split][name] += share - (split == chosen)
