"""Dividing groups among splits: stratified, in the order of hashes, moving none that is placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cxr.determinism.streams import derive_key, derive_stream, uint64_matrix

_FEW: Final = 4000
"""Groups whose numbers are drawn one by one: NumPy would take longer to import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """Which share of the groups goes where; the rest is for training.

    Attributes:
        split_seed: ``data.split_seed``.
        test: Share of groups for testing, from 0 to 0.5.
        val: Share of groups for validation, from 0 to 0.5.
    """

    split_seed: int
    test: float = 0.0
    val: float = 0.0

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split; they add up to 1."""
        return {"test": self.test, "val": self.val, "train": 1 - self.test - self.val}


def derive_splits(
    labels_by_group: Mapping[str, Collection[str]],
    plan: SplitPlan,
    *,
    kept: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the split of each group.

    Groups with the same set of labels are a stratum, and each stratum is divided by itself: those
    in ``kept`` stay, and of the others, in the order of their own streams' first numbers, so many
    are tested on, then validated on, then trained on that every split comes nearest to its share.
    Neither the order in which files are listed nor the sizes of groups matter.

    Args:
        labels_by_group: The labels of each group's samples.
        plan: The shares.
        kept: Splits of groups that a lock has placed.

    Returns:
        ``train``, ``val`` or ``test`` of each group, in the order that they came in.
    """
    kept = kept or {}
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for group, labels in labels_by_group.items():
        strata[tuple(sorted(set(labels)))].append(group)
    splits: dict[str, str] = {}
    for groups in strata.values():
        placed = {group: kept[group] for group in groups if group in kept}
        new = _order(plan.split_seed, [group for group in groups if group not in kept])
        splits |= placed
        splits |= zip(new, _fill(plan.shares, placed.values(), num_new=len(new)), strict=True)
    return {group: splits[group] for group in labels_by_group}


def _order(split_seed: int, groups: Sequence[str]) -> list[str]:
    """Return groups by the first numbers of their own streams, then by name."""
    if len(groups) <= _FEW:
        first = [derive_stream(split_seed, "split", group).uint64() for group in groups]
    else:
        keys = [derive_key(split_seed, "split", group) for group in groups]
        first = uint64_matrix(keys, 1)[:, 0].tolist()
    return [group for _, group in sorted(zip(first, groups, strict=True))]


def _fill(shares: Mapping[str, float], placed: Iterable[str], *, num_new: int) -> list[str]:
    """Return the splits of new groups: one by one, to the split that lacks most, then in order.

    Each step lowers the sum of squared distances from the shares as far as one group can, so no
    other choice comes nearer to them. Of splits that lack as much, the later one in ``shares``
    gets the group: training, if it is one of them.
    """
    counts = dict.fromkeys(shares, 0)
    for split in placed:
        counts[split] += 1
    total = sum(counts.values()) + num_new
    lacking = {split: share * total - counts[split] for split, share in shares.items()}
    gained = dict.fromkeys(shares, 0)
    for _ in range(num_new):
        neediest = max(reversed(lacking), key=lacking.__getitem__)
        gained[neediest] += 1
        lacking[neediest] -= 1
    return [split for split, num in gained.items() for _ in range(num)]
