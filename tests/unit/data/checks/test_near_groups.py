from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.checks.near_groups import gather_groups
from cxr.data.checks.near_search import MAX_DISTANCE, find_clusters, pack_words
from cxr.data.inspection.likeness import NUM_BITS
from properties.strategies import examples

START = int("5a" * 32, 16)

# Many that lie near one start, so that some are near one another and others are not.
pictures = st.lists(
    st.tuples(
        st.sets(st.integers(0, NUM_BITS - 1), max_size=20), st.integers(0, 2), st.integers(0, 1)
    ),
    min_size=2,
    max_size=25,
)


def gather(likenesses, *traits):
    words = pack_words(likenesses)
    columns = tuple(np.array(trait) for trait in traits)
    return [
        (places.tolist(), num_bits)
        for cluster in find_clusters(words)
        for places, num_bits in gather_groups(words, cluster, columns)
    ]


def differ(one, other):
    return (one ^ other).bit_count()


@given(pictures)
@examples(max_examples=100)
def test_whoever_has_a_near_one_is_told_and_for_each_trait_in_which_it_differs(drawn):
    likenesses = [START ^ sum(1 << place for place in turned) for turned, _, _ in drawn]
    traits = [[split for _, split, _ in drawn], [label for _, _, label in drawn]]
    groups = gather(likenesses, *traits)
    for places, num_bits in groups:
        distances = [differ(likenesses[places[0]], likenesses[place]) for place in places[1:]]
        assert max(distances) == num_bits <= MAX_DISTANCE
    for place, likeness in enumerate(likenesses):
        near = [
            other
            for other in range(len(likenesses))
            if other != place and differ(likeness, likenesses[other]) <= MAX_DISTANCE
        ]
        own = [members for members, _ in groups if place in members]
        assert bool(own) == bool(near)
        for trait in traits:
            if any(trait[other] != trait[place] for other in near):
                assert any(len({trait[one] for one in members}) > 1 for members in own)


def test_near_pairs_of_two_splits_are_told_where_a_group_of_one_split_holds_each():
    # Around the first and around the third, of one split each; the second is near the fourth.
    turns = [0, 27, 60, 54 - 7]
    likenesses = [START ^ ((1 << num) - 1) for num in turns]
    splits, labels = [0, 0, 1, 1], [0] * 4
    told = [sorted(places) for places, _ in gather(likenesses, splits, labels)]
    assert told == [[0, 1], [1, 3], [2, 3]]


def test_groups_of_many_pictures_that_are_all_near_do_not_grow_with_their_pairs():
    draw = np.random.default_rng(0)
    likenesses = [
        START ^ sum(1 << int(place) for place in draw.choice(NUM_BITS, 13, replace=False))
        for _ in range(1000)
    ]
    groups = gather(likenesses, [n % 3 for n in range(1000)], [n % 2 for n in range(1000)])
    assert {place for places, _ in groups for place in places} == set(range(1000))
    assert sum(len(places) for places, _ in groups) < 4 * len(likenesses)
