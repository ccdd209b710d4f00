"""Sets of labels that are rare: what stratified splits made of them was training alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cxr.data.label_balance import derive_names
from cxr.data.splits import SplitPlan, derive_splits

PLAN = SplitPlan(split_seed=0, test=0.2, val=0.1)


def draw_groups(num, num_labels=14):
    """Patients who have each label by chance, the first ones often and the last ones rarely."""
    draw = np.random.default_rng(0)
    chances = np.linspace(0.5, 0.02, num_labels)
    return {
        f"person{number}": [
            "|".join(f"L{place:02}" for place in np.nonzero(draw.random(num_labels) < chances)[0])
            or "-"
        ]
        for number in range(num)
    }


def count_splits(groups, splits, name):
    return Counter(splits[group] for group, labels in groups.items() if name in labels[0])


@pytest.mark.parametrize("num", [60, 600, 3000])
def test_each_split_has_its_share_of_all_and_of_each_label(num):
    groups = draw_groups(num)
    splits = derive_splits(groups, PLAN)
    counts = Counter(splits.values())
    assert counts == {"test": num * 0.2, "val": num * 0.1, "train": num * 0.7}
    for name in (f"L{place:02}" for place in range(14)):
        of_label = count_splits(groups, splits, name)
        for split, share in PLAN.shares.items():
            assert abs(of_label[split] - share * of_label.total()) <= 2


def test_neither_order_nor_wording_moves_anybody():
    groups = draw_groups(300)
    turned = {group: labels * 2 for group, labels in reversed(groups.items())}
    assert derive_splits(turned, PLAN) == derive_splits(groups, PLAN)


def test_what_a_lock_has_placed_stays_and_the_labels_of_all_come_near_their_shares():
    groups = draw_groups(600)
    first = dict(list(groups.items())[:400])
    kept = derive_splits(first, PLAN)
    splits = derive_splits(groups, PLAN, kept=kept)
    assert kept.items() <= splits.items()
    assert Counter(splits.values()) == {"test": 120, "val": 60, "train": 420}
    of_label = count_splits(groups, splits, "L07")
    assert abs(of_label["test"] - 0.2 * of_label.total()) <= 2


def test_many_strata_that_are_rounded_alike_do_not_add_up():
    # Seven of each of twenty classes: a fifth is 1.4, which is 1 in each, and 20 of 140 in all.
    groups = {f"person{number}": [f"class {number % 20}"] for number in range(140)}
    splits = derive_splits(groups, SplitPlan(split_seed=0, val=0.2))
    assert Counter(splits.values()) == {"val": 28, "train": 112}
    assert all(
        count_splits(groups, splits, f"class {number}")["val"] in (1, 2) for number in range(10, 20)
    )


def test_a_group_counts_for_each_label_that_an_image_of_it_has_or_may_have():
    assert derive_names(["B|A", "A", "C?", "-"]) == ("-", "A", "B", "C?")
