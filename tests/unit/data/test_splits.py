from __future__ import annotations

import pytest

from cxr.data.splits import is_held_out

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
