from __future__ import annotations

from pathlib import Path

import pytest

from cxr.config.data_section import DataConfig
from cxr.data.sources.source import FoundImage
from cxr.data.splits import assign_splits, is_held_out

GROUPS = [f"person{number}" for number in range(2000)]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_about_the_asked_share_of_groups_is_held_out(fraction):
    num = sum(is_held_out(group, split_seed=0, fraction=fraction) for group in GROUPS)
    assert abs(num / len(GROUPS) - fraction) < 0.03


def test_nothing_and_everything_are_held_out_at_the_ends():
    assert not any(is_held_out(group, split_seed=0, fraction=0.0) for group in GROUPS)
    assert all(is_held_out(group, split_seed=0, fraction=1.0) for group in GROUPS)


def test_a_larger_share_holds_out_the_same_groups_and_more():
    small = {group for group in GROUPS if is_held_out(group, split_seed=3, fraction=0.1)}
    large = {group for group in GROUPS if is_held_out(group, split_seed=3, fraction=0.2)}
    assert small < large


def test_another_seed_holds_out_others():
    held = [
        {group for group in GROUPS if is_held_out(group, split_seed=seed, fraction=0.2)}
        for seed in (0, 1)
    ]
    assert held[0] != held[1]


def test_known_groups_stay_where_they_are():
    names = [f"person{number}_bacteria" for number in range(20)]
    held = [name for name in names if is_held_out(name, split_seed=0, fraction=0.25)]
    assert held == [f"person{number}_bacteria" for number in (10, 13, 16, 19)]


def find(*places):
    return [
        FoundImage(Path("x"), str(number), "A", group, split)
        for number, (group, split) in enumerate(places)
    ]


def configure(**data):
    return DataConfig(source="csv", **data)


def test_splits_that_samples_came_with_stay():
    found = find(("p1", "train"), ("p1", "test"), ("p2", "val"))
    assert assign_splits(found, configure()) == found


def test_validation_is_held_out_of_what_came_for_training_and_testing_stays():
    found = find(*((f"p{n}", ("train", "val", "test")[n % 3]) for n in range(300)))
    config = configure(validation_fraction=0.25, split_seed=5)
    assigned = assign_splits(found, config)
    for before, after in zip(found, assigned, strict=True):
        held_out = is_held_out(before.group, split_seed=5, fraction=0.25)
        assert after.split == ("test" if before.split == "test" else ("train", "val")[held_out])


def test_groups_without_splits_are_split_whole_and_no_other_moves_them():
    found = find(*((f"p{n // 3}", "") for n in range(3000)))
    config = configure(test_fraction=0.2, validation_fraction=0.1, split_seed=5)
    assigned = assign_splits(found, config)
    by_group = {}
    for image in assigned:
        by_group.setdefault(image.group, set()).add(image.split)
    assert all(len(splits) == 1 for splits in by_group.values())
    nums = {name: sum({name} == one for one in by_group.values()) for name in ("test", "val")}
    assert 150 < nums["test"] < 250
    assert 70 < nums["val"] < 130
    assert assign_splits(found[1500:], config) == assigned[1500:]
