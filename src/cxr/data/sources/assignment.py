"""Giving found images their splits, by group, where a set has none of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cxr.config.data_section import DataConfig
from cxr.data.sources.pseudonyms import is_alone, load_pseudonym_key, name_group
from cxr.data.sources.source import FoundImage
from cxr.data.splits import SplitPlan, derive_splits
from cxr.errors import DataError
from cxr.records.set_lock import load_lock


def assign_by_group(
    found: Sequence[FoundImage], config: DataConfig, *, pool: Sequence[str]
) -> list[FoundImage]:
    """Divide images among splits by their groups; see `derive_splits`.

    Groups that ``data.lock`` has placed stay where they are; a lock that is not there yet has
    placed none.

    Args:
        found: The images that are to be divided, and those of other splits.
        config: The data section: the shares, the seed and the lock.
        pool: The splits that are divided anew. Images that stand in others stay there, whatever
            their group: a leak among pre-made splits is for checks to find.

    Raises:
        DataError: The lock has one group in two splits, or a split that is asked for gets no group.
        RecordError: The lock cannot be read.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for image in found:
        if image.split in pool:
            labels[image.group].add(image.label)
    plan = SplitPlan(
        split_seed=config.split_seed,
        val=config.validation_fraction,
        test=config.test_fraction if "test" in pool else 0.0,
    )
    kept = _find_kept(found, config, pool)
    splits = derive_splits(labels, plan, kept=kept)
    # Where a lock has placed everybody, what is empty is empty by its word.
    if not splits.keys() <= kept.keys():
        _require_all(splits, plan)
    return [
        replace(image, split=splits[image.group]) if image.split in pool else image
        for image in found
    ]


def _require_all(splits: Mapping[str, str], plan: SplitPlan) -> None:
    """Refuse splits of which one that is asked for is empty.

    Raises:
        DataError: One is, though there are groups enough for one in each.
    """
    # With fewer groups than splits no share helps; whoever trains on them is told what is missing.
    if len(splits) < len(plan.shares):
        return
    used = set(splits.values())
    for split, share in plan.shares.items():
        if share > 0 and split not in used:
            raise DataError(
                f"no group is left for the split {split}: its share is {share:.3g}"
                f" of {len(splits)} groups",
                where="data.validation_fraction, data.test_fraction",
                hint="ask for a larger share, or for 0 if the split is not needed",
            )


def _find_kept(
    found: Sequence[FoundImage], config: DataConfig, pool: Sequence[str]
) -> dict[str, str]:
    """Return the splits of groups that the lock has placed, which may know them by pseudonyms."""
    kept = _load_kept(config.lock, pool)
    if not kept or config.pseudonym_key is None:
        return kept
    key = load_pseudonym_key(Path(config.pseudonym_key))
    names = {image.group: name_group(key, image.group, is_path=is_alone(image)) for image in found}
    return {group: kept[name] for group, name in names.items() if name in kept}


def _load_kept(lock: str | None, pool: Sequence[str]) -> dict[str, str]:
    """Return the split of each group that a lock has placed in one of ``pool``."""
    if lock is None or not Path(lock).exists():
        return {}
    kept: dict[str, str] = {}
    for image in load_lock(Path(lock)).images:
        if image.split in pool and kept.setdefault(image.group, image.split) != image.split:
            raise DataError(
                f"the lock has the group {image.group} in {kept[image.group]} and {image.split}",
                where=lock,
                hint="it was made by other rules: remove it, and lock the set anew",
            )
    return kept
