from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cxr.data.splits import SplitPlan, derive_splits
from properties.strategies import examples, seeds

groups = st.dictionaries(
    st.text(min_size=1, max_size=6),
    st.sampled_from([["A"], ["B"], ["A", "B"]]),
    min_size=1,
    max_size=40,
)
plans = st.builds(
    SplitPlan, split_seed=seeds, test=st.floats(0, 0.45), val=st.floats(0, 0.5, exclude_max=True)
)


def count(labels_by_group, splits):
    """Return how many groups of each stratum are in each split."""
    strata = {}
    for group, labels in labels_by_group.items():
        strata.setdefault(tuple(labels), Counter())[splits[group]] += 1
    return strata


def require_shares(counts, plan, *, within):
    total = sum(counts.values())
    for split, share in plan.shares.items():
        assert abs(counts[split] - share * total) < within + 1e-9


@given(groups, plans)
@examples(max_examples=100)
def test_every_share_is_met_within_one_group_and_in_each_stratum_nearly(labels_by_group, plan):
    splits = derive_splits(labels_by_group, plan)
    assert splits.keys() == labels_by_group.keys()
    require_shares(Counter(splits.values()), plan, within=1)
    for counts in count(labels_by_group, splits).values():
        require_shares(counts, plan, within=2)


@given(groups, plans, st.randoms(use_true_random=False))
@examples(max_examples=50)
def test_the_order_of_files_does_not_matter(labels_by_group, plan, random):
    shuffled = random.sample(list(labels_by_group.items()), len(labels_by_group))
    again = {group: random.sample(labels * 2, 2 * len(labels)) for group, labels in shuffled}
    assert derive_splits(again, plan) == derive_splits(labels_by_group, plan)


@given(st.lists(groups, min_size=1, max_size=4), plans)
@examples(max_examples=100)
def test_adding_groups_to_what_a_lock_keeps_moves_nobody_and_meets_the_shares(batches, plan):
    present, kept = {}, {}
    for batch in batches:
        # A group that is there already keeps its labels: images of a patient came in.
        present = batch | present
        splits = derive_splits(present, plan, kept=kept)
        assert kept.items() <= splits.items()
        kept = splits
        require_shares(Counter(splits.values()), plan, within=2)
