"""Dividing groups among splits: stratified, in the order of hashes, moving none that is placed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cxr.data.label_balance import derive_names, divide_by_label
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

    Groups with the same set of labels are a stratum. A stratum that is large enough for a group in
    each split is divided by itself: those in ``kept`` stay, and of the others, in the order of
    their own streams' first numbers, so many are tested on, then validated on, then trained on
    that every split comes nearest to its share. Where many strata are rounded the same way, what
    one lacks is made up for by the next, up to one group. Groups of smaller strata are divided
    together, label by label: see `divide_by_label`. Neither the order in which files are listed
    nor the sizes of groups matter.

    Args:
        labels_by_group: The labels of each group's samples.
        plan: The shares.
        kept: Splits of groups that a lock has placed.

    Returns:
        ``train``, ``val`` or ``test`` of each group, in the order that they came in.
    """
    kept = kept or {}
    names = {group: derive_names(labels) for group, labels in labels_by_group.items()}
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for group in _order(plan.split_seed, list(labels_by_group)):
        strata[names[group]].append(group)
    smallest = min(share for share in plan.shares.values() if share > 0)
    small = [key for key, groups in strata.items() if len(groups) * smallest < 1]
    # One small stratum has no others to be divided with.
    together = [group for key in small for group in strata.pop(key)] if len(small) > 1 else []
    ordered = [strata[key] for key in sorted(strata, key=lambda key: (-len(strata[key]), key))]
    splits = _divide(ordered, plan.shares, kept, carry=False)
    if _is_far(splits.values(), plan.shares):
        splits = _divide(ordered, plan.shares, kept, carry=True)
    splits |= {group: kept[group] for group in together if group in kept}
    new = _order(plan.split_seed, [group for group in together if group not in kept])
    quotas = _fill(plan.shares, splits.values(), num_new=len(new))
    splits |= divide_by_label(names, new, plan.shares, placed=splits, quotas=Counter(quotas))
    return {group: splits[group] for group in labels_by_group}


def _divide(
    strata: Iterable[Sequence[str]],
    shares: Mapping[str, float],
    kept: Mapping[str, str],
    *,
    carry: bool,
) -> dict[str, str]:
    """Return the splits of the groups of each stratum, divided by itself.

    Args:
        strata: Groups in the order of their streams.
        shares: The share of each split.
        kept: Splits of groups that a lock has placed.
        carry: Whether a stratum makes up for what those before it lack, up to one group.
    """
    splits: dict[str, str] = {}
    carried = dict.fromkeys(shares, 0.0)
    for groups in strata:
        placed = {group: kept[group] for group in groups if group in kept}
        new = [group for group in groups if group not in kept]
        filled = _fill(shares, placed.values(), num_new=len(new), carried=carried)
        splits |= placed | dict(zip(new, filled, strict=True))
        if carry:
            lacking = _find_lacking(shares, splits.values())
            carried = {split: min(1.0, max(-1.0, num)) for split, num in lacking.items()}
    return splits


def _is_far(placed: Collection[str], shares: Mapping[str, float]) -> bool:
    """Say whether a split is more than one group from its share."""
    return max(map(abs, _find_lacking(shares, placed).values())) > 1


def _find_lacking(
    shares: Mapping[str, float], placed: Iterable[str], *, num_new: int = 0
) -> dict[str, float]:
    """Return how many groups each split lacks to have its share."""
    counts = Counter(placed)
    total = counts.total() + num_new
    return {split: share * total - counts[split] for split, share in shares.items()}


def _order(split_seed: int, groups: Sequence[str]) -> list[str]:
    """Return groups by the first numbers of their own streams, then by name."""
    if len(groups) <= _FEW:
        first = [derive_stream(split_seed, "split", group).uint64() for group in groups]
    else:
        keys = [derive_key(split_seed, "split", group) for group in groups]
        first = uint64_matrix(keys, 1)[:, 0].tolist()
    return [group for _, group in sorted(zip(first, groups, strict=True))]


def _fill(
    shares: Mapping[str, float],
    placed: Iterable[str],
    *,
    num_new: int,
    carried: Mapping[str, float] | None = None,
) -> list[str]:
    """Return the splits of new groups: one by one, to the split that lacks most, then in order.

    Each step lowers the sum of squared distances from the shares as far as one group can, so no
    other choice comes nearer to them. Of splits that lack as much, the later one in ``shares``
    gets the group: training, if it is one of them.

    Args:
        shares: The share of each split.
        placed: Splits of groups that are placed.
        num_new: Groups that are not.
        carried: How many groups each split is to have beyond its share.
    """
    lacking = _find_lacking(shares, placed, num_new=num_new)
    for split, num in (carried or {}).items():
        lacking[split] += num
    gained = dict.fromkeys(shares, 0)
    for _ in range(num_new):
        neediest = max(reversed(lacking), key=lacking.__getitem__)
        gained[neediest] += 1
        lacking[neediest] -= 1
    return [split for split, num in gained.items() for _ in range(num)]
