"""Dividing groups among splits: stratified, in the order of hashes, moving none that is placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cxr.determinism.streams import derive_stream


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
        ``train``, ``val`` or ``test`` of each group.
    """
    kept = kept or {}
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for group, labels in labels_by_group.items():
        strata[tuple(sorted(set(labels)))].append(group)
    splits: dict[str, str] = {}
    for groups in strata.values():
        placed = {group: kept[group] for group in groups if group in kept}
        new = sorted(
            (group for group in groups if group not in kept),
            key=lambda group: _rank(plan.split_seed, group),
        )
        splits |= placed
        splits |= zip(new, _fill(plan.shares, placed.values(), num_new=len(new)), strict=True)
    return splits


def _rank(split_seed: int, group: str) -> tuple[int, str]:
    """Return where a group stands in its stratum: by its own stream, then by its name."""
    return derive_stream(split_seed, "split", group).uint64(), group


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
