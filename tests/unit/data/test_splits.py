from __future__ import annotations

from collections import Counter

import pytest

from cxr.data import splits
from cxr.data.splits import SplitPlan, derive_splits
from cxr.determinism.streams import derive_stream

GROUPS = {f"person{number}": ["A"] for number in range(40)}
PLAN = SplitPlan(split_seed=0, test=0.2, val=0.15)


def test_every_split_gets_its_share():
    assert Counter(derive_splits(GROUPS, PLAN).values()) == {"test": 8, "val": 6, "train": 26}


def test_the_first_in_the_order_of_their_streams_are_held_out():
    ordered = sorted(GROUPS, key=lambda group: derive_stream(0, "split", group).uniform())
    found = derive_splits(GROUPS, PLAN)
    assert [found[group] for group in ordered] == ["test"] * 8 + ["val"] * 6 + ["train"] * 26


def test_a_share_for_testing_leaves_validation_a_share_of_all():
    held = derive_splits(GROUPS, SplitPlan(split_seed=0, val=0.15))
    assert Counter(held.values()) == {"val": 6, "train": 34}


def test_each_set_of_labels_is_divided_by_itself():
    labels = [["A"], ["B"], ["B", "A", "B"]]
    groups = {f"{number}": labels[number % 3] for number in range(60)}
    found = derive_splits(groups, SplitPlan(split_seed=0, val=0.25))
    held = Counter(int(group) % 3 for group, split in found.items() if split == "val")
    assert held == {0: 5, 1: 5, 2: 5}


def test_another_seed_holds_out_others():
    assert derive_splits(GROUPS, PLAN) != derive_splits(
        GROUPS, SplitPlan(split_seed=1, test=0.2, val=0.15)
    )


def test_many_groups_are_ordered_as_few_are(monkeypatch):
    one_by_one = derive_splits(GROUPS, PLAN)
    monkeypatch.setattr(splits, "_FEW", 0)
    assert derive_splits(GROUPS, PLAN) == one_by_one


def test_groups_that_are_placed_stay_and_new_ones_bring_the_shares_near():
    kept = {f"person{number}": "train" for number in range(30)}
    found = derive_splits(GROUPS, PLAN, kept=kept)
    assert all(found[group] == split for group, split in kept.items())
    # Ten are new: 8 and 6 are asked for, so none is left for training.
    new = Counter(split for group, split in found.items() if group not in kept)
    assert new == {"test": 6, "val": 4}


def test_a_single_group_is_trained_on():
    assert derive_splits({"one": ["A"]}, SplitPlan(split_seed=0, val=0.5)) == {"one": "train"}


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_nothing_and_half_are_held_out_at_the_ends(fraction):
    found = Counter(derive_splits(GROUPS, SplitPlan(split_seed=0, val=fraction)).values())
    assert found["val"] == 40 * fraction


def test_known_groups_stay_where_they_are():
    groups = {f"person{number}_bacteria": ["A"] for number in range(20)}
    found = derive_splits(groups, SplitPlan(split_seed=0, val=0.2))
    held = [group for group, split in found.items() if split == "val"]
    assert held == [f"person{number}_bacteria" for number in (10, 13, 16, 19)]
